/**
 * What a packet's protection must offer (RFC 4253 section 6), and the framing that all of them share. A sealer and an
 * opener live from one NEWKEYS to the next.
 */
import { randomBytes } from 'node:crypto';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';

export interface PacketSealer {
  /** Pushes the packet's wire bytes on `out`; returns how many they are. Large parts are not copied on the way. */
  seal(sequence: number, parts: readonly Buffer[], out: Buffer[]): number;
}

export interface PacketOpener {
  /** As many bytes as it takes to learn the packet's length. */
  readonly headerBytes: number;
  /** Bytes of tag or MAC after the packet. */
  readonly tagBytes: number;
  readonly blockBytes: number;
  /** Whether the length field counts for the alignment (RFC 4253 section 6; not with AEAD and encrypt-then-MAC). */
  readonly lengthAligned: boolean;
  /** The packet_length field as it stands; called exactly once per packet, and not yet to be trusted. */
  packetLength(sequence: number, header: Buffer): number;
  /** The payload of a whole packet (`wire` starts with the length field and ends with the tag), once it is authentic. */
  open(sequence: number, wire: Buffer): Buffer;
}

/** The one answer to every packet that is not authentic: what exactly was wrong is not told. */
export function notAuthentic(): ProtocolViolation {
  return new ProtocolViolation('packet is not authentic', DISCONNECT.MAC_ERROR);
}

/**
 * RFC 4253 section 6 wants random padding. Its bytes are always encrypted and authenticated here, so that their value
 * tells nothing; one random block per process saves a call to the random generator for each packet.
 */
const PADDING = randomBytes(64);
/** Parts below this are joined with their neighbours: a crypto call costs more than copying so little. */
const SMALL_PART = 2048;

/**
 * packet_length || padding_length || payload || padding as pieces to be encrypted in order; the first holds the
 * length field in its first four bytes.
 */
export function frame(parts: readonly Buffer[], blockBytes: number, lengthAligned: boolean): Buffer[] {
  let payload = 0;
  for (const part of parts) payload += part.length;
  const covered = payload + (lengthAligned ? 5 : 1);
  let padding = blockBytes - (covered % blockBytes);
  if (padding < 4) padding += blockBytes;

  const head = Buffer.allocUnsafe(5);
  head.writeUInt32BE(1 + payload + padding, 0);
  head[4] = padding;
  const pieces: Buffer[] = [];
  let run: Buffer[] = [head];
  for (const part of parts) {
    if (part.length < SMALL_PART) {
      run.push(part);
      continue;
    }
    if (run.length > 0) pieces.push(run.length === 1 ? (run[0] as Buffer) : Buffer.concat(run));
    pieces.push(part);
    run = [];
  }
  run.push(PADDING.subarray(0, padding));
  pieces.push(run.length === 1 ? (run[0] as Buffer) : Buffer.concat(run));
  return pieces;
}

/** The payload out of padding_length || payload || padding. */
export function unframe(plain: Buffer): Buffer {
  const padding = plain[0] as number;
  if (padding < 4 || padding > plain.length - 2) throw new ProtocolViolation('bad padding or empty payload');
  return plain.subarray(1, plain.length - padding);
}

/** Before the first NEWKEYS: nothing is protected. */
export class PlainSealer implements PacketSealer {
  seal(_sequence: number, parts: readonly Buffer[], out: Buffer[]): number {
    let bytes = 0;
    for (const piece of frame(parts, 8, true)) {
      out.push(piece);
      bytes += piece.length;
    }
    return bytes;
  }
}

export class PlainOpener implements PacketOpener {
  readonly headerBytes = 4;
  readonly tagBytes = 0;
  readonly blockBytes = 8;
  readonly lengthAligned = true;

  packetLength(_sequence: number, header: Buffer): number {
    return header.readUInt32BE(0);
  }

  open(_sequence: number, wire: Buffer): Buffer {
    return unframe(wire.subarray(4));
  }
}
