/**
 * The small datagrams.
 *   challenge, response: 8 bytes, then zeros up to any size
 *   probe, keepalive: zeros
 *   paused: u8 cause, u48 released, u8 length, reference (printable ASCII). Bytes below `released` still come; one at or
 *     above it says that it goes on
 *   close: u16 reason, u8 length, text (printable ASCII)
 */
import { readU48, writeU48 } from './header.ts';
import { CHALLENGE_LENGTH, CLOSE_TEXT_MAX, HEADER_LENGTH, REFERENCE_MAX, TAG_LENGTH } from './sizes.ts';

export const PAUSE_CAUSES = { held: 1, source: 2 } as const;
export type PauseCause = keyof typeof PAUSE_CAUSES;

/** Why a connection ends. The numbers are the wire's; the names are for people and logs. */
export const CLOSE_REASONS = {
  complete: 0,
  cancelled: 1,
  'feedback-lies': 2,
  'limit-exceeded': 3,
  malformed: 4,
  'session-ended': 5,
  refused: 6,
  'disk-full': 7,
  internal: 8,
  'circuit-breaker': 9,
  silence: 10,
} as const;
export type CloseReason = keyof typeof CLOSE_REASONS;

export interface Paused {
  readonly cause: PauseCause;
  readonly reference: string;
}

export interface PausedFields extends Paused {
  readonly released: number;
}

export interface Close {
  readonly reason: CloseReason;
  readonly text: string;
}

/** Zeros up to `length` (of the whole datagram); returns where the body ends. */
export function writeZeros(into: Buffer, from: number, length: number): number {
  const end = Math.max(from, length - TAG_LENGTH);
  into.fill(0, from, end);
  return end;
}

export function isZeros(datagram: Buffer, from: number, length: number): boolean {
  for (let at = from; at < length - TAG_LENGTH; at++) if (datagram[at] !== 0) return false;
  return true;
}

export function writeChallenge(into: Buffer, value: Buffer, length: number): number {
  value.copy(into, HEADER_LENGTH, 0, CHALLENGE_LENGTH);
  return writeZeros(into, HEADER_LENGTH + CHALLENGE_LENGTH, length);
}

/** A view on the 8 bytes; null when the body is none. */
export function readChallenge(datagram: Buffer, length: number): Buffer | null {
  const end = HEADER_LENGTH + CHALLENGE_LENGTH;
  if (length - TAG_LENGTH < end || !isZeros(datagram, end, length)) return null;
  return datagram.subarray(HEADER_LENGTH, end);
}

export function writePaused(into: Buffer, paused: PausedFields): number {
  into[HEADER_LENGTH] = PAUSE_CAUSES[paused.cause];
  writeU48(into, paused.released, HEADER_LENGTH + 1);
  return writeText(into, HEADER_LENGTH + 7, paused.reference, REFERENCE_MAX);
}

export function readPaused(datagram: Buffer, length: number): PausedFields | null {
  if (length - TAG_LENGTH < HEADER_LENGTH + 8) return null;
  const cause = nameOf(PAUSE_CAUSES, datagram[HEADER_LENGTH] as number);
  const reference = readText(datagram, HEADER_LENGTH + 7, length, REFERENCE_MAX);
  if (cause === null || reference === null) return null;
  return { cause, released: readU48(datagram, HEADER_LENGTH + 1), reference };
}

export function writeClose(into: Buffer, close: Close): number {
  into.writeUInt16BE(CLOSE_REASONS[close.reason], HEADER_LENGTH);
  return writeText(into, HEADER_LENGTH + 2, close.text, CLOSE_TEXT_MAX);
}

export function readClose(datagram: Buffer, length: number): Close | null {
  if (length - TAG_LENGTH < HEADER_LENGTH + 3) return null;
  const reason = nameOf(CLOSE_REASONS, datagram.readUInt16BE(HEADER_LENGTH));
  const text = readText(datagram, HEADER_LENGTH + 2, length, CLOSE_TEXT_MAX);
  return reason === null || text === null ? null : { reason, text };
}

function writeText(into: Buffer, at: number, text: string, most: number): number {
  const plain = text.replace(/[^\x20-\x7e]/g, '?').slice(0, most);
  into[at] = plain.length;
  return at + 1 + into.write(plain, at + 1, 'latin1');
}

function readText(datagram: Buffer, at: number, length: number, most: number): string | null {
  const size = datagram[at] as number;
  if (size > most || at + 1 + size !== length - TAG_LENGTH) return null;
  const text = datagram.toString('latin1', at + 1, at + 1 + size);
  return /^[\x20-\x7e]*$/.test(text) ? text : null;
}

function nameOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | null {
  for (const name of Object.keys(table) as Name[]) if (table[name] === value) return name;
  return null;
}
