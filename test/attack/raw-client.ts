/**
 * An SSH client that does only what a test tells it: any message in any state, any length, any order. Written for the tests
 * alone, sharing nothing with the server's own transport, so that one mistake cannot hide in both.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import ssh2 from 'ssh2';

export const MSG = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  serviceAccept: 6,
  extInfo: 7,
  kexInit: 20,
  newKeys: 21,
  kexEcdhInit: 30,
  kexEcdhReply: 31,
  userauthRequest: 50,
  userauthFailure: 51,
  userauthSuccess: 52,
  userauthBanner: 53,
  userauthPkOk: 60,
  infoResponse: 61,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

export const u8 = (value: number): Buffer => Buffer.of(value);
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
export const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
};
export const str = (value: string | Buffer): Buffer =>
  Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value as string)]);
export const join = (...parts: Buffer[]): Buffer => Buffer.concat(parts);

function mpint(bytes: Buffer): Buffer {
  let at = 0;
  while (at < bytes.length && bytes[at] === 0) at++;
  const bare = bytes.subarray(at);
  return str((bare[0] ?? 0) & 0x80 ? join(u8(0), bare) : bare);
}

interface Keys {
  key: Buffer;
  iv: Buffer;
}

export interface KexChoices {
  /** Ask for strict key exchange. */
  readonly strict?: boolean;
  /** Replaces the client's public value (32 bytes when honest). */
  readonly publicValue?: Buffer;
  /** Payloads sent right after the client's KEXINIT, inside the key exchange. */
  readonly inside?: readonly Buffer[];
  readonly kex?: string;
}

export class RawClient {
  readonly socket: Socket;
  sessionId: Buffer = Buffer.alloc(0);
  serverVersion = '';
  /** Resolves with all that was still unread when the server closed the connection. */
  readonly closed: Promise<void>;
  private received: Buffer = Buffer.alloc(0);
  private wake: () => void = () => undefined;
  private ended = false;
  private incoming: Keys | null = null;
  private outgoing: Keys | null = null;
  /** Every decrypted payload's message number, in order. */
  readonly seen: number[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.wake();
    });
    socket.on('error', () => undefined); // a reset is one of the ways in which a server may close
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.ended = true;
        this.wake();
        resolve();
      });
    });
  }

  static open(server: { host: string; port: number }): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(server.port, server.host);
      socket.once('error', reject);
      socket.once('connect', () => {
        resolve(new RawClient(socket));
      });
    });
  }

  /** Version exchange and key exchange done, encryption on. */
  static async secured(server: { host: string; port: number }, choices: KexChoices = {}): Promise<RawClient> {
    const client = await RawClient.open(server);
    await client.versions();
    await client.keyExchange(choices);
    return client;
  }

  /** Signed in with the server's first account. */
  static async signedIn(server: { host: string; port: number; login: string; key: string }): Promise<RawClient> {
    const client = await RawClient.secured(server);
    await client.service('ssh-userauth');
    await client.publickey(server.login, server.key);
    return client;
  }

  sendRaw(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  async versions(mine = 'SSH-2.0-RawTest_1'): Promise<void> {
    this.sendRaw(Buffer.from(`${mine}\r\n`));
    for (;;) {
      const line = await this.line();
      if (line.startsWith('SSH-')) {
        this.serverVersion = line;
        return;
      }
    }
  }

  private async line(): Promise<string> {
    for (;;) {
      const at = this.received.indexOf('\n');
      if (at >= 0) {
        const line = this.received.subarray(0, at).toString().trimEnd();
        this.received = this.received.subarray(at + 1);
        return line;
      }
      if (!(await this.more())) throw new Error('closed during the version exchange');
    }
  }

  private async more(): Promise<boolean> {
    if (this.ended) return false;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    return true;
  }

  private async take(count: number): Promise<Buffer | null> {
    while (this.received.length < count) if (!(await this.more())) return null;
    const bytes = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return bytes;
  }

  /** The next payload, or null when the server has closed. */
  async next(): Promise<Buffer | null> {
    const length = await this.take(4);
    if (length === null) return null;
    const size = length.readUInt32BE();
    const body = await this.take(size + (this.incoming ? 16 : 0));
    if (body === null) return null;
    let plain = body;
    if (this.incoming) {
      const { key, iv } = this.incoming;
      const decipher = createDecipheriv('aes-256-gcm', key, iv);
      decipher.setAAD(length);
      decipher.setAuthTag(body.subarray(size));
      plain = Buffer.concat([decipher.update(body.subarray(0, size)), decipher.final()]);
      increment(iv);
    }
    const payload = plain.subarray(1, size - (plain[0] ?? 0));
    this.seen.push(payload[0] ?? -1);
    return payload;
  }

  /** Skips to the next payload with one of these message numbers; throws when the server closes first. */
  async expect(...numbers: number[]): Promise<Buffer> {
    for (;;) {
      const payload = await this.next();
      if (payload === null)
        throw new Error(`closed while waiting for ${numbers.join('/')}; seen ${this.seen.join(' ')}`);
      if (numbers.includes(payload[0] ?? -1)) return payload;
      if (payload[0] === MSG.disconnect) throw new Error(`disconnected: ${payload.subarray(9).toString('latin1')}`);
    }
  }

  /** Reads until the server closes; gives the message numbers seen from now on. */
  async untilClosed(): Promise<number[]> {
    const from = this.seen.length;
    while ((await this.next()) !== null) continue;
    return this.seen.slice(from);
  }

  send(payload: Buffer): void {
    this.sendRaw(this.packet(payload));
  }

  /** The bytes of one packet; `length` overrides the length field, `padding` the padding length byte. */
  packet(payload: Buffer, lies: { length?: number; padding?: number } = {}): Buffer {
    const block = this.outgoing ? 16 : 8;
    const covered = this.outgoing ? 1 + payload.length : 5 + payload.length;
    let padding = block - (covered % block);
    if (padding < 4) padding += block;
    const length = u32(lies.length ?? 1 + payload.length + padding);
    const plain = join(u8(lies.padding ?? padding), payload, randomBytes(padding));
    if (this.outgoing === null) return join(length, plain);
    const { key, iv } = this.outgoing;
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    cipher.setAAD(length);
    const sealed = join(length, cipher.update(plain), cipher.final(), cipher.getAuthTag());
    increment(iv);
    return sealed;
  }

  kexInit(choices: KexChoices = {}): Buffer {
    const list = (text: string): Buffer => str(text);
    const kex = `${choices.kex ?? 'curve25519-sha256'}${choices.strict === false ? '' : ',kex-strict-c-v00@openssh.com'}`;
    const cipher = list('aes256-gcm@openssh.com');
    return join(
      u8(MSG.kexInit),
      randomBytes(16),
      list(kex),
      list('ssh-ed25519'),
      cipher,
      cipher,
      list('hmac-sha2-256'),
      list('hmac-sha2-256'),
      list('none'),
      list('none'),
      list(''),
      list(''),
      u8(0),
      u32(0),
    );
  }

  async keyExchange(choices: KexChoices = {}): Promise<void> {
    const mine = this.kexInit(choices);
    this.send(mine);
    for (const payload of choices.inside ?? []) this.send(payload);
    const theirs = Buffer.from(await this.expect(MSG.kexInit));
    const pair = generateKeyPairSync('x25519');
    const clientValue = choices.publicValue ?? pair.publicKey.export({ format: 'raw-public' } as never);
    this.send(join(u8(MSG.kexEcdhInit), str(clientValue)));
    const reply = await this.expect(MSG.kexEcdhReply);
    let at = 1;
    const field = (): Buffer => {
      const size = reply.readUInt32BE(at);
      at += 4 + size;
      return reply.subarray(at - size, at);
    };
    const hostKey = field();
    const serverValue = field();
    const peer = createPublicKey({ key: serverValue, format: 'raw-public', asymmetricKeyType: 'x25519' } as never);
    const secret = mpint(diffieHellman({ privateKey: pair.privateKey, publicKey: peer }));
    const hash = createHash('sha256')
      .update(
        join(
          str('SSH-2.0-RawTest_1'),
          str(this.serverVersion),
          str(mine),
          str(theirs),
          str(hostKey),
          str(clientValue),
          str(serverValue),
          secret,
        ),
      )
      .digest();
    if (this.sessionId.length === 0) this.sessionId = hash;
    const derive = (letter: string, size: number): Buffer =>
      createHash('sha256')
        .update(join(secret, hash, Buffer.from(letter), this.sessionId))
        .digest()
        .subarray(0, size);
    this.send(u8(MSG.newKeys));
    this.outgoing = { key: derive('C', 32), iv: Buffer.from(derive('A', 12)) };
    await this.expect(MSG.newKeys);
    this.incoming = { key: derive('D', 32), iv: Buffer.from(derive('B', 12)) };
  }

  async service(name: string): Promise<void> {
    this.send(join(u8(MSG.serviceRequest), str(name)));
    await this.expect(MSG.serviceAccept);
  }

  /** The publickey request's bytes; `signed` names other values to be signed than those that are sent. */
  publickeyRequest(
    user: string,
    keyFile: string,
    lies: { sessionId?: Buffer; signedUser?: string; signedService?: string; signature?: Buffer } = {},
  ): Buffer {
    const key = ssh2.utils.parseKey(readFileSync(keyFile));
    if (key instanceof Error || Array.isArray(key)) throw new Error('unreadable key');
    const head = (name: string, service: string): Buffer =>
      join(
        u8(MSG.userauthRequest),
        str(name),
        str(service),
        str('publickey'),
        u8(1),
        str('ssh-ed25519'),
        str(key.getPublicSSH()),
      );
    const signed = join(
      str(lies.sessionId ?? this.sessionId),
      head(lies.signedUser ?? user, lies.signedService ?? 'ssh-connection'),
    );
    const signature = lies.signature ?? join(str('ssh-ed25519'), str(key.sign(signed)));
    return join(head(user, 'ssh-connection'), str(signature));
  }

  async publickey(user: string, keyFile: string): Promise<void> {
    this.send(this.publickeyRequest(user, keyFile));
    await this.expect(MSG.userauthSuccess);
  }

  /** Opens a session channel with the sftp subsystem; gives the server's channel number. */
  async openSftp(window = 0x200000, maxPacket = 0x8000, mine = 0): Promise<number> {
    this.send(join(u8(MSG.channelOpen), str('session'), u32(mine), u32(window), u32(maxPacket)));
    const confirmation = await this.expect(MSG.channelOpenConfirmation);
    const theirs = confirmation.readUInt32BE(5);
    this.send(join(u8(MSG.channelRequest), u32(theirs), str('subsystem'), u8(1), str('sftp')));
    await this.expect(MSG.channelSuccess);
    return theirs;
  }

  data(channel: number, bytes: Buffer): void {
    this.send(join(u8(MSG.channelData), u32(channel), str(bytes)));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** RFC 5647: the last eight bytes of the IV are a counter. */
function increment(iv: Buffer): void {
  iv.writeBigUInt64BE(BigInt.asUintN(64, iv.readBigUInt64BE(4) + 1n), 4);
}
