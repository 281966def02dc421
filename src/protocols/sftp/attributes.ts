/** Section 5 of the draft: file attributes, and the `ls -l` line that version 3 puts beside each name. */
import type { ByteReader } from '../../base/bytes.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Attributes } from '../../broker/calls.ts';
import { ATTR } from './wire.ts';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const FLAGS = ATTR.SIZE | ATTR.UIDGID | ATTR.PERMISSIONS | ATTR.ACMODTIME;
export const ATTRIBUTES_BYTES = 4 + 8 + 4 + 4 + 4 + 4 + 4;

/**
 * A file belongs to its tenant, not to a user of some machine. One constant that is not 0, so that clients do not show
 * the files as root's; users-groups-by-id@openssh.com gives it a name.
 */
export const OWNER_ID = 1000;

export function modeOf(attributes: Attributes): number {
  return (attributes.kind === 'directory' ? S_IFDIR : S_IFREG) | (attributes.permissions & 0o7777);
}

/** Writes ATTRIBUTES_BYTES at `at`; returns the position after them. */
export function putAttributes(target: Buffer, at: number, attributes: Attributes): number {
  at = target.writeUInt32BE(FLAGS, at);
  at = putSize(target, at, attributes.size);
  at = target.writeUInt32BE(OWNER_ID, at);
  at = target.writeUInt32BE(OWNER_ID, at);
  at = target.writeUInt32BE(modeOf(attributes), at);
  at = target.writeUInt32BE(attributes.atime, at);
  return target.writeUInt32BE(attributes.mtime, at);
}

/** A u64 without a BigInt. */
export function putSize(target: Buffer, at: number, size: number): number {
  at = target.writeUInt32BE(Math.floor(size / 2 ** 32), at);
  return target.writeUInt32BE(size % 2 ** 32, at);
}

/** A u64 offset or length; above 2^53-1 it is `offset-invalid`, because no file can reach there. */
export function readSize(reader: ByteReader): number {
  const value = reader.u32() * 2 ** 32 + reader.u32();
  if (value > Number.MAX_SAFE_INTEGER)
    throw new WaybillError('offset-invalid', 'an offset or size above 2^53-1 was asked for');
  return value;
}

/** What a client may ask to set. Owner and permissions are parsed for their bounds and then ignored: grants decide. */
export interface WantedAttributes {
  readonly size: number | null;
  readonly times: { readonly atime: number; readonly mtime: number } | null;
}

export function readAttributes(reader: ByteReader): WantedAttributes {
  const flags = reader.u32();
  const size = flags & ATTR.SIZE ? readSize(reader) : null;
  if (flags & ATTR.UIDGID) reader.bytes(8);
  if (flags & ATTR.PERMISSIONS) reader.bytes(4);
  const times = flags & ATTR.ACMODTIME ? { atime: reader.u32(), mtime: reader.u32() } : null;
  if (flags & ATTR.EXTENDED) skipExtended(reader);
  return { size, times };
}

function skipExtended(reader: ByteReader): void {
  // A count that the packet cannot hold ends as malformed when its bytes are used up.
  for (let left = reader.u32(); left > 0; left--) {
    reader.string();
    reader.string();
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const HALF_A_YEAR = 182 * 86400;

/** The line that clients show for `ls -l`. Times are UTC: the server does not know the client's zone. */
export function longName(name: string, attributes: Attributes, owner: string, now: number): string {
  const column = owner.padEnd(8);
  const size = String(attributes.size).padStart(12);
  return `${modeText(attributes)}    1 ${column} ${column} ${size} ${timeText(attributes.mtime, now)} ${name}`;
}

/** Columns are separated by spaces, so a column may hold none. */
export function ownerColumn(tenant: string): string {
  return tenant.replace(/[\s\p{Cc}]+/gu, '_') || 'tenant';
}

function modeText(attributes: Attributes): string {
  let text = attributes.kind === 'directory' ? 'd' : '-';
  for (let bit = 8; bit >= 0; bit--) text += attributes.permissions & (1 << bit) ? 'xwr'.charAt(bit % 3) : '-';
  return text;
}

function timeText(seconds: number, now: number): string {
  const date = new Date(seconds * 1000);
  const day = `${MONTHS[date.getUTCMonth()] ?? ''} ${String(date.getUTCDate()).padStart(2)}`;
  const recent = seconds <= now + 86400 && seconds > now - HALF_A_YEAR;
  if (!recent) return `${day}  ${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
