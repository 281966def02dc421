/**
 * The memory that foreign code is given addresses of: one block, at a place that is asked for once. So a thread can give the
 * permission to use FFI up when it has opened what it needs, and no address is ever made of anything but this block.
 */
import { getRawPointer } from 'node:ffi';

const ALIGNMENT = 16;

export class Arena {
  private readonly memory: ArrayBuffer;
  private readonly base: bigint;
  private used = 0;

  /** Throws where node:ffi may not be used. */
  constructor(bytes: number) {
    this.memory = new ArrayBuffer(bytes);
    this.base = getRawPointer(this.memory);
  }

  /** Zeros, for as long as the arena lives. */
  take(bytes: number): Buffer {
    const start = Math.ceil(this.used / ALIGNMENT) * ALIGNMENT;
    if (start + bytes > this.memory.byteLength) throw new RangeError('the arena is used up');
    this.used = start + bytes;
    return Buffer.from(this.memory, start, bytes);
  }

  has(buffer: Buffer): boolean {
    return buffer.buffer === this.memory;
  }

  addressOf(buffer: Buffer): bigint {
    if (!this.has(buffer)) throw new RangeError('an address was asked for of memory outside the arena');
    return this.base + BigInt(buffer.byteOffset);
  }
}
