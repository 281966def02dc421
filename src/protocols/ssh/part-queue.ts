const EMPTY = Buffer.alloc(0);

/** Buffers in order, taken off by bytes and never joined: a slice is a view, so nothing is copied. */
export class PartQueue {
  private parts: Buffer[] = [];
  /** Index of the first part that is left; the ones before are gone and wait for one cheap splice. */
  private head = 0;
  /** Bytes held. */
  length = 0;

  push(parts: readonly Buffer[]): void {
    for (const part of parts) {
      if (part.length === 0) continue;
      this.parts.push(part);
      this.length += part.length;
    }
  }

  /** The first `count` bytes (fewer when there are fewer), put behind `into`. */
  take(count: number, into: Buffer[]): void {
    let wanted = Math.min(count, this.length);
    this.length -= wanted;
    while (wanted > 0) {
      const part = this.parts[this.head] as Buffer;
      if (part.length > wanted) {
        into.push(part.subarray(0, wanted));
        this.parts[this.head] = part.subarray(wanted);
        break;
      }
      into.push(part);
      // What was taken must not stay in memory through this array.
      this.parts[this.head] = EMPTY;
      wanted -= part.length;
      this.head += 1;
    }
    this.forget();
  }

  clear(): void {
    this.parts = [];
    this.head = 0;
    this.length = 0;
  }

  private forget(): void {
    if (this.length === 0) this.clear();
    else if (this.head >= 64 && this.head * 2 >= this.parts.length) {
      this.parts.splice(0, this.head);
      this.head = 0;
    }
  }
}
