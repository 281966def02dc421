/**
 * Received bytes that have not been taken yet. Large chunks stay as they came, so that what a WRITE carries reaches the
 * file without a copy; small ones are gathered in blocks, so that a peer that sends single bytes costs as much
 * memory as it sends and no more, and taking stays linear.
 */
const GATHER_BELOW = 4096;
const BLOCK = 16 * 1024;

export class PacketQueue {
  private chunks: Buffer[] = [];
  /** Index of the first chunk with bytes, and the first byte in it: shifting an array or a view per packet is slow. */
  private index = 0;
  private start = 0;
  private block: Buffer | null = null;
  private blockUsed = 0;
  /** Whether the last chunk is the filled end of the block, so that it can grow with it. */
  private gathering = false;
  length = 0;

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.length += chunk.length;
    if (chunk.length >= GATHER_BELOW) {
      this.gathering = false;
      this.chunks.push(chunk);
      return;
    }
    for (let from = 0; from < chunk.length;) from += this.gather(chunk, from);
  }

  private gather(chunk: Buffer, from: number): number {
    if (this.block === null || this.blockUsed === this.block.length) {
      this.block = Buffer.allocUnsafeSlow(BLOCK);
      this.blockUsed = 0;
      this.gathering = false;
    }
    const last = this.chunks.length - 1;
    const begin = this.gathering ? this.blockUsed - (this.chunks[last] as Buffer).length : this.blockUsed;
    const count = chunk.copy(this.block, this.blockUsed, from);
    this.blockUsed += count;
    const filled = this.block.subarray(begin, this.blockUsed);
    if (this.gathering) this.chunks[last] = filled;
    else this.chunks.push(filled);
    this.gathering = true;
    return count;
  }

  /** The byte `offset` after the front; it must be there. */
  peek(offset: number): number {
    let index = this.index;
    let at = this.start + offset;
    let chunk = this.chunks[index] as Buffer;
    while (at >= chunk.length) {
      at -= chunk.length;
      chunk = this.chunks[++index] as Buffer;
    }
    return chunk[at] as number;
  }

  /** The u32 at the front; it must be there. */
  peekU32(): number {
    const first = this.chunks[this.index] as Buffer;
    if (first.length - this.start >= 4) return first.readUInt32BE(this.start);
    return ((this.peek(0) << 24) | (this.peek(1) << 16) | (this.peek(2) << 8) | this.peek(3)) >>> 0;
  }

  /** `count` bytes in one piece: a view if they lie in one chunk, otherwise a copy. They must be there. */
  take(count: number): Buffer {
    const first = this.chunks[this.index];
    if (first !== undefined && first.length - this.start >= count) return this.view(first, count);
    const parts = this.takeParts(count);
    return Buffer.concat(parts, count);
  }

  /** `count` bytes as views. They must be there. */
  takeParts(count: number): Buffer[] {
    const parts: Buffer[] = [];
    while (count > 0) {
      const first = this.chunks[this.index] as Buffer;
      const part = this.view(first, Math.min(count, first.length - this.start));
      if (part.length > 0) parts.push(part);
      count -= part.length;
    }
    return parts;
  }

  private view(first: Buffer, count: number): Buffer {
    const part = first.subarray(this.start, this.start + count);
    this.start += count;
    this.length -= count;
    if (this.start === first.length) this.next();
    return part;
  }

  private next(): void {
    this.index++;
    this.start = 0;
    if (this.index === this.chunks.length) {
      this.chunks = [];
      this.index = 0;
      this.gathering = false;
    } else if (this.index >= 64) {
      this.chunks = this.chunks.slice(this.index);
      this.index = 0;
    }
  }

  clear(): void {
    this.chunks = [];
    this.index = this.start = this.length = 0;
    this.block = null;
    this.gathering = false;
  }
}
