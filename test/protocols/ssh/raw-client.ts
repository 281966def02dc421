/**
 * A client that does exactly what a test tells it, right or wrong. Key exchange values, exchange hash and key
 * derivation are its own work, so that a handshake with it checks the server's; packets use the server's codec with the
 * directions exchanged (that codec is checked against OpenSSH, PuTTY and ssh2 in transport-clients.test.ts).
 */
import * as crypto from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import { makeOpener, makeSealer } from '../../../src/protocols/ssh/ciphers.ts';
import { buildKexInit, parseKexInit } from '../../../src/protocols/ssh/kex-init.ts';
import { PACKET_MAX, PacketReader } from '../../../src/protocols/ssh/packet-reader.ts';
import { PlainSealer, type PacketSealer } from '../../../src/protocols/ssh/packet-cipher.ts';

export interface RawClientOptions {
  readonly kex?: string;
  readonly hostKey?: string;
  readonly cipher?: string;
  readonly mac?: string;
  readonly strict?: boolean;
  readonly extInfo?: boolean;
}

interface ClientKex {
  readonly value: Buffer;
  readonly hash: string;
  readonly publicAs: 'string' | 'mpint';
  readonly secretAs: 'string' | 'mpint';
  secret(server: Buffer): Buffer;
}

function x25519(): { value: Buffer; secret: (server: Buffer) => Buffer } {
  const own = crypto.generateKeyPairSync('x25519');
  return {
    value: own.publicKey.export({ format: 'raw-public' }),
    secret: (server) => {
      const publicKey = crypto.createPublicKey({ key: server, format: 'raw-public', asymmetricKeyType: 'x25519' });
      return crypto.diffieHellman({ privateKey: own.privateKey, publicKey });
    },
  };
}

function mlkem768x25519(): { value: Buffer; secret: (server: Buffer) => Buffer } {
  const postQuantum = crypto.generateKeyPairSync('ml-kem-768');
  const classical = x25519();
  return {
    value: Buffer.concat([postQuantum.publicKey.export({ format: 'raw-public' }), classical.value]),
    secret: (server) => {
      const shared = crypto.decapsulate(postQuantum.privateKey, server.subarray(0, 1088));
      return crypto
        .createHash('sha256')
        .update(shared)
        .update(classical.secret(server.subarray(1088)))
        .digest();
    },
  };
}

function ecdh(curve: string): { value: Buffer; secret: (server: Buffer) => Buffer } {
  const own = crypto.createECDH(curve);
  return { value: own.generateKeys(), secret: (server) => own.computeSecret(server) };
}

function group(name: string): { value: Buffer; secret: (server: Buffer) => Buffer } {
  const own = crypto.createDiffieHellmanGroup(name);
  return { value: own.generateKeys(), secret: (server) => own.computeSecret(server) };
}

const string = { publicAs: 'string', secretAs: 'mpint' } as const;
const mpint = { publicAs: 'mpint', secretAs: 'mpint' } as const;

const KEX: Readonly<Record<string, () => ClientKex>> = {
  'mlkem768x25519-sha256': () => ({ ...mlkem768x25519(), hash: 'sha256', publicAs: 'string', secretAs: 'string' }),
  'curve25519-sha256': () => ({ ...x25519(), hash: 'sha256', ...string }),
  'curve25519-sha256@libssh.org': () => ({ ...x25519(), hash: 'sha256', ...string }),
  'ecdh-sha2-nistp256': () => ({ ...ecdh('prime256v1'), hash: 'sha256', ...string }),
  'ecdh-sha2-nistp384': () => ({ ...ecdh('secp384r1'), hash: 'sha384', ...string }),
  'ecdh-sha2-nistp521': () => ({ ...ecdh('secp521r1'), hash: 'sha512', ...string }),
  'diffie-hellman-group16-sha512': () => ({ ...group('modp16'), hash: 'sha512', ...mpint }),
  'diffie-hellman-group14-sha256': () => ({ ...group('modp14'), hash: 'sha256', ...mpint }),
};

const VERSION = 'SSH-2.0-RawClient';

export class RawClient {
  readonly socket: Socket;
  serverVersion = '';
  sessionId = Buffer.alloc(0) as Buffer;
  serverInit: Buffer = Buffer.alloc(0);
  sequence = 0;
  /** Resolves when the server has closed the connection. */
  readonly gone: Promise<void>;
  private readonly options: RawClientOptions;
  private readonly reader = new PacketReader();
  private sealer: PacketSealer = new PlainSealer();
  private head = Buffer.alloc(0) as Buffer;
  private wake: () => void = () => undefined;
  private over = false;

  private constructor(socket: Socket, options: RawClientOptions) {
    this.socket = socket;
    this.options = options;
    this.reader.maxLength = PACKET_MAX;
    socket.on('data', (chunk: Buffer) => {
      this.received(chunk);
    });
    this.gone = new Promise((resolve) => {
      const ended = (): void => {
        this.over = true;
        this.wake();
        resolve();
      };
      socket.on('end', ended);
      socket.on('close', ended);
      socket.on('error', ended);
    });
  }

  static async connect(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new RawClient(socket, options);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  private received(chunk: Buffer): void {
    let rest = chunk;
    if (this.serverVersion === '') {
      this.head = Buffer.concat([this.head, chunk]);
      const end = this.head.indexOf('\r\n');
      if (end < 0) return;
      this.serverVersion = this.head.toString('latin1', 0, end);
      rest = this.head.subarray(end + 2);
    }
    this.reader.feed(rest);
    this.wake();
  }

  /** The next payload; null when the server has closed and nothing is left. */
  async receive(): Promise<Buffer | null> {
    for (;;) {
      const payload = this.serverVersion === '' ? null : this.reader.next();
      if (payload !== null) return Buffer.from(payload);
      if (this.over) return null;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** The next payload with this message number; others are skipped. */
  async expect(number: number): Promise<Buffer> {
    for (;;) {
      const payload = await this.receive();
      if (payload === null) throw new Error(`connection ended while waiting for message ${number}`);
      if (payload[0] === number) return payload;
      if (payload[0] === 1) throw new Error(`disconnected: ${new ByteReader(payload, 5).string().toString()}`);
    }
  }

  /** Reason code of the DISCONNECT that the server sends. */
  async disconnectReason(): Promise<number> {
    for (;;) {
      const payload = await this.receive();
      if (payload === null) throw new Error('connection ended without DISCONNECT');
      if (payload[0] === 1) return payload.readUInt32BE(1);
    }
  }

  raw(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  wire(payload: Buffer): Buffer {
    const out: Buffer[] = [];
    this.sealer.seal(this.sequence, [payload], out);
    this.sequence = (this.sequence + 1) >>> 0;
    return Buffer.concat(out);
  }

  send(...payloads: Buffer[]): void {
    this.raw(Buffer.concat(payloads.map((payload) => this.wire(payload))));
  }

  sendVersion(): void {
    this.raw(`${VERSION}\r\n`);
  }

  kexInit(guessFollows = false): Buffer {
    const { kex = 'curve25519-sha256', hostKey = 'ssh-ed25519', cipher = 'aes256-gcm@openssh.com' } = this.options;
    const { mac = 'hmac-sha2-256-etm@openssh.com', strict = true, extInfo = true } = this.options;
    const payload = buildKexInit(
      {
        kex: [kex, ...(extInfo ? ['ext-info-c'] : []), ...(strict ? ['kex-strict-c-v00@openssh.com'] : [])],
        hostKey: [hostKey],
        cipherIn: [cipher],
        cipherOut: [cipher],
        macIn: [mac],
        macOut: [mac],
        compressionIn: ['none'],
        compressionOut: ['none'],
      },
      crypto.randomBytes(16),
    );
    if (guessFollows) payload[payload.length - 5] = 1;
    return payload;
  }

  /** From KEXINIT to both NEWKEYS. `between` runs after our KEXINIT went out and before the client's value. */
  async exchange(between?: () => void | Promise<void>, clientInit = this.kexInit()): Promise<void> {
    this.send(clientInit);
    this.serverInit = await this.expect(20);
    await between?.();
    await this.exchangeValues(clientInit);
  }

  async exchangeValues(clientInit: Buffer): Promise<void> {
    const kex = (KEX[this.options.kex ?? 'curve25519-sha256'] as () => ClientKex)();
    this.send(put(new ByteWriter().u8(30), kex.publicAs, kex.value).finish());
    const reply = new ByteReader(await this.expect(31), 1);
    const hostKey = reply.string();
    const server = kex.publicAs === 'mpint' ? reply.mpint() : reply.string();
    const signature = reply.string();
    const secret = kex.secret(server);
    const hashed = new ByteWriter().string(VERSION).string(this.serverVersion);
    hashed.string(clientInit).string(this.serverInit).string(hostKey);
    put(hashed, kex.publicAs, kex.value);
    put(hashed, kex.publicAs, server);
    put(hashed, kex.secretAs, secret);
    const hash = crypto.createHash(kex.hash).update(hashed.finish()).digest();
    verifyEd25519(hostKey, hash, signature);
    if (this.sessionId.length === 0) this.sessionId = hash;
    this.takeKeys(kex, secret, hash);
    await this.newKeys();
  }

  private pending: { sealer: PacketSealer; switchReader: () => void } | null = null;

  private takeKeys(kex: ClientKex, secret: Buffer, hash: Buffer): void {
    const { cipher = 'aes256-gcm@openssh.com', mac = 'hmac-sha2-256-etm@openssh.com' } = this.options;
    const strict = this.isStrict();
    const derive = (letter: string, bytes: number): Buffer => {
      const start = put(new ByteWriter(), kex.secretAs, secret).raw(hash).finish();
      let key = crypto.createHash(kex.hash).update(start).update(letter).update(this.sessionId).digest();
      while (key.length < bytes)
        key = Buffer.concat([key, crypto.hash(kex.hash, Buffer.concat([start, key]), 'buffer')]);
      return key.subarray(0, bytes);
    };
    const sealer = makeSealer('clientToServer', cipher, mac, derive);
    const opener = makeOpener('serverToClient', cipher, mac, derive);
    this.pending = {
      sealer,
      switchReader: () => {
        this.reader.changeKeys(opener, strict);
      },
    };
  }

  private isStrict(): boolean {
    return this.options.strict !== false && this.strictSeen();
  }

  private strictServer = false;

  private strictSeen(): boolean {
    this.strictServer ||= parseKexInit(this.serverInit).kex.includes('kex-strict-s-v00@openssh.com');
    return this.strictServer;
  }

  private async newKeys(): Promise<void> {
    await this.expect(21);
    const { pending } = this;
    if (pending === null) throw new Error('no keys');
    pending.switchReader();
    this.send(Buffer.of(21));
    this.sealer = pending.sealer;
    if (this.isStrict()) this.sequence = 0;
    this.pending = null;
  }

  /** Version, first key exchange, service request, sign-in with a server that lets everybody in. */
  static async signedIn(port: number, options: RawClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.connect(port, options);
    client.sendVersion();
    await client.exchange();
    client.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
    await client.expect(6);
    client.send(new ByteWriter().u8(50).string('user').string('ssh-connection').string('none').finish());
    await client.expect(52);
    return client;
  }
}

function put(writer: ByteWriter, as: 'string' | 'mpint', value: Buffer): ByteWriter {
  return as === 'mpint' ? writer.mpint(value) : writer.string(value);
}

function verifyEd25519(hostKey: Buffer, hash: Buffer, signature: Buffer): void {
  const key = new ByteReader(hostKey);
  if (key.ascii() !== 'ssh-ed25519') throw new Error('this client only knows ed25519');
  const publicKey = crypto.createPublicKey({
    key: key.string(),
    format: 'raw-public',
    asymmetricKeyType: 'ed25519',
  });
  const blob = new ByteReader(signature);
  if (blob.ascii() !== 'ssh-ed25519' || !crypto.verify(null, hash, publicKey, blob.string())) {
    throw new Error('host key signature is wrong');
  }
}
