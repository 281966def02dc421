/**
 * The form of a message on a link; pure. A message is
 *
 *   u32 length of the rest | u8 kind | u32 id | u32 length of the JSON | JSON | attachments: (u32 length | bytes)*
 *
 * A Buffer inside the JSON travels as an attachment and stands there as {"$":index}. Nothing else is special: the JSON
 * makes no other type, and the receiver of a request checks it against the schema of its call before anyone sees it.
 * Either end may be in an attacker's hands, so each length is compared with what is there before it is used.
 */
import { MalformedBytes } from '../base/bytes.ts';

export const MESSAGE_MAX = 1024 * 1024;
const HEADER = 4 + 1 + 4 + 4;
const DEPTH_MAX = 16;
const ATTACHMENTS_MAX = 1024;
/** Smaller attachments are copied, so that a 32-byte key does not keep the whole received chunk alive. */
const COPY_BELOW = 16 * 1024;

export const KIND = { request: 1, response: 2, failure: 3, event: 4 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Message {
  readonly kind: Kind;
  readonly id: number;
  readonly body: unknown;
}

/** Throws MalformedBytes when the body is too large or too deep: nothing has been sent then. */
export function encodeMessage(kind: Kind, id: number, body: unknown): Buffer {
  const attachments: Buffer[] = [];
  const json = Buffer.from(JSON.stringify(detach(body, attachments, 0)));
  let length = HEADER + json.length;
  for (const attachment of attachments) length += 4 + attachment.length;
  if (length - 4 > MESSAGE_MAX || attachments.length > ATTACHMENTS_MAX) {
    throw new MalformedBytes(`message of ${length} bytes with ${attachments.length} attachments`);
  }
  // Zero-filled memory is not needed: every byte is written below.
  const message = Buffer.allocUnsafe(length);
  message.writeUInt32BE(length - 4, 0);
  message.writeUInt8(kind, 4);
  message.writeUInt32BE(id, 5);
  message.writeUInt32BE(json.length, 9);
  let at = HEADER + json.copy(message, HEADER);
  for (const attachment of attachments) {
    at = message.writeUInt32BE(attachment.length, at);
    at += attachment.copy(message, at);
  }
  return message;
}

/** `rest` is a message without its first length. */
export function decodeMessage(rest: Buffer): Message {
  if (rest.length < HEADER - 4) throw new MalformedBytes('message shorter than its header');
  const kind = rest.readUInt8(0);
  if (kind < KIND.request || kind > KIND.event) throw new MalformedBytes(`message of kind ${kind}`);
  const jsonLength = rest.readUInt32BE(5);
  const jsonEnd = HEADER - 4 + jsonLength;
  if (jsonEnd > rest.length) throw new MalformedBytes('JSON longer than its message');
  const attachments = readAttachments(rest, jsonEnd);
  let body: unknown;
  try {
    body = JSON.parse(rest.toString('utf8', HEADER - 4, jsonEnd));
  } catch (cause) {
    throw new MalformedBytes('not JSON', { cause });
  }
  return { kind: kind as Kind, id: rest.readUInt32BE(1), body: attach(body, attachments, 0) };
}

function readAttachments(rest: Buffer, from: number): Buffer[] {
  const attachments: Buffer[] = [];
  let at = from;
  while (at < rest.length) {
    if (rest.length - at < 4) throw new MalformedBytes('cut attachment');
    const length = rest.readUInt32BE(at);
    at += 4;
    if (length > rest.length - at) throw new MalformedBytes('attachment longer than its message');
    if (attachments.length === ATTACHMENTS_MAX) throw new MalformedBytes('too many attachments');
    const view = rest.subarray(at, at + length);
    attachments.push(length < COPY_BELOW ? Buffer.from(view) : view);
    at += length;
  }
  return attachments;
}

/** What holds no Buffer is given back as it is: a copy of a listing of 100 entries costs more than writing its JSON. */
function detach(value: unknown, attachments: Buffer[], depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value)) return { $: attachments.push(value) - 1 };
  if (depth === DEPTH_MAX) throw new MalformedBytes('message too deep');
  return Array.isArray(value) ? detachItems(value, attachments, depth) : detachFields(value, attachments, depth);
}

function detachItems(items: readonly unknown[], attachments: Buffer[], depth: number): unknown {
  let copy: unknown[] | null = null;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    const plain = detach(item, attachments, depth + 1);
    if (plain !== item) (copy ??= [...items])[index] = plain;
  }
  return copy ?? items;
}

function detachFields(fields: object, attachments: Buffer[], depth: number): unknown {
  let copy: Record<string, unknown> | null = null;
  for (const name of Object.keys(fields)) {
    const item = (fields as Record<string, unknown>)[name];
    const plain = detach(item, attachments, depth + 1);
    if (plain !== item) (copy ??= { ...fields })[name] = plain;
  }
  return copy ?? fields;
}

function attach(value: unknown, attachments: readonly Buffer[], depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === DEPTH_MAX) throw new MalformedBytes('message too deep');
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) attachIn(value, index, attachments, depth);
    return value;
  }
  const object = value as Record<string, unknown>;
  if (Object.hasOwn(object, '$')) return attachmentOf(object, attachments);
  for (const name of Object.keys(object)) {
    // JSON.parse makes "__proto__" an own property, but no schema has one and nothing good sends it.
    if (name === '__proto__') throw new MalformedBytes('"__proto__" in a message');
    attachIn(object, name, attachments, depth);
  }
  return object;
}

/** Most values are themselves, and writing them back is what would cost. */
function attachIn<K extends string | number>(
  holder: Record<K, unknown>,
  at: K,
  attachments: readonly Buffer[],
  depth: number,
): void {
  const item = holder[at];
  if (typeof item !== 'object' || item === null) return;
  const whole = attach(item, attachments, depth + 1);
  if (whole !== item) holder[at] = whole;
}

function attachmentOf(object: Record<string, unknown>, attachments: readonly Buffer[]): Buffer {
  const attachment = typeof object['$'] === 'number' ? attachments[object['$']] : undefined;
  if (attachment === undefined || Object.keys(object).length !== 1) {
    throw new MalformedBytes('reference to no attachment');
  }
  return attachment;
}

/** Cuts a stream of chunks into messages, whatever the cuts of the chunks are. */
export class MessageReader {
  private chunks: Buffer[] = [];
  private buffered = 0;

  /** Throws MalformedBytes; then the link is beyond repair. */
  push(chunk: Buffer): Message[] {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    const messages: Message[] = [];
    for (;;) {
      const length = this.peekLength();
      if (length === null || this.buffered < 4 + length) return messages;
      const joined = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks, this.buffered);
      messages.push(decodeMessage(joined.subarray(4, 4 + length)));
      const left = joined.subarray(4 + length);
      this.chunks = left.length === 0 ? [] : [left];
      this.buffered = left.length;
    }
  }

  private peekLength(): number | null {
    if (this.buffered < 4) return null;
    let first = this.chunks[0] as Buffer;
    if (first.length < 4) {
      first = Buffer.concat(this.chunks, this.buffered);
      this.chunks = [first];
    }
    const length = first.readUInt32BE(0);
    if (length > MESSAGE_MAX) throw new MalformedBytes(`message of ${length} bytes`);
    return length;
  }
}
