/** Section 7 of the draft: each answer as the parts of one whole packet, length included. */
import { ByteWriter } from '../../base/bytes.ts';
import type { Attributes } from '../../broker/calls.ts';
import { ATTRIBUTES_BYTES, putAttributes } from './attributes.ts';
import { type Status } from './status.ts';
import { FX, FXP, SFTP_VERSION } from './wire.ts';

export type Answer = readonly Buffer[];

/** length, type, request id */
const HEAD_BYTES = 9;

function head(extra: number, type: number, id: number, following = 0): Buffer {
  const packet = Buffer.allocUnsafe(HEAD_BYTES + extra);
  packet.writeUInt32BE(HEAD_BYTES - 4 + extra + following, 0);
  packet[4] = type;
  packet.writeUInt32BE(id, 5);
  return packet;
}

export function status(id: number, { code, message }: Status): Answer {
  const text = Buffer.from(message, 'utf8');
  const packet = head(4 + 4 + text.length + 4 + 2, FXP.STATUS, id);
  packet.writeUInt32BE(code, 9);
  packet.writeUInt32BE(text.length, 13);
  text.copy(packet, 17);
  packet.writeUInt32BE(2, 17 + text.length);
  packet.write('en', 21 + text.length, 'latin1');
  return [packet];
}

export function ok(id: number): Answer {
  return status(id, { code: FX.OK, message: 'Success' });
}

export function endOfFile(id: number): Answer {
  return status(id, { code: FX.EOF, message: 'End of file' });
}

/** The parts travel as they are: nothing between the file and the socket copies them here. */
export function data(id: number, parts: readonly Buffer[]): Answer {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length === 0) return endOfFile(id);
  const packet = head(4, FXP.DATA, id, length);
  packet.writeUInt32BE(length, 9);
  return [packet, ...parts];
}

export function handle(id: number, name: Buffer): Answer {
  const packet = head(4 + name.length, FXP.HANDLE, id);
  packet.writeUInt32BE(name.length, 9);
  name.copy(packet, 13);
  return [packet];
}

export function attributes(id: number, value: Attributes): Answer {
  const packet = head(ATTRIBUTES_BYTES, FXP.ATTRS, id);
  putAttributes(packet, HEAD_BYTES, value);
  return [packet];
}

export interface NameRow {
  readonly name: string;
  readonly longName: string;
  /** null: none are sent (REALPATH). */
  readonly attributes: Attributes | null;
}

const NO_ATTRIBUTES = Buffer.alloc(4);

export function names(id: number, rows: readonly NameRow[]): Answer {
  const body = new ByteWriter().u32(rows.length);
  for (const row of rows) {
    body.string(row.name).string(row.longName);
    if (row.attributes === null) {
      body.raw(NO_ATTRIBUTES);
      continue;
    }
    const bytes = Buffer.allocUnsafe(ATTRIBUTES_BYTES);
    putAttributes(bytes, 0, row.attributes);
    body.raw(bytes);
  }
  const bytes = body.finish();
  return [head(0, FXP.NAME, id, bytes.length), bytes];
}

export function oneName(id: number, path: string): Answer {
  return names(id, [{ name: path, longName: path, attributes: null }]);
}

export function extended(id: number, body: Buffer): Answer {
  return [head(0, FXP.EXTENDED_REPLY, id, body.length), body];
}

export function version(extensions: readonly (readonly [name: string, value: string | Buffer])[]): Answer {
  const body = new ByteWriter().u8(FXP.VERSION).u32(SFTP_VERSION);
  for (const [name, value] of extensions) body.string(name).string(value);
  return [new ByteWriter().u32(body.length).raw(body.finish()).finish()];
}
