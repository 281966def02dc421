/**
 * Entries straight from binary parts, for ledgers of a hundred million: the same bytes as encodeEntry (a test compares),
 * without a string in between.
 */
import { ENTRY_VERSION } from '../src/ledger/core/entry.ts';
import { KINDS } from '../src/ledger/core/kinds.ts';
import type { KindName } from '../src/ledger/core/kinds.ts';

export class FastEncoder {
  private readonly buffer = Buffer.allocUnsafe(16 * 1024);
  private at = 0;

  start(kind: KindName, time: number): this {
    this.buffer[0] = ENTRY_VERSION;
    this.buffer[1] = KINDS[kind].number;
    this.at = 2;
    return this.u64(time);
  }

  id(bytes: Uint8Array): this {
    this.buffer.set(bytes, this.at);
    this.at += 16;
    return this;
  }

  u8(value: number): this {
    this.buffer[this.at++] = value;
    return this;
  }

  u16(value: number): this {
    this.at = this.buffer.writeUInt16BE(value, this.at);
    return this;
  }

  u32(value: number): this {
    this.at = this.buffer.writeUInt32BE(value, this.at);
    return this;
  }

  u64(value: number): this {
    this.buffer.writeUInt32BE(Math.floor(value / 2 ** 32), this.at);
    this.at = this.buffer.writeUInt32BE(value >>> 0, this.at + 4);
    return this;
  }

  text(bytes: Uint8Array): this {
    this.u16(bytes.length);
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }

  /** Valid until the next start. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.at);
  }
}
