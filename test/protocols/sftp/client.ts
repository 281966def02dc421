/** A channel in memory and a client that speaks in packets, so that tests see every byte and every call. */
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import type { ByteChannel, ByteChannelListener } from '../../../src/base/byte-channel.ts';
import { SILENT, type Log } from '../../../src/base/log.ts';
import { serveSftp, type SftpLimits } from '../../../src/protocols/sftp/server.ts';
import { FXP } from '../../../src/protocols/sftp/wire.ts';
import { MemoryFiles } from './memory-files.ts';
import { SESSION } from './session.ts';

export class MemoryChannel implements ByteChannel {
  closed = false;
  exitStatus: number | null = null;
  consumedBytes = 0;
  /** Lines for the person, beside the stream. */
  readonly notices: string[] = [];
  queuedBytes = 0;
  /** Bytes that may be queued before write() says false; Infinity: the peer always reads. */
  bound = Infinity;
  onWrite: (parts: readonly Buffer[]) => void = () => undefined;
  onEnd: () => void = () => undefined;
  private waiters: (() => void)[] = [];

  write(parts: readonly Buffer[]): boolean {
    for (const part of parts) this.queuedBytes += part.length;
    this.onWrite(parts);
    if (this.bound === Infinity) this.queuedBytes = 0;
    return this.queuedBytes < this.bound;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** The peer reads everything that is queued. */
  drain(): void {
    this.queuedBytes = 0;
    const waiters = this.waiters;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }

  notice(text: string): void {
    this.notices.push(text);
  }

  consumed(count: number): void {
    this.consumedBytes += count;
  }

  end(exitStatus: number): void {
    this.exitStatus = exitStatus;
    this.onEnd();
  }
}

export interface Reply {
  readonly type: number;
  readonly id: number;
  readonly reader: ByteReader;
  readonly bytes: Buffer;
}

export class Client {
  readonly files: MemoryFiles;
  readonly channel = new MemoryChannel();
  readonly listener: ByteChannelListener;
  readonly replies: Reply[] = [];
  sentBytes = 0;
  private readonly waiting = new Map<number, (reply: Reply) => void>();
  private nextId = 1;

  constructor(options: { files?: MemoryFiles; limits?: Partial<SftpLimits>; log?: Log; keepReplies?: boolean } = {}) {
    this.files = options.files ?? new MemoryFiles();
    if (options.files === undefined) this.files.put('/inbox/hello.txt', 'hello\n');
    this.channel.onWrite = (parts) => {
      const bytes = Buffer.concat(parts);
      const reader = new ByteReader(bytes);
      if (reader.u32() !== reader.remaining) throw new Error('an answer with a wrong length');
      const reply: Reply = { type: reader.u8(), id: reader.u32(), reader, bytes };
      if (options.keepReplies !== false) this.replies.push(reply);
      this.waiting.get(reply.id)?.(reply);
      this.waiting.delete(reply.id);
    };
    this.listener = serveSftp({
      channel: this.channel,
      files: this.files,
      session: SESSION,
      limits: { handlesPerSession: 16, ...options.limits },
      log: options.log ?? SILENT,
    });
  }

  /** A client after INIT. */
  static ready(options: ConstructorParameters<typeof Client>[0] = {}): Client {
    const client = new Client(options);
    client.feed(packet(FXP.INIT, new ByteWriter().u32(3).finish()));
    return client;
  }

  feed(bytes: Buffer): void {
    this.sentBytes += bytes.length;
    this.listener.data(bytes);
  }

  id(): number {
    return this.nextId++;
  }

  reply(id: number): Promise<Reply> {
    const found = this.replies.find((reply) => reply.type !== FXP.VERSION && reply.id === id);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  /** Sends a request and gives its answer. */
  request(type: number, body: ByteWriter): Promise<Reply> {
    const id = this.id();
    this.feed(requestPacket(type, id, body));
    return this.reply(id);
  }

  extended(name: string, body = new ByteWriter()): Promise<Reply> {
    return this.request(FXP.EXTENDED, new ByteWriter().string(name).raw(body.finish()));
  }

  async open(path: string, flags: number): Promise<Buffer> {
    return handleOf(await this.request(FXP.OPEN, new ByteWriter().string(path).u32(flags).u32(0)));
  }

  async status(type: number, body: ByteWriter): Promise<number> {
    return statusOf(await this.request(type, body)).code;
  }

  read(handle: Buffer, offset: number | bigint, length: number): Promise<Reply> {
    return this.request(FXP.READ, readBody(handle, offset, length));
  }

  write(handle: Buffer, offset: number | bigint, data: Buffer): Promise<Reply> {
    return this.request(FXP.WRITE, writeBody(handle, offset, data));
  }
}

export function packet(type: number, rest: Buffer): Buffer {
  return new ByteWriter()
    .u32(rest.length + 1)
    .u8(type)
    .raw(rest)
    .finish();
}

export function requestPacket(type: number, id: number, body: ByteWriter): Buffer {
  return packet(type, new ByteWriter().u32(id).raw(body.finish()).finish());
}

export function readBody(handle: Buffer, offset: number | bigint, length: number): ByteWriter {
  return new ByteWriter().string(handle).u64(BigInt(offset)).u32(length);
}

export function writeBody(handle: Buffer, offset: number | bigint, data: Buffer): ByteWriter {
  return new ByteWriter().string(handle).u64(BigInt(offset)).string(data);
}

export function text(value: string | Buffer): ByteWriter {
  return new ByteWriter().string(value);
}

export function statusOf(reply: Reply): { code: number; message: string } {
  if (reply.type !== FXP.STATUS) throw new Error(`expected a STATUS, got type ${reply.type}`);
  const reader = new ByteReader(reply.bytes, 9);
  const result = { code: reader.u32(), message: reader.utf8() };
  reader.string();
  reader.done();
  return result;
}

export function handleOf(reply: Reply): Buffer {
  if (reply.type !== FXP.HANDLE) throw new Error(`expected a HANDLE, got ${JSON.stringify(statusOf(reply))}`);
  return new ByteReader(reply.bytes, 9).string();
}

export function dataOf(reply: Reply): Buffer {
  if (reply.type !== FXP.DATA) throw new Error(`expected DATA, got ${JSON.stringify(statusOf(reply))}`);
  return new ByteReader(reply.bytes, 9).string();
}

export interface WireAttributes {
  size: number;
  uid: number;
  gid: number;
  mode: number;
  atime: number;
  mtime: number;
}

export function attributesOf(reader: ByteReader): WireAttributes {
  if (reader.u32() !== 0xf) throw new Error('expected all attributes');
  return {
    size: Number(reader.u64()),
    uid: reader.u32(),
    gid: reader.u32(),
    mode: reader.u32(),
    atime: reader.u32(),
    mtime: reader.u32(),
  };
}

export function namesOf(reply: Reply): { name: string; longName: string }[] {
  if (reply.type !== FXP.NAME) throw new Error(`expected NAME, got ${JSON.stringify(statusOf(reply))}`);
  const reader = new ByteReader(reply.bytes, 9);
  const rows = Array.from({ length: reader.u32() }, () => {
    const row = { name: reader.utf8(), longName: reader.utf8() };
    const flags = new ByteReader(reader.buffer, reader.position).u32();
    if (flags === 0) reader.u32();
    else attributesOf(reader);
    return row;
  });
  reader.done();
  return rows;
}

/** Lets every promise that can go on do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
