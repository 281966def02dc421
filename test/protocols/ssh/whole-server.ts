/** A real socket, the real transport, the real SFTP over files in memory; only the broker is played here. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { ByteWriter } from '../../../src/base/bytes.ts';
import { SILENT } from '../../../src/base/log.ts';
import type { HostKey, Request, Response } from '../../../src/broker/calls.ts';
import { serveSftp } from '../../../src/protocols/sftp/server.ts';
import { serveSshConnection } from '../../../src/protocols/ssh/serve.ts';
import type { SshConnection } from '../../../src/protocols/ssh/serve.ts';
import type { Offence } from '../../../src/protocols/ssh/connection.ts';
import { signWithHostKey } from '../../../src/sshkeys/host-key.ts';
import { parsePublicKey, publicKeyFrom } from '../../../src/sshkeys/public-key.ts';
import { verifySignature } from '../../../src/sshkeys/signature.ts';
import { MemoryFiles } from '../sftp/memory-files.ts';
import { CONNECTION_ID, FakeBroker, LIMITS, REFUSAL, SESSION, WELCOME } from './connection-harness.ts';
import type { Handlers } from './connection-harness.ts';

export interface WholeServer {
  readonly port: number;
  readonly hostKeyLines: string[];
  readonly files: MemoryFiles;
  /** One broker per connection, in order. */
  readonly brokers: FakeBroker[];
  readonly connections: SshConnection[];
  readonly ends: { reason: string; offence: Offence }[];
  close(): Promise<void>;
}

export interface WholeServerOptions {
  /** The key that may sign in as anybody. */
  readonly userKey?: KeyObject;
  readonly password?: string;
  /** After the first factor, over keyboard-interactive. */
  readonly code?: string;
  readonly banner?: string;
  readonly handlers?: Handlers;
  readonly limits?: Partial<Response<'hello'>['limits']>;
}

interface OwnKey {
  readonly privateKey: KeyObject;
  readonly row: HostKey;
}

function ownKey(privateKey: KeyObject, publicKey: KeyObject, algorithms: string[]): OwnKey {
  return { privateKey, row: { algorithms, blob: publicKeyFrom(publicKey).blob, certificate: null } };
}

function makeOwnKeys(): OwnKey[] {
  const ed25519 = generateKeyPairSync('ed25519');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
  return [
    ownKey(ed25519.privateKey, ed25519.publicKey, ['ssh-ed25519']),
    ownKey(rsa.privateKey, rsa.publicKey, ['rsa-sha2-512', 'rsa-sha2-256']),
  ];
}

export async function startWholeServer(options: WholeServerOptions): Promise<WholeServer> {
  const keys = makeOwnKeys();
  const files = new MemoryFiles();
  const brokers: FakeBroker[] = [];
  const connections: SshConnection[] = [];
  const ends: WholeServer['ends'] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const broker = new FakeBroker({ ...decisions(keys, options), ...options.handlers });
    brokers.push(broker);
    const connection = serveSshConnection({
      socket,
      profile: 'default',
      connection: CONNECTION_ID,
      configuration: {
        hostKeys: keys.map((key) => key.row),
        blobs: '',
        incoming: '',
        limits: { ...LIMITS, ...options.limits },
        banner: options.banner ?? null,
        softwareVersion: 'Waybill_test',
      },
      broker,
      services: {
        subsystems: {
          sftp: (channel, session) =>
            serveSftp({ channel, files, session, limits: { handlesPerSession: 64 }, log: SILENT }),
        },
        commands: {},
      },
      log: SILENT,
      onClosed: (reason, offence) => {
        ends.push({ reason, offence });
      },
    });
    connections.push(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hostKeyLines: keys.map(({ row }) => {
      const { type } = parsePublicKey(row.blob);
      return `${type} ${row.blob.toString('base64')}`;
    }),
    files,
    brokers,
    connections,
    ends,
    async close() {
      for (const connection of connections) connection.end('the test is over');
      server.close();
      await once(server, 'close');
    },
  };
}

/** What the broker would decide: the key or the password, then the code if there is one. */
function decisions(keys: readonly OwnKey[], { userKey, password, code }: WholeServerOptions): Handlers {
  let sessionId: Buffer | null = null;
  const own = userKey === undefined ? null : publicKeyFrom(userKey);
  const first = (): Response<'signin.password'> =>
    code === undefined ? WELCOME : { result: 'failure', methods: ['keyboard-interactive'], partial: true };
  let firstDone = false;
  const pass = (good: boolean): Response<'signin.password'> => {
    firstDone ||= good;
    return good ? first() : REFUSAL;
  };
  const signed = (request: Request<'signin.publickey'>): Buffer => {
    const { user, algorithm, blob, hostKey } = request;
    const writer = new ByteWriter()
      .string(sessionId ?? '')
      .u8(50)
      .string(user)
      .string('ssh-connection');
    writer.string(hostKey === undefined ? 'publickey' : 'publickey-hostbound-v00@openssh.com').boolean(true);
    writer.string(algorithm).string(blob);
    return hostKey === undefined ? writer.finish() : writer.string(hostKey).finish();
  };
  return {
    'hostkey.sign': ({ algorithm, digest, exchange }) => {
      const hash = createHash(digest).update(exchange).digest();
      sessionId ??= Buffer.from(hash);
      const key = keys.find(({ row }) => row.algorithms.includes(algorithm));
      if (key === undefined) throw new Error(`no host key for ${algorithm}`);
      return { signature: signWithHostKey(key.privateKey, algorithm, hash) };
    },
    'hostkey.prove': ({ algorithm, blob }) => {
      const key = keys.find(({ row }) => row.blob.equals(blob));
      if (key === undefined) throw new Error('not a host key');
      const data = new ByteWriter()
        .string('hostkeys-prove-00@openssh.com')
        .string(sessionId ?? '')
        .string(blob);
      return { signature: signWithHostKey(key.privateKey, algorithm, data.finish()) };
    },
    'signin.password': (request) => pass(password !== undefined && request.password.equals(Buffer.from(password))),
    'signin.publickey-query': ({ blob }) => ({ acceptable: own?.blob.equals(blob) ?? false, answer: REFUSAL }),
    'signin.publickey': (request) =>
      pass(
        own !== null &&
          own.blob.equals(request.blob) &&
          verifySignature(own, request.algorithm, request.signature, signed(request)).valid,
      ),
    'signin.interactive': () => ({
      result: 'prompt',
      instruction: '',
      prompts: [{ text: 'Code: ', echo: false }],
    }),
    'signin.answers': ({ answers }) =>
      firstDone && code !== undefined && answers[0]?.equals(Buffer.from(code)) === true
        ? { ...WELCOME, session: SESSION }
        : { ...REFUSAL },
  };
}
