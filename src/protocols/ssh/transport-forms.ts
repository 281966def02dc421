/** Wire forms of the transport's small messages (RFC 4253 section 11, RFC 8308, OpenSSH PROTOCOL section 1.9). Pure. */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { MESSAGE } from './transport-messages.ts';

export function disconnectMessage(reason: number, text: string): Buffer {
  return new ByteWriter().u8(MESSAGE.DISCONNECT).u32(reason).string(text).string('').finish();
}

export interface Disconnect {
  readonly reason: number;
  /** The client's words, safe to log: printable ASCII, short. */
  readonly text: string;
}

export function parseDisconnect(payload: Buffer): Disconnect {
  const reader = new ByteReader(payload, 1);
  const reason = reader.u32();
  const text = reader.string(4096).subarray(0, 100).toString('latin1');
  return { reason, text: text.replaceAll(/[^\x20-\x7e]/g, '?') };
}

export function unimplementedMessage(sequence: number): Buffer {
  return new ByteWriter().u8(MESSAGE.UNIMPLEMENTED).u32(sequence).finish();
}

/** RFC 8308 section 2.3. */
export function extInfoMessage(extensions: readonly (readonly [name: string, value: string])[]): Buffer {
  const writer = new ByteWriter().u8(MESSAGE.EXT_INFO).u32(extensions.length);
  for (const [name, value] of extensions) writer.string(name).string(value);
  return writer.finish();
}

/** Nothing of a client's extensions is of use to a server yet; the form is checked all the same. */
export function checkExtInfo(payload: Buffer): void {
  const reader = new ByteReader(payload, 1);
  const count = reader.u32();
  for (let i = 0; i < count; i++) {
    reader.string();
    reader.string();
  }
  reader.done();
}

/** IGNORE and DEBUG say nothing to us; they only have to be well-formed. */
export function checkIgnored(payload: Buffer): void {
  const reader = new ByteReader(payload, 1);
  if (payload[0] === MESSAGE.DEBUG) {
    reader.boolean();
    reader.string();
  }
  if (payload[0] === MESSAGE.UNIMPLEMENTED) reader.u32();
  else reader.string();
}

export function pongMessage(ping: Buffer): Buffer {
  const reader = new ByteReader(ping, 1);
  const data = reader.string();
  reader.done();
  return new ByteWriter().u8(MESSAGE.PONG).string(data).finish();
}
