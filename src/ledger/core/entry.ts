/**
 * The bytes of an entry: version (1), kind (u8), time (u64, milliseconds since 1970), then the fields of its kind in
 * the order of kinds.ts. The Merkle leaf is over exactly these bytes.
 */
import { WaybillError } from '../../base/errors.ts';
import { EntryReader, EntryWriter, FIELD_CODECS } from './fields.ts';
import type { FieldType } from './fields.ts';
import { KINDS } from './kinds.ts';
import type { Entry, Event, Kind, KindName } from './kinds.ts';

export const ENTRY_VERSION = 1;
/** Entry bundles give each entry a length of two bytes (C2SP tlog-tiles). */
export const ENTRY_BYTES = 0xffff;

interface Row {
  readonly name: KindName;
  readonly number: number;
  readonly fields: readonly (readonly [string, FieldType])[];
}

const ROWS = (Object.entries(KINDS) as [KindName, Kind][]).map(([name, { number, fields }]): Row => ({
  name,
  number,
  fields: Object.entries(fields),
}));
const BY_NAME = new Map(ROWS.map((row) => [row.name, row]));
const BY_NUMBER: ReadonlyMap<number, Row> = new Map(ROWS.map((row) => [row.number, row]));

const writer = new EntryWriter();

/** Throws `ledger-entry-invalid` for a value that its field cannot hold; then nothing may have happened yet. */
export function encodeEntry(event: Event, time: number): Buffer {
  const row = BY_NAME.get(event.kind);
  if (row === undefined) throw new WaybillError('ledger-entry-invalid', `there is no kind of entry "${event.kind}"`);
  writer.start();
  writer.u8(ENTRY_VERSION);
  writer.u8(row.number);
  writer.u64(time);
  const values = event as unknown as Readonly<Record<string, unknown>>;
  for (const [name, type] of row.fields) FIELD_CODECS[type].write(writer, values[name] as never);
  const bytes = writer.finish();
  if (bytes.length > ENTRY_BYTES)
    throw new WaybillError(
      'ledger-entry-invalid',
      `an entry of ${bytes.length} bytes, at most ${ENTRY_BYTES} are allowed`,
    );
  return bytes;
}

/** Of a later version of this program: counted, hashed and shown as it is, never passed over. */
export interface UnknownEntry {
  readonly kind: 'unknown';
  readonly number: number;
  readonly version: number;
  readonly time: number;
  readonly bytes: Buffer;
}

export function decodeEntry(bytes: Uint8Array): Entry | UnknownEntry {
  const reader = new EntryReader(bytes);
  const version = reader.u8();
  const number = reader.u8();
  const time = reader.u64();
  const row = BY_NUMBER.get(number);
  if (version !== ENTRY_VERSION || row === undefined)
    return { kind: 'unknown', number, version, time, bytes: Buffer.from(bytes) };
  const entry: Record<string, unknown> = { kind: row.name, time };
  for (const [name, type] of row.fields) entry[name] = FIELD_CODECS[type].read(reader);
  reader.finish();
  return entry as unknown as Entry;
}
