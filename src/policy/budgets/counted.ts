/**
 * Which segments of one reading have been counted: its front has had their keys, so that giving them once more lets
 * nothing new leave. A client that reads here and there in a large file would else use up its budget with what it has.
 */

/** A bit for each, for files up to 64 GiB; further segments count each time. Fronts may have many readings open. */
const SEGMENTS_KEPT = 8192;

export class Counted {
  private bits = new Uint8Array(0);

  has(segment: number): boolean {
    return ((this.bits[segment >> 3] ?? 0) & (1 << (segment & 7))) !== 0;
  }

  /** After their release is durable. */
  add(first: number, count: number): void {
    const end = Math.min(first + count, SEGMENTS_KEPT);
    if (end > this.bits.length * 8) {
      const larger = new Uint8Array(Math.min(Math.max(Math.ceil(end / 8), this.bits.length * 2), SEGMENTS_KEPT / 8));
      larger.set(this.bits);
      this.bits = larger;
    }
    for (let segment = first; segment < end; segment++)
      this.bits[segment >> 3] = (this.bits[segment >> 3] ?? 0) | (1 << (segment & 7));
  }
}
