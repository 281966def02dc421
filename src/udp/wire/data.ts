/**
 * data: u48 offset in the stream, u16 undecided, then the bytes.
 * Everything below (packet number - 64 x undecided) is decided for the sender; what the receiver remembers of it can go.
 */
import { FLAG_END, flagsOf, readU48, writeU48 } from './header.ts';
import { DATA_PREFIX, HEADER_LENGTH, TAG_LENGTH, U48_MAX, UNDECIDED_MAX, UNDECIDED_UNIT } from './sizes.ts';

const AT_UNDECIDED = HEADER_LENGTH + 6;
/** Where the bytes of the stream begin in a datagram of data. */
export const DATA_AT = HEADER_LENGTH + DATA_PREFIX;

/** The body's prefix; `decidedBelow` is the lowest packet number that is not yet decided. */
export function writeData(into: Buffer, offset: number, packetNumber: number, decidedBelow: number): void {
  writeU48(into, offset, HEADER_LENGTH);
  const distance = Math.ceil((packetNumber - decidedBelow) / UNDECIDED_UNIT);
  into.writeUInt16BE(Math.min(distance, UNDECIDED_MAX), AT_UNDECIDED);
}

export interface DataFields {
  offset: number;
  decidedBelow: number;
  length: number;
  end: boolean;
}

export function emptyDataFields(): DataFields {
  return { offset: 0, decidedBelow: 0, length: 0, end: false };
}

/** Reads an opened datagram of data into `fields`; false when its body is not one. */
export function readData(datagram: Buffer, length: number, packetNumber: number, fields: DataFields): boolean {
  const bytes = length - TAG_LENGTH - DATA_AT;
  if (bytes < 1) return false;
  const offset = readU48(datagram, HEADER_LENGTH);
  if (offset + bytes > U48_MAX) return false;
  const undecided = datagram.readUInt16BE(AT_UNDECIDED);
  fields.offset = offset;
  fields.length = bytes;
  fields.end = (flagsOf(datagram) & FLAG_END) !== 0;
  // The most that can be said is "further than that": then nothing may be forgotten because of it.
  fields.decidedBelow = undecided === UNDECIDED_MAX ? 0 : Math.max(0, packetNumber - undecided * UNDECIDED_UNIT);
  return true;
}
