/** A listener on the Transport alone: it accepts the service "ssh-userauth" and refuses every sign-in, or lets everybody in. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import type { HostKey } from '../../../src/broker/calls.ts';
import { Transport, type TransportOptions } from '../../../src/protocols/ssh/transport.ts';

export interface TestHostKey {
  readonly hostKey: HostKey;
  sign(algorithm: string, hash: Buffer): Buffer;
}

const signature = (algorithm: string, bytes: Buffer): Buffer =>
  new ByteWriter().string(algorithm).string(bytes).finish();

export function ed25519HostKey(): TestHostKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'raw-public' });
  return {
    hostKey: {
      algorithms: ['ssh-ed25519'],
      blob: new ByteWriter().string('ssh-ed25519').string(raw).finish(),
      certificate: null,
    },
    sign: (algorithm, hash) => signature(algorithm, sign(null, hash, privateKey)),
  };
}

const fromBase64Url = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');

export function rsaHostKey(): TestHostKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const { n, e } = publicKey.export({ format: 'jwk' });
  return {
    hostKey: {
      algorithms: ['rsa-sha2-512', 'rsa-sha2-256'],
      blob: new ByteWriter().string('ssh-rsa').mpint(fromBase64Url(e)).mpint(fromBase64Url(n)).finish(),
      certificate: null,
    },
    sign: (algorithm, hash) =>
      signature(algorithm, sign(algorithm === 'rsa-sha2-512' ? 'sha512' : 'sha256', hash, privateKey)),
  };
}

export function ecdsaHostKey(): TestHostKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), fromBase64Url(x), fromBase64Url(y)]);
  return {
    hostKey: {
      algorithms: ['ecdsa-sha2-nistp256'],
      blob: new ByteWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(point).finish(),
      certificate: null,
    },
    sign: (algorithm, hash) => signature(algorithm, ecdsa(hash, privateKey)),
  };
}

function ecdsa(hash: Buffer, key: KeyObject): Buffer {
  const raw = sign('sha256', hash, { key, dsaEncoding: 'ieee-p1363' });
  return new ByteWriter().mpint(raw.subarray(0, 32)).mpint(raw.subarray(32)).finish();
}

/** Answers the service request, then every authentication request as `signIn` says; afterwards gives packets to `packet`. */
export interface TinyServerOptions {
  readonly hostKeys?: readonly TestHostKey[];
  readonly profile?: TransportOptions['profile'];
  readonly limits?: TransportOptions['limits'];
  readonly letIn?: boolean;
  readonly packet?: (payload: Buffer, transport: Transport) => void;
}

export interface Ending {
  readonly reason: string;
  readonly offence: 'none' | 'protocol';
}

export interface TinyServer {
  readonly port: number;
  readonly transports: Transport[];
  readonly errors: unknown[];
  /** Endings in the order they came; `ended` resolves with the next one not yet taken. */
  ended(): Promise<Ending>;
  close(): Promise<void>;
}

const FAILURE = new ByteWriter().u8(51).nameList(['publickey']).boolean(false).finish();

export async function startTinyServer(options: TinyServerOptions = {}): Promise<TinyServer> {
  const keys = options.hostKeys ?? [ed25519HostKey()];
  const transports: Transport[] = [];
  const errors: unknown[] = [];
  const endings: Ending[] = [];
  const waiting: ((ending: Ending) => void)[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const transport: Transport = new Transport({
      socket,
      hostKeys: keys.map((key) => key.hostKey),
      sign: async (algorithm, hash) => {
        await new Promise((resolve) => setImmediate(resolve)); // as a broker call would
        const key = keys.find((one) => one.hostKey.algorithms.includes(algorithm));
        if (key === undefined) throw new Error(`no host key for ${algorithm}`);
        return key.sign(algorithm, hash);
      },
      profile: options.profile ?? 'default',
      softwareVersion: '0.1.0',
      limits: options.limits ?? { rekeyBytes: 2 ** 30, rekeySeconds: 3600 },
      serverSignatureAlgorithms: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'],
      listener: {
        packet: (payload) => {
          if (payload[0] === 5) {
            const service = new ByteReader(payload, 1).string();
            transport.send([new ByteWriter().u8(6).string(service).finish()]);
          } else if (payload[0] === 50 && options.letIn === true) {
            transport.signedIn();
            transport.send([Buffer.of(52)]);
          } else if (payload[0] === 50) transport.send([FAILURE]);
          else options.packet?.(payload, transport);
        },
        closed: (reason, offence) => {
          const next = waiting.shift();
          if (next === undefined) endings.push({ reason, offence });
          else next({ reason, offence });
        },
      },
      onError: (error) => errors.push(error),
    });
    transports.push(transport);
    transport.start();
  });
  await listening(server);
  return {
    port: (server.address() as AddressInfo).port,
    transports,
    errors,
    ended: () =>
      new Promise((resolve) => {
        const known = endings.shift();
        if (known === undefined) waiting.push(resolve);
        else resolve(known);
      }),
    close: async () => {
      for (const transport of transports) transport.disconnect(11, 'test is over');
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
