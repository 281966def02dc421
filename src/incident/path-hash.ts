/**
 * A keyed 64-bit hash of the directory of a path, so that "listed, but nothing in it was read" needs no texts. The key
 * is drawn anew for each index: somebody who chooses names cannot make two directories one. Where an answer names
 * directories it reads them from the tiles.
 */
export class PathHash {
  /** Of the directory of the last path, what stands before its last "/": two signed words. */
  high = 0;
  low = 0;
  private readonly seedHigh: number;
  private readonly seedLow: number;

  constructor(seedHigh: number, seedLow: number) {
    this.seedHigh = seedHigh | 0;
    this.seedLow = seedLow | 0;
  }

  /** False when the text is not all ASCII: then whether it is UTF-8 has to be seen another way. */
  directoryOf(bytes: Uint8Array, start: number, end: number): boolean {
    let high = this.seedHigh;
    let low = this.seedLow;
    this.high = high;
    this.low = low;
    let seen = 0;
    for (let at = start; at < end; at++) {
      const unit = bytes[at] as number;
      seen |= unit;
      if (unit === SLASH) {
        this.high = high;
        this.low = low;
      }
      high = Math.imul(high ^ unit, 0x85ebca6b);
      high ^= high >>> 13;
      low = Math.imul(low ^ unit ^ (high >>> 9), 0xc2b2ae35);
      low ^= low >>> 16;
    }
    this.lastHigh = high;
    this.lastLow = low;
    return seen < 0x80;
  }

  /** Of a path that is a directory itself: with or without a "/" at its end it is the same. */
  directory(bytes: Uint8Array, start: number, end: number): boolean {
    const ascii = this.directoryOf(bytes, start, end > start && bytes[end - 1] === SLASH ? end - 1 : end);
    this.high = this.lastHigh;
    this.low = this.lastLow;
    return ascii;
  }

  private lastHigh = 0;
  private lastLow = 0;
}

const SLASH = 0x2f;
