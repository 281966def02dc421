/** Pieces of the stream that have to be sent again, first lost first sent: a ring of typed arrays that grows. */
export class ResendQueue {
  private offsets = new Float64Array(256);
  private lengths = new Float64Array(256);
  private head = 0;
  count = 0;

  push(offset: number, length: number): void {
    if (this.count === this.offsets.length) this.grow();
    const at = (this.head + this.count) & (this.offsets.length - 1);
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.count++;
  }

  get offset(): number {
    return this.offsets[this.head] as number;
  }

  get length(): number {
    return this.lengths[this.head] as number;
  }

  /** Takes `bytes` off the front piece; all of it goes when that is its length. */
  take(bytes: number): void {
    const left = this.length - bytes;
    if (left > 0) {
      this.offsets[this.head] = this.offset + bytes;
      this.lengths[this.head] = left;
      return;
    }
    this.head = (this.head + 1) & (this.offsets.length - 1);
    this.count--;
  }

  private grow(): void {
    const size = this.offsets.length * 2;
    const offsets = new Float64Array(size);
    const lengths = new Float64Array(size);
    for (let index = 0; index < this.count; index++) {
      const from = (this.head + index) & (this.offsets.length - 1);
      offsets[index] = this.offsets[from] as number;
      lengths[index] = this.lengths[from] as number;
    }
    [this.offsets, this.lengths, this.head] = [offsets, lengths, 0];
  }
}
