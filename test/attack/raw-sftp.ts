/** SFTP packets over a RawClient, one request at a time or as many as a test likes. */
import { join, MSG, str, u32, u8, type RawClient } from './raw-client.ts';

export const FXP = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;
export const STATUS = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  noConnection: 6,
  connectionLost: 7,
  unsupported: 8,
} as const;
export const OPEN = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

export interface Reply {
  readonly type: number;
  readonly id: number;
  /** After the request id. */
  readonly body: Buffer;
}

export class RawSftp {
  readonly client: RawClient;
  readonly channel: number;
  private stream: Buffer = Buffer.alloc(0);
  private nextId = 1;
  /** Tests of windows set it false and adjust by themselves. */
  adjustWindow = true;

  constructor(client: RawClient, channel: number) {
    this.client = client;
    this.channel = channel;
  }

  static async start(client: RawClient): Promise<RawSftp> {
    const sftp = new RawSftp(client, await client.openSftp());
    sftp.raw(join(u32(5), u8(FXP.init), u32(3)));
    await sftp.reply();
    return sftp;
  }

  raw(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 32_000) this.client.data(this.channel, bytes.subarray(at, at + 32_000));
  }

  /** Sends a request and gives its id. */
  request(type: number, ...fields: Buffer[]): number {
    const id = this.nextId++;
    const body = join(u8(type), u32(id), ...fields);
    this.raw(join(u32(body.length), body));
    return id;
  }

  /** The next SFTP packet; null when the connection or the channel is closed. */
  async packet(): Promise<Buffer | null> {
    for (;;) {
      if (this.stream.length >= 4 && this.stream.length >= 4 + this.stream.readUInt32BE()) {
        const size = this.stream.readUInt32BE();
        const packet = this.stream.subarray(4, 4 + size);
        this.stream = this.stream.subarray(4 + size);
        return packet;
      }
      const payload = await this.client.next();
      if (payload === null || payload[0] === MSG.channelClose || payload[0] === MSG.disconnect) return null;
      if (payload[0] !== MSG.channelData) continue;
      const bytes = payload.subarray(9);
      if (this.adjustWindow) this.client.send(join(u8(MSG.channelWindowAdjust), u32(this.channel), u32(bytes.length)));
      this.stream = Buffer.concat([this.stream, bytes]);
    }
  }

  async reply(): Promise<Reply> {
    const packet = await this.packet();
    if (packet === null) throw new Error('closed while waiting for an SFTP reply');
    return { type: packet[0] ?? -1, id: packet.readUInt32BE(1), body: packet.subarray(5) };
  }

  /** Sends and waits for the answer; only for tests that have nothing else under way. */
  async ask(type: number, ...fields: Buffer[]): Promise<Reply> {
    const id = this.request(type, ...fields);
    const reply = await this.reply();
    if (reply.id !== id) throw new Error(`answer to ${reply.id} instead of ${id}`);
    return reply;
  }

  async status(type: number, ...fields: Buffer[]): Promise<number> {
    const reply = await this.ask(type, ...fields);
    return reply.type === FXP.status ? reply.body.readUInt32BE() : -reply.type;
  }

  async open(path: string, flags: number): Promise<Buffer> {
    const reply = await this.ask(FXP.open, str(path), u32(flags), u32(0));
    if (reply.type !== FXP.handle)
      throw new Error(`open ${path}: status ${reply.body.readUInt32BE()} ${reply.body.subarray(8).toString()}`);
    return Buffer.from(reply.body.subarray(4));
  }
}
