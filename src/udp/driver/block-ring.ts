/**
 * The part of a stream that is on its way: a ring in memory that two threads share. Offset o of the stream lies at o modulo
 * its size. Who may touch what is agreed by messages: a sender's ring is filled by the user up to `filled`, and free again
 * below what the receiver has; a receiver's is written by the socket, and free again below `taken`.
 */
export class BlockRing {
  readonly memory: SharedArrayBuffer;
  readonly size: number;
  private readonly bytes: Buffer;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.size = memory.byteLength;
    this.bytes = Buffer.from(memory);
  }

  static make(size: number): SharedArrayBuffer {
    return new SharedArrayBuffer(size);
  }

  write(offset: number, from: Buffer, start: number, end: number): void {
    let at = start;
    let place = offset % this.size;
    while (at < end) {
      const length = Math.min(end - at, this.size - place);
      from.copy(this.bytes, place, at, at + length);
      at += length;
      place = 0;
    }
  }

  read(offset: number, into: Buffer, at: number, length: number): void {
    const place = offset % this.size;
    const first = Math.min(length, this.size - place);
    this.bytes.copy(into, at, place, place + first);
    if (first < length) this.bytes.copy(into, at + first, 0, length - first);
  }

  /** A view on what lies there without a break: at most `length` bytes. Valid until its place is given free. */
  view(offset: number, length: number): Buffer {
    const place = offset % this.size;
    return this.bytes.subarray(place, Math.min(place + length, this.size));
  }
}
