/**
 * Wire forms of RFC 4254 (global requests and channels), as far as a server needs them. Pure: bytes in, values out;
 * anything that is not exactly the form throws MalformedBytes. Buffers in the results are views on the payload.
 */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';

export const CONNECTION_MESSAGE = {
  UNIMPLEMENTED: 3,
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_OPEN_CONFIRMATION: 91,
  CHANNEL_OPEN_FAILURE: 92,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_SUCCESS: 99,
  CHANNEL_FAILURE: 100,
} as const;

/** RFC 4254 section 5.1. */
export const OPEN_FAILURE = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;

const STDERR = 1;

export interface GlobalRequest {
  readonly name: string;
  readonly wantReply: boolean;
  /** The fields of this kind of request. */
  readonly rest: Buffer;
}

export function parseGlobalRequest(payload: Buffer): GlobalRequest {
  const reader = new ByteReader(payload, 1);
  return { name: reader.ascii(), wantReply: reader.boolean(), rest: reader.rest() };
}

/** hostkeys-prove-00@openssh.com (OpenSSH PROTOCOL section 2.5): key blobs up to the end. Null when there are too many. */
export function parseKeyBlobs(rest: Buffer, most: number): Buffer[] | null {
  const reader = new ByteReader(rest);
  const blobs: Buffer[] = [];
  while (reader.remaining > 0) {
    if (blobs.length === most) return null;
    blobs.push(reader.string(8192));
  }
  return blobs;
}

export interface ChannelOpen {
  readonly type: string;
  readonly peer: number;
  readonly window: number;
  readonly maxPacket: number;
}

export function parseChannelOpen(payload: Buffer): ChannelOpen {
  const reader = new ByteReader(payload, 1);
  return { type: reader.ascii(), peer: reader.u32(), window: reader.u32(), maxPacket: reader.u32() };
}

/** The recipient, which stands first in every message about an open channel. */
export function parseRecipient(payload: Buffer): number {
  return new ByteReader(payload, 1).u32();
}

export function parseWindowAdjust(payload: Buffer): number {
  const reader = new ByteReader(payload, 5);
  const count = reader.u32();
  reader.done();
  return count;
}

export function parseData(payload: Buffer): Buffer {
  const reader = new ByteReader(payload, 5);
  const data = reader.string();
  reader.done();
  return data;
}

export function parseExtendedData(payload: Buffer): Buffer {
  const reader = new ByteReader(payload, 5);
  reader.u32(); // the kind: nothing that a client may send beside its data means anything to us
  const data = reader.string();
  reader.done();
  return data;
}

/** EOF, CLOSE, SUCCESS and FAILURE have nothing behind the recipient. */
export function parseBare(payload: Buffer): void {
  new ByteReader(payload, 5).done();
}

export interface ChannelRequest {
  readonly name: string;
  readonly wantReply: boolean;
  readonly rest: Buffer;
}

export function parseChannelRequest(payload: Buffer): ChannelRequest {
  const reader = new ByteReader(payload, 5);
  return { name: reader.ascii(), wantReply: reader.boolean(), rest: reader.rest() };
}

/** The one string of `subsystem`. */
export function parseSubsystem(rest: Buffer): string {
  const reader = new ByteReader(rest);
  const name = reader.utf8(255);
  reader.done();
  return name;
}

/** The one string of `exec`. Bytes that are no text are no command that we serve. */
export function parseCommand(rest: Buffer): string {
  const reader = new ByteReader(rest);
  const command = reader.string();
  reader.done();
  return command.toString('utf8');
}

const message = (number: number): ByteWriter => new ByteWriter().u8(number);

export const unimplemented = (sequence: number): Buffer =>
  message(CONNECTION_MESSAGE.UNIMPLEMENTED).u32(sequence).finish();

export function globalRequest(name: string, wantReply: boolean, strings: readonly Buffer[]): Buffer {
  const writer = message(CONNECTION_MESSAGE.GLOBAL_REQUEST).string(name).boolean(wantReply);
  for (const item of strings) writer.string(item);
  return writer.finish();
}

export function requestSuccess(strings: readonly Buffer[]): Buffer {
  const writer = message(CONNECTION_MESSAGE.REQUEST_SUCCESS);
  for (const item of strings) writer.string(item);
  return writer.finish();
}

export const requestFailure = (): Buffer => Buffer.of(CONNECTION_MESSAGE.REQUEST_FAILURE);

export const openConfirmation = (peer: number, local: number, window: number, maxPacket: number): Buffer =>
  message(CONNECTION_MESSAGE.CHANNEL_OPEN_CONFIRMATION).u32(peer).u32(local).u32(window).u32(maxPacket).finish();

export const openFailure = (peer: number, reason: number, text: string): Buffer =>
  message(CONNECTION_MESSAGE.CHANNEL_OPEN_FAILURE).u32(peer).u32(reason).string(text).string('').finish();

/** WINDOW_ADJUST and the head of DATA have the same form: number, recipient, count. */
function counted(number: number, peer: number, count: number): Buffer {
  const head = Buffer.allocUnsafe(9);
  head[0] = number;
  head.writeUInt32BE(peer, 1);
  head.writeUInt32BE(count, 5);
  return head;
}

export const windowAdjust = (peer: number, count: number): Buffer =>
  counted(CONNECTION_MESSAGE.CHANNEL_WINDOW_ADJUST, peer, count);

/** What stands before `length` bytes of data, which follow as parts of their own. */
export const dataHead = (peer: number, length: number): Buffer =>
  counted(CONNECTION_MESSAGE.CHANNEL_DATA, peer, length);

export const stderrHead = (peer: number, length: number): Buffer =>
  message(CONNECTION_MESSAGE.CHANNEL_EXTENDED_DATA).u32(peer).u32(STDERR).u32(length).finish();

/** CHANNEL_EOF, CHANNEL_CLOSE, CHANNEL_SUCCESS or CHANNEL_FAILURE. */
export const bare = (number: number, peer: number): Buffer => message(number).u32(peer).finish();

export const exitStatus = (peer: number, status: number): Buffer =>
  message(CONNECTION_MESSAGE.CHANNEL_REQUEST).u32(peer).string('exit-status').boolean(false).u32(status).finish();
