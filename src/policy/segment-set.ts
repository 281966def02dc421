/** Which segments of a version were released: a bit each, no longer than the last one needs. */
export class SegmentSet {
  private bits: Uint8Array = new Uint8Array(0);

  get byteLength(): number {
    return this.bits.length;
  }

  add(first: number, count: number): void {
    const bytes = Math.ceil((first + count) / 8);
    if (bytes > this.bits.length) {
      const larger = new Uint8Array(Math.max(bytes, Math.min(2 * this.bits.length, bytes + 1024)));
      larger.set(this.bits);
      this.bits = larger;
    }
    for (let segment = first; segment < first + count; segment++)
      this.bits[segment >> 3] = (this.bits[segment >> 3] ?? 0) | (1 << (segment & 7));
  }

  hasAny(first: number, count: number): boolean {
    for (let segment = first; segment < first + count; segment++) if (this.has(segment)) return true;
    return false;
  }

  hasAll(first: number, count: number): boolean {
    for (let segment = first; segment < first + count; segment++) if (!this.has(segment)) return false;
    return true;
  }

  private has(segment: number): boolean {
    return ((this.bits[segment >> 3] ?? 0) & (1 << (segment & 7))) !== 0;
  }
}
