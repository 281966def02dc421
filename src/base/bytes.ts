/**
 * Bounded reading and writing of the length-prefixed binary forms of RFC 4251 section 5, shared by the SSH and
 * SFTP parsers and by SSH key formats. Every read checks its bound before it touches a byte, and a
 * length is compared with what is really there before anything is allocated for it.
 */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes';
}

export class ByteReader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  private take(count: number): number {
    if (count > this.end - this.position)
      throw new MalformedBytes(`wanted ${count} bytes, ${this.end - this.position} left`);
    const at = this.position;
    this.position = at + count;
    return at;
  }

  u8(): number {
    return this.buffer.readUInt8(this.take(1));
  }

  boolean(): boolean {
    return this.u8() !== 0;
  }

  u32(): number {
    return this.buffer.readUInt32BE(this.take(4));
  }

  u64(): bigint {
    return this.buffer.readBigUInt64BE(this.take(8));
  }

  /** `count` bytes as a view on the same memory. */
  bytes(count: number): Buffer {
    const at = this.take(count);
    return this.buffer.subarray(at, at + count);
  }

  /** An RFC 4251 `string` as a view on the same memory; longer than `max` is malformed. */
  string(max = 0xffffffff): Buffer {
    const length = this.u32();
    if (length > max) throw new MalformedBytes(`string of ${length} bytes, at most ${max} allowed`);
    return this.bytes(length);
  }

  /** A `string` that must be printable US-ASCII (algorithm names, method names). */
  ascii(max = 255): string {
    const raw = this.string(max);
    for (const byte of raw) if (byte < 0x20 || byte > 0x7e) throw new MalformedBytes('not printable ASCII');
    return raw.toString('latin1');
  }

  /** A `string` that must be valid UTF-8. */
  utf8(max = 0xffff): string {
    const raw = this.string(max);
    try {
      return utf8.decode(raw);
    } catch (cause) {
      throw new MalformedBytes('not valid UTF-8', { cause });
    }
  }

  nameList(max = 8192): string[] {
    const text = this.ascii(max);
    return text === '' ? [] : text.split(',');
  }

  /** An RFC 4251 `mpint` that must not be negative; returns its magnitude without leading zeros. */
  mpint(max = 2048): Buffer {
    const raw = this.string(max);
    const first = raw[0];
    if (first !== undefined && first & 0x80) throw new MalformedBytes('negative mpint');
    let skip = 0;
    while (skip < raw.length && raw[skip] === 0) skip++;
    return raw.subarray(skip);
  }

  rest(): Buffer {
    return this.bytes(this.remaining);
  }

  /** Trailing bytes are an error wherever the format has a fixed end. */
  done(): void {
    if (this.remaining !== 0) throw new MalformedBytes(`${this.remaining} bytes too many`);
  }
}

// fatal: a replacement character would let two different names look the same.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Collects parts and joins them once; a part is not copied until `finish`. */
export class ByteWriter {
  private readonly parts: Buffer[] = [];
  length = 0;

  raw(bytes: Uint8Array): this {
    const part = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.parts.push(part);
    this.length += part.length;
    return this;
  }

  u8(value: number): this {
    return this.raw(Buffer.of(value));
  }

  boolean(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  u32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeUInt32BE(value);
    return this.raw(part);
  }

  u64(value: bigint): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigUInt64BE(value);
    return this.raw(part);
  }

  string(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return this.u32(bytes.length).raw(bytes);
  }

  nameList(names: readonly string[]): this {
    return this.string(names.join(','));
  }

  /** A non-negative integer given as big-endian magnitude. */
  mpint(magnitude: Uint8Array): this {
    let skip = 0;
    while (skip < magnitude.length && magnitude[skip] === 0) skip++;
    const bare = magnitude.subarray(skip);
    const first = bare[0];
    if (first !== undefined && first & 0x80)
      return this.u32(bare.length + 1)
        .u8(0)
        .raw(bare);
    return this.string(bare);
  }

  finish(): Buffer {
    return this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts, this.length);
  }
}
