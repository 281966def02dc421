/**
 * The first 16 bytes of every datagram, in clear and authenticated (AAD):
 *   u8 version << 4 | kind, u8 flags, u48 packet number, 8 bytes connection id
 * The fields are read one by one from the buffer they came in: 100,000 times a second an object would cost more than the field.
 */
import { CONNECTION_ID_LENGTH, DATAGRAM_MAX, FEEDBACK_EXPONENT_MAX, OVERHEAD, U48_MAX } from './sizes.ts';

export const WIRE_VERSION = 1;

export const KIND = {
  data: 1,
  feedback: 2,
  challenge: 3,
  response: 4,
  probe: 5,
  paused: 6,
  close: 7,
  keepalive: 8,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

const KIND_LAST = KIND.keepalive;

/** data: the bytes end where the stream ends. */
export const FLAG_END = 0x10;
/** data: how often feedback is wanted, as an exponent. */
export const FLAG_FEEDBACK_MASK = 0x0f;

/** Flags a kind may carry; others must be zero, so that they can mean something later. */
const FLAGS_ALLOWED: readonly number[] = [
  0,
  FLAG_END | FLAG_FEEDBACK_MASK,
  0,
  0,
  0,
  FLAG_FEEDBACK_MASK,
  FLAG_FEEDBACK_MASK,
  0,
  0,
];

export function writeHeader(into: Buffer, kind: Kind, flags: number, packetNumber: number, connectionId: Buffer): void {
  into[0] = (WIRE_VERSION << 4) | kind;
  into[1] = flags;
  writeU48(into, packetNumber, 2);
  connectionId.copy(into, 8, 0, CONNECTION_ID_LENGTH);
}

/** The kind of what could be a datagram of ours by its length and first bytes; 0 for anything else. Nothing is authenticated yet. */
export function kindOf(datagram: Buffer, length: number): Kind | 0 {
  if (length < OVERHEAD || length > DATAGRAM_MAX || length > datagram.length) return 0;
  const first = datagram[0] as number;
  const kind = first & 0x0f;
  if (first >> 4 !== WIRE_VERSION || kind === 0 || kind > KIND_LAST) return 0;
  const flags = datagram[1] as number;
  if ((flags & ~(FLAGS_ALLOWED[kind] as number)) !== 0) return 0;
  if ((flags & FLAG_FEEDBACK_MASK) > FEEDBACK_EXPONENT_MAX) return 0;
  return kind as Kind;
}

export function flagsOf(datagram: Buffer): number {
  return datagram[1] as number;
}

export function packetNumberOf(datagram: Buffer): number {
  return readU48(datagram, 2);
}

export function isOfConnection(datagram: Buffer, connectionId: Buffer): boolean {
  return (
    datagram.readInt32BE(8) === connectionId.readInt32BE(0) && datagram.readInt32BE(12) === connectionId.readInt32BE(4)
  );
}

export function readU48(from: Buffer, at: number): number {
  return from.readUInt16BE(at) * 0x1_0000_0000 + from.readUInt32BE(at + 2);
}

export function writeU48(into: Buffer, value: number, at: number): void {
  if (value > U48_MAX) throw new RangeError('a number of a datagram has more than 48 bits');
  into.writeUInt16BE(Math.floor(value / 0x1_0000_0000), at);
  into.writeUInt32BE(value >>> 0, at + 2);
}
