/** Which packet numbers were already taken: a sliding bitmap (RFC 6479 in spirit: the words are a ring, nothing is shifted). */
const WORD_BITS = 32;

export class ReplayWindow {
  private readonly words: Uint32Array;
  private readonly size: number;
  private readonly mask: number;
  private highest = -1;

  /** `size` numbers below the highest are remembered; older ones are refused. A power of two, at least 4,096. */
  constructor(size = 65_536) {
    if (size < 4096 || (size & (size - 1)) !== 0)
      throw new RangeError('a replay window has a power of two of at least 4,096');
    // One word more than `size` needs would do; twice as many keep the ring a power of two.
    this.words = new Uint32Array((size * 2) / WORD_BITS);
    this.size = size;
    this.mask = this.words.length - 1;
  }

  get top(): number {
    return this.highest;
  }

  /** Whether the number is new. Does not take it: that is for after the datagram was authenticated. */
  isNew(packetNumber: number): boolean {
    if (packetNumber > this.highest) return true;
    if (this.highest - packetNumber >= this.size) return false;
    const word = this.words[Math.floor(packetNumber / WORD_BITS) & this.mask] as number;
    return (word & (1 << (packetNumber % WORD_BITS))) === 0;
  }

  take(packetNumber: number): void {
    const at = Math.floor(packetNumber / WORD_BITS);
    if (packetNumber > this.highest) this.clearUpTo(at);
    const index = at & this.mask;
    this.words[index] = (this.words[index] as number) | (1 << (packetNumber % WORD_BITS));
    if (packetNumber > this.highest) this.highest = packetNumber;
  }

  private clearUpTo(at: number): void {
    const before = Math.floor(this.highest / WORD_BITS);
    if (at - before >= this.words.length) {
      this.words.fill(0);
      return;
    }
    for (let word = before + 1; word <= at; word++) this.words[word & this.mask] = 0;
  }
}
