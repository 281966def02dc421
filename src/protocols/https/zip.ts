/**
 * ZIP written as a stream (APPNOTE 6.3.10), pure: what is sent before, after and around each file. Contents are not
 * compressed, but wrapped into blocks of Deflate that store: so their end can be found by readers that cannot seek,
 * which plain storing with a checksum behind the content does not allow.
 */
import { crc32 } from 'node:zlib';

const FOUR_GIB = 0xffffffff;
const BLOCK = 0x8000;
const FLAGS = 0x0808; // sizes and checksum follow; names are UTF-8
const DEFLATE = 8;
const STORE = 0;
/** Made by: Unix, 4.5 (ZIP64). */
const MADE_BY = 0x032d;
const LAST_BLOCK = Buffer.from([1, 0, 0, 0xff, 0xff]);

export interface ZipEntry {
  readonly name: string;
  readonly directory: boolean;
  readonly size: number;
  /** Seconds. */
  readonly modified: number;
}

interface Written {
  readonly record: Buffer;
}

export class ZipWriter {
  private readonly written: Written[] = [];
  private offset = 0;
  private open: { entry: ZipEntry; start: number; sum: number; size: number; packed: number } | null = null;

  get count(): number {
    return this.written.length;
  }

  begin(entry: ZipEntry): Buffer {
    const start = this.offset;
    const header = localHeader(entry);
    this.open = { entry, start, sum: 0, size: 0, packed: 0 };
    return this.passed(header);
  }

  content(parts: readonly Buffer[]): Buffer[] {
    const { open } = this;
    if (open === null) throw new Error('no file was begun');
    const blocks: Buffer[] = [];
    for (const part of parts) {
      open.sum = crc32(part, open.sum);
      open.size += part.length;
      for (let at = 0; at < part.length; at += BLOCK) {
        const block = part.subarray(at, at + BLOCK);
        const { length } = block;
        blocks.push(Buffer.from([0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff]), block);
        open.packed += length + 5;
        this.offset += length + 5;
      }
    }
    return blocks;
  }

  end(): Buffer {
    const { open } = this;
    if (open === null) throw new Error('no file was begun');
    this.open = null;
    const { entry, start, sum, size } = open;
    const packed = entry.directory ? 0 : open.packed + LAST_BLOCK.length;
    this.written.push({ record: centralRecord(entry, { start, sum, size, packed }) });
    if (entry.directory) return Buffer.alloc(0);
    return this.passed(Buffer.concat([LAST_BLOCK, descriptor(isLong(entry), sum, size, packed)]));
  }

  /** The directory of all files, and its end. */
  finish(): Buffer[] {
    const start = this.offset;
    const records = this.written.map(({ record }) => record);
    const length = records.reduce((sum, record) => sum + record.length, 0);
    return [...records, ending(this.written.length, length, start)];
  }

  private passed(bytes: Buffer): Buffer {
    this.offset += bytes.length;
    return bytes;
  }
}

/** Storing in blocks adds 5 bytes to each, so files near the limit count as long. */
function isLong({ size }: ZipEntry): boolean {
  return size >= FOUR_GIB - 2 ** 22;
}

function localHeader(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.name);
  const long = isLong(entry) ? zip64([0, 0]) : Buffer.alloc(0);
  const extra = Buffer.concat([long, timestamp(entry.modified)]);
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  head.writeUInt16LE(long.length > 0 ? 45 : 20, 4);
  common(head, 6, entry);
  if (long.length > 0) head.fill(0xff, 18, 26);
  head.writeUInt16LE(name.length, 26);
  head.writeUInt16LE(extra.length, 28);
  return Buffer.concat([head, name, extra]);
}

/** Flags, method and time of both headers. */
function common(head: Buffer, at: number, { directory, modified }: ZipEntry): void {
  head.writeUInt16LE(directory ? 0x0800 : FLAGS, at);
  head.writeUInt16LE(directory ? STORE : DEFLATE, at + 2);
  head.writeUInt32LE(dosTime(modified), at + 4);
}

function descriptor(long: boolean, sum: number, size: number, packed: number): Buffer {
  const bytes = Buffer.alloc(long ? 24 : 16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(sum, 4);
  if (long) {
    bytes.writeBigUInt64LE(BigInt(packed), 8);
    bytes.writeBigUInt64LE(BigInt(size), 16);
  } else {
    bytes.writeUInt32LE(packed, 8);
    bytes.writeUInt32LE(size, 12);
  }
  return bytes;
}

function centralRecord(
  entry: ZipEntry,
  { start, sum, size, packed }: { start: number; sum: number; size: number; packed: number },
): Buffer {
  const name = Buffer.from(entry.name);
  const long = isLong(entry) || start >= FOUR_GIB;
  const extra = Buffer.concat([long ? zip64([size, packed, start]) : Buffer.alloc(0), timestamp(entry.modified)]);
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  head.writeUInt16LE(MADE_BY, 4);
  head.writeUInt16LE(long ? 45 : 20, 6);
  common(head, 8, entry);
  head.writeUInt32LE(sum, 16);
  head.writeUInt32LE(long ? FOUR_GIB : packed, 20);
  head.writeUInt32LE(long ? FOUR_GIB : size, 24);
  head.writeUInt16LE(name.length, 28);
  head.writeUInt16LE(extra.length, 30);
  const mode = entry.directory ? 0o040755 : 0o100644;
  head.writeUInt32LE(((mode << 16) | (entry.directory ? 0x10 : 0)) >>> 0, 38);
  head.writeUInt32LE(long ? FOUR_GIB : start, 42);
  return Buffer.concat([head, name, extra]);
}

function zip64(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * values.length);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return bytes;
}

/** "UT": the time in UTC, which the DOS fields are not. */
function timestamp(seconds: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt16LE(0x5455, 0);
  bytes.writeUInt16LE(5, 2);
  bytes.writeUInt8(1, 4);
  bytes.writeInt32LE(Math.min(seconds, 0x7fffffff), 5);
  return bytes;
}

/** From 1980 to 2107, in steps of two seconds: date above, time below. */
function dosTime(seconds: number): number {
  const at = new Date(seconds * 1000);
  const year = at.getUTCFullYear();
  if (year < 1980) return 0x00210000;
  const date = ((Math.min(year, 2107) - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return ((date << 16) | time) >>> 0;
}

function ending(count: number, length: number, start: number): Buffer {
  const long = count >= 0xffff || length >= FOUR_GIB || start >= FOUR_GIB;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(long ? 0xffff : count, 8);
  end.writeUInt16LE(long ? 0xffff : count, 10);
  end.writeUInt32LE(long ? FOUR_GIB : length, 12);
  end.writeUInt32LE(long ? FOUR_GIB : start, 16);
  return long ? Buffer.concat([ending64(count, length, start), end]) : end;
}

function ending64(count: number, length: number, start: number): Buffer {
  const bytes = Buffer.alloc(76);
  bytes.writeUInt32LE(0x06064b50, 0);
  bytes.writeBigUInt64LE(44n, 4);
  bytes.writeUInt16LE(MADE_BY, 12);
  bytes.writeUInt16LE(45, 14);
  bytes.writeBigUInt64LE(BigInt(count), 24);
  bytes.writeBigUInt64LE(BigInt(count), 32);
  bytes.writeBigUInt64LE(BigInt(length), 40);
  bytes.writeBigUInt64LE(BigInt(start), 48);
  bytes.writeUInt32LE(0x07064b50, 56);
  bytes.writeBigUInt64LE(BigInt(start + length), 64);
  bytes.writeUInt32LE(1, 72);
  return bytes;
}
