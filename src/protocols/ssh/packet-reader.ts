/**
 * Cuts the stream of bytes into packets (RFC 4253 section 6). Pure: chunks in, payloads out. A packet that lies whole in
 * one chunk is opened where it lies; one that does not is copied once into a buffer of its own size. That size is
 * allocated only after the length has passed its bound, and between packets nothing is kept.
 */
import { ProtocolViolation } from './disconnect-reasons.ts';
import { PlainOpener, type PacketOpener } from './packet-cipher.ts';

/** RFC 4253 section 6.1: what everybody must take; enough for all that comes before the sign-in. */
export const PACKET_MAX_BEFORE_SIGN_IN = 35_000;
/** A 256 KiB channel packet with its headers and padding. */
export const PACKET_MAX = 300_000;

const NONE = Buffer.alloc(0);

export class PacketReader {
  opener: PacketOpener = new PlainOpener();
  maxLength = PACKET_MAX_BEFORE_SIGN_IN;
  /** Of the packet that `next` gives next. */
  sequence = 0;
  /** Since the last change of keys. */
  bytes = 0;
  packets = 0;

  private chunk: Buffer = NONE;
  private offset = 0;
  /** Start of a packet that is spread over chunks, and how much of it is there. */
  private partial: Buffer | null = null;
  private filled = 0;
  /** Whole size of the packet in hand, once its header was read. */
  private total = 0;

  feed(chunk: Buffer): void {
    const left = this.chunk.length - this.offset;
    this.chunk = left === 0 ? chunk : Buffer.concat([this.chunk.subarray(this.offset), chunk]);
    this.offset = 0;
  }

  /** The next payload, or null until more is fed. The payload is a view that the next call may invalidate. */
  next(): Buffer | null {
    if (this.total === 0) {
      const header = this.contiguous(this.opener.headerBytes);
      if (header === null) return null;
      this.total = this.totalFrom(header.subarray(0, this.opener.headerBytes));
    }
    const wire = this.contiguous(this.total);
    if (wire === null) return null;
    if (this.partial === null) this.offset += this.total;
    this.partial = null;
    this.bytes += this.total;
    this.packets += 1;
    this.total = 0;
    const payload = this.opener.open(this.sequence, wire);
    this.sequence = (this.sequence + 1) >>> 0;
    return payload;
  }

  changeKeys(opener: PacketOpener, resetSequence: boolean): void {
    this.opener = opener;
    this.bytes = 0;
    this.packets = 0;
    if (resetSequence) this.sequence = 0;
  }

  private totalFrom(header: Buffer): number {
    const { blockBytes, lengthAligned, tagBytes } = this.opener;
    const length = this.opener.packetLength(this.sequence, header);
    const aligned = (length + (lengthAligned ? 4 : 0)) % blockBytes === 0;
    // padding_length, a message number, four bytes of padding at least
    if (length < 6 || length > this.maxLength || !aligned) throw new ProtocolViolation('bad packet length');
    return 4 + length + tagBytes;
  }

  /** The first `count` bytes of the packet in hand in one piece, or null when they are not all there yet. */
  private contiguous(count: number): Buffer | null {
    const available = this.chunk.length - this.offset;
    if (this.partial === null) {
      if (available >= count) return this.chunk.subarray(this.offset, this.offset + count);
      if (available === 0) return this.release();
      this.partial = Buffer.allocUnsafeSlow(count);
      this.filled = 0;
    } else if (this.partial.length < count) {
      const grown = Buffer.allocUnsafeSlow(count);
      this.partial.copy(grown, 0, 0, this.filled);
      this.partial = grown;
    }
    const taken = Math.min(available, count - this.filled);
    if (taken > 0) {
      this.chunk.copy(this.partial, this.filled, this.offset, this.offset + taken);
      this.offset += taken;
      this.filled += taken;
    }
    return this.filled >= count ? this.partial : this.release();
  }

  /** Everything fed is used: let the chunk's memory go. */
  private release(): null {
    this.chunk = NONE;
    this.offset = 0;
    return null;
  }
}
