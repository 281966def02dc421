/**
 * The types that a field of a ledger entry may have: how each is written to bytes and read back. One value has exactly
 * one form (no padding, no optional lengths, keys of objects sorted), so that whoever holds an entry's meaning can make
 * its bytes again. Integers are big-endian. Reading checks every bound before it touches a byte.
 */
import { WaybillError } from '../../base/errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
/** Offset and length in bytes. */
export type ByteRange = readonly [offset: number, length: number];

/** What a value of each type is in TypeScript. */
export interface FieldValues {
  /** 16 bytes, as 32 hexadecimal digits. Null is 16 zero bytes. */
  readonly id: string | null;
  /** 32 bytes, as 64 hexadecimal digits. */
  readonly hash: string;
  readonly flag: boolean;
  readonly u32: number;
  /** At most 2^53 - 1. */
  readonly u64: number;
  /** UTF-8, at most 4,096 bytes. */
  readonly text: string;
  readonly texts: readonly string[];
  readonly ranges: readonly ByteRange[];
  /** An object; at most 32 KiB as canonical JSON. */
  readonly json: { readonly [key: string]: Json };
}
export type FieldType = keyof FieldValues;

export const TEXT_BYTES = 4096;
export const JSON_BYTES = 32 * 1024;
export const LIST_LENGTH = 1024;

function broken(what: string): WaybillError {
  return new WaybillError('ledger-entry-invalid', `a ledger entry is malformed: ${what}`);
}

/** Grows as needed; one per encoder, used again for each entry. */
export class EntryWriter {
  private buffer = Buffer.allocUnsafe(1024);
  private length = 0;

  start(): void {
    this.length = 0;
  }

  finish(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.length));
  }

  take(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.length, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    return at;
  }

  u8(value: number): void {
    const at = this.take(1);
    this.buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.take(2);
    this.buffer.writeUInt16BE(value, at);
  }

  u32(value: number): void {
    const at = this.take(4);
    this.buffer.writeUInt32BE(value, at);
  }

  u64(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw broken(`${value} is not an integer from 0 to 2^53 - 1`);
    const at = this.take(8);
    this.buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at);
    this.buffer.writeUInt32BE(value >>> 0, at + 4);
  }

  hex(value: string, bytes: number): void {
    const at = this.take(bytes);
    if (value.length !== bytes * 2 || this.buffer.write(value, at, 'hex') !== bytes || /[A-F]/.test(value))
      throw broken(`an identifier of ${bytes} bytes is not lower-case hexadecimal`);
  }

  zeros(count: number): void {
    const at = this.take(count);
    this.buffer.fill(0, at, at + count);
  }

  text(value: string, max: number): void {
    // Three bytes a UTF-16 unit at most; the room that is left over is given back.
    const at = this.take(2 + value.length * 3);
    const written = this.buffer.write(value, at + 2, 'utf8');
    if (written > max) throw broken(`a text of ${written} bytes, at most ${max} are allowed`);
    this.buffer.writeUInt16BE(written, at);
    this.length = at + 2 + written;
  }
}

export class EntryReader {
  private readonly bytes: Buffer;
  private at: number;
  private readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.end = end;
  }

  private take(count: number): number {
    const { at } = this;
    if (count > this.end - at) throw broken(`it ends ${count - (this.end - at)} bytes too early`);
    this.at = at + count;
    return at;
  }

  finish(): void {
    if (this.at !== this.end) throw broken(`${this.end - this.at} bytes stand after its end`);
  }

  u8(): number {
    return this.bytes.readUInt8(this.take(1));
  }

  u16(): number {
    return this.bytes.readUInt16BE(this.take(2));
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.take(4));
  }

  u64(): number {
    const at = this.take(8);
    const value = this.bytes.readUInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
    if (!Number.isSafeInteger(value)) throw broken('an integer is 2^53 or more');
    return value;
  }

  hex(count: number): string {
    const at = this.take(count);
    return this.bytes.toString('hex', at, at + count);
  }

  text(max: number): string {
    const length = this.u16();
    if (length > max) throw broken(`a text of ${length} bytes, at most ${max} are allowed`);
    const at = this.take(length);
    const value = this.bytes.toString('utf8', at, at + length);
    // A replaced sequence would not give the same bytes again.
    if (value.includes('\ufffd') && !Buffer.from(value).equals(this.bytes.subarray(at, at + length)))
      throw broken('a text is not UTF-8');
    return value;
  }
}

const NO_ID = '0'.repeat(32);

function checkedList<T>(list: readonly T[]): readonly T[] {
  if (list.length > LIST_LENGTH) throw broken(`a list of ${list.length}, at most ${LIST_LENGTH} are allowed`);
  return list;
}

function repeat<T>(reader: EntryReader, read: () => T): T[] {
  const count = reader.u16();
  if (count > LIST_LENGTH) throw broken(`a list of ${count}, at most ${LIST_LENGTH} are allowed`);
  return Array.from({ length: count }, read);
}

/** JSON with the keys of every object in the order of their UTF-16 units, and no spaces (RFC 8785 for what we put in). */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((one: Json) => canonicalJson(one)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as { readonly [key: string]: Json };
  const members = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] ?? null)}`);
  return `{${members.join(',')}}`;
}

function readJson(reader: EntryReader): FieldValues['json'] {
  const text = reader.text(JSON_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken('its details are not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw broken('its details are no object');
  if (canonicalJson(value as Json) !== text) throw broken('its details are not in their canonical form');
  return value as FieldValues['json'];
}

interface FieldCodec<T> {
  write(writer: EntryWriter, value: T): void;
  read(reader: EntryReader): T;
}

export const FIELD_CODECS: { readonly [T in FieldType]: FieldCodec<FieldValues[T]> } = {
  id: {
    write: (writer, value) => {
      if (value === null) writer.zeros(16);
      else writer.hex(value, 16);
    },
    read: (reader) => {
      const value = reader.hex(16);
      return value === NO_ID ? null : value;
    },
  },
  hash: {
    write: (writer, value) => {
      writer.hex(value, 32);
    },
    read: (reader) => reader.hex(32),
  },
  flag: {
    write: (writer, value) => {
      writer.u8(value ? 1 : 0);
    },
    read: (reader) => {
      const value = reader.u8();
      if (value > 1) throw broken('a flag is neither 0 nor 1');
      return value === 1;
    },
  },
  u32: {
    write: (writer, value) => {
      if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
        throw broken(`${value} is not an integer of 32 bits`);
      writer.u32(value);
    },
    read: (reader) => reader.u32(),
  },
  u64: {
    write: (writer, value) => {
      writer.u64(value);
    },
    read: (reader) => reader.u64(),
  },
  text: {
    write: (writer, value) => {
      writer.text(value, TEXT_BYTES);
    },
    read: (reader) => reader.text(TEXT_BYTES),
  },
  texts: {
    write: (writer, value) => {
      writer.u16(checkedList(value).length);
      for (const one of value) writer.text(one, TEXT_BYTES);
    },
    read: (reader) => repeat(reader, () => reader.text(TEXT_BYTES)),
  },
  ranges: {
    write: (writer, value) => {
      writer.u16(checkedList(value).length);
      for (const [offset, length] of value) {
        writer.u64(offset);
        writer.u64(length);
      }
    },
    read: (reader) => repeat(reader, () => [reader.u64(), reader.u64()] as const),
  },
  json: {
    write: (writer, value) => {
      writer.text(canonicalJson(value), JSON_BYTES);
    },
    read: readJson,
  },
};
