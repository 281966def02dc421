/**
 * What the sender remembers of each packet on the way: one ring of typed arrays, indexed by packet number. Per-packet
 * state of delivery-rate sampling is in it too (draft-ietf-ccwg-bbr, "Per-packet (P) state").
 */

export const PACKET = { free: 0, flying: 1, acked: 2, lost: 3, skipped: 4 } as const;

const FIRST_CAPACITY = 1024;
/** 512 Ki packets on the way: 6 Gb/s at a second of round trip. */
export const PACKETS_MAX = 2 ** 19;

export class PacketLog {
  private capacity = FIRST_CAPACITY;
  private mask = FIRST_CAPACITY - 1;
  /** The lowest packet number that may not be decided yet, and the next one to be used. */
  base = 0;
  next = 0;
  /** No packet below is on its way: nothing becomes `flying` again. */
  private flyingFrom = 0;

  state = new Uint8Array(FIRST_CAPACITY);
  appLimited = new Uint8Array(FIRST_CAPACITY);
  /** Bytes on the wire that congestion control counts, and bytes of the stream in it (0: none). */
  size = new Uint16Array(FIRST_CAPACITY);
  length = new Uint16Array(FIRST_CAPACITY);
  offset = new Float64Array(FIRST_CAPACITY);
  sentAt = new Float64Array(FIRST_CAPACITY);
  firstSentAt = new Float64Array(FIRST_CAPACITY);
  delivered = new Float64Array(FIRST_CAPACITY);
  deliveredAt = new Float64Array(FIRST_CAPACITY);
  inflight = new Float64Array(FIRST_CAPACITY);
  lost = new Float64Array(FIRST_CAPACITY);

  slot(packetNumber: number): number {
    // The number may have more than 32 bits: `&` takes the low ones of any whole number, and a division would cost more.
    return packetNumber & this.mask;
  }

  get isFull(): boolean {
    return this.next - this.base >= PACKETS_MAX;
  }

  /** A slot for the next packet number. */
  append(): number {
    if (this.next - this.base >= this.capacity) this.grow();
    return this.slot(this.next++);
  }

  /** The lowest packet that is on its way, or `next`. */
  firstFlying(): number {
    // Below `base` slots are used again.
    this.flyingFrom = Math.max(this.flyingFrom, this.base);
    while (this.flyingFrom < this.next && this.state[this.slot(this.flyingFrom)] !== PACKET.flying) this.flyingFrom++;
    return this.flyingFrom;
  }

  /** Moves `base` over what is decided. What was declared lost but sent after `recent` may still show up: it is kept. */
  settle(recent: number): void {
    while (this.base < this.next) {
      const slot = this.slot(this.base);
      const state = this.state[slot];
      if (state === PACKET.flying || (state === PACKET.lost && (this.sentAt[slot] as number) > recent)) return;
      this.base++;
    }
  }

  private grow(): void {
    if (this.capacity >= PACKETS_MAX) throw new RangeError('more packets on the way than are remembered');
    const before = this.capacity;
    const after = before * 2;
    const map = (packetNumber: number): [number, number] => [packetNumber % before, packetNumber % after];
    const wider = <A extends Uint8Array | Uint16Array | Float64Array>(from: A, to: A): A => {
      for (let packetNumber = this.base; packetNumber < this.next; packetNumber++) {
        const [old, fresh] = map(packetNumber);
        to[fresh] = from[old] as number;
      }
      return to;
    };
    this.state = wider(this.state, new Uint8Array(after));
    this.appLimited = wider(this.appLimited, new Uint8Array(after));
    this.size = wider(this.size, new Uint16Array(after));
    this.length = wider(this.length, new Uint16Array(after));
    this.offset = wider(this.offset, new Float64Array(after));
    this.sentAt = wider(this.sentAt, new Float64Array(after));
    this.firstSentAt = wider(this.firstSentAt, new Float64Array(after));
    this.delivered = wider(this.delivered, new Float64Array(after));
    this.deliveredAt = wider(this.deliveredAt, new Float64Array(after));
    this.inflight = wider(this.inflight, new Float64Array(after));
    this.lost = wider(this.lost, new Float64Array(after));
    this.capacity = after;
    this.mask = after - 1;
  }
}
