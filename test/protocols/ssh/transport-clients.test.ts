/** The transport against programs that others wrote: every algorithm, bytes both ways, new keys on the way. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import ssh2 from 'ssh2';
import { ByteReader } from '../../../src/base/bytes.ts';
import { CIPHERS, MACS } from '../../../src/protocols/ssh/ciphers.ts';
import { KEX_ALGORITHMS } from '../../../src/protocols/ssh/kex-algorithms.ts';
import { echoChannel } from './echo-channel.ts';
import {
  ecdsaHostKey,
  ed25519HostKey,
  rsaHostKey,
  startTinyServer,
  type TestHostKey,
  type TinyServer,
} from './tiny-server.ts';

const HOST_KEY_ALGORITHMS = ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256', 'ecdsa-sha2-nistp256'];

function found(program: string, ...args: string[]): string | null {
  try {
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    return '';
  }
}

function missing(program: string, known: string | null): string | false {
  return known === null ? `${program} is not installed` : false;
}

let server: TinyServer;

before(async () => {
  server = await startTinyServer({
    hostKeys: [ed25519HostKey(), rsaHostKey(), ecdsaHostKey()],
    profile: 'legacy',
    letIn: true,
    packet: echoChannel,
  });
});

after(async () => {
  await server.close();
  assert.deepEqual(server.errors, []);
});

interface Run {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

function run(program: string, args: readonly string[], input: Buffer): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, out: Buffer.concat(out), err: Buffer.concat(err).toString() });
    });
    child.stdin.end(input);
  });
}

/** Below the 2 MiB window that clients open with. */
const DATA = randomBytes(1_500_000);

async function openSsh(program: string, ...options: string[]): Promise<void> {
  await openSshAt(server, program, ...options);
}

async function openSshAt({ port }: TinyServer, program: string, ...options: string[]): Promise<void> {
  const args = ['-F', 'none', '-p', String(port)];
  // ssh takes the first value of an option that it meets.
  const always = [
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=no',
    'BatchMode=yes',
    'LogLevel=ERROR',
  ];
  for (const option of [...options, ...always]) args.push('-o', option);
  const { code, out, err } = await run(program, [...args, 'user@127.0.0.1', 'echo'], DATA);
  assert.equal(code, 0, err);
  assert.ok(out.equals(DATA), `${out.length} bytes came back`);
}

/** The host key with a certificate that ssh-keygen makes for it. */
function certified(key: TestHostKey, folder: string, name: string): TestHostKey {
  const type = new ByteReader(key.hostKey.blob).ascii();
  const file = path.join(folder, name);
  writeFileSync(`${file}.pub`, `${type} ${key.hostKey.blob.toString('base64')}\n`);
  const signing = ['-q', '-h', '-s', path.join(folder, 'authority'), '-I', name, '-n', '127.0.0.1,[127.0.0.1]'];
  execFileSync('ssh-keygen', [...signing, `${file}.pub`]);
  const certificate = Buffer.from(readFileSync(`${file}-cert.pub`, 'utf8').split(' ')[1] ?? '', 'base64');
  return { ...key, hostKey: { ...key.hostKey, certificate } };
}

const pairs = Object.keys(CIPHERS).flatMap((cipher) =>
  CIPHERS[cipher]?.implicitMac === true ? [[cipher, '']] : Object.keys(MACS).map((mac) => [cipher, mac]),
) as [string, string][];

const OPENSSH: readonly (readonly [string, string])[] = [
  ['OpenSSH', 'ssh'],
  ...(process.env.WAYBILL_TEST_SSH_NEW ? [['newer OpenSSH', process.env.WAYBILL_TEST_SSH_NEW] as const] : []),
];

for (const [name, program] of OPENSSH) {
  const knownKex = found(program, '-Q', 'kex');
  describe(name, { skip: missing(program, knownKex) }, () => {
    for (const kex of Object.keys(KEX_ALGORITHMS)) {
      const skip = knownKex?.split('\n').includes(kex) === true ? false : `this ${name} does not know ${kex}`;
      it(`key exchange ${kex}`, { skip }, () => openSsh(program, `KexAlgorithms=${kex}`));
    }
    for (const algorithm of HOST_KEY_ALGORITHMS) {
      it(`host key ${algorithm}`, () => openSsh(program, `HostKeyAlgorithms=${algorithm}`));
    }
    it('bears new keys that the server wants every 200 KB', async () => {
      const often = await startTinyServer({
        letIn: true,
        limits: { rekeyBytes: 200_000, rekeySeconds: 3600 },
        packet: echoChannel,
      });
      try {
        await openSshAt(often, program);
        assert.deepEqual(often.errors, []);
      } finally {
        await often.close();
      }
    });
    it('checks host certificates of ed25519 and RSA keys', async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'waybill-host-certificate-'));
      try {
        const authority = path.join(folder, 'authority');
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authority]);
        const knownHosts = path.join(folder, 'known_hosts');
        await writeFile(knownHosts, `@cert-authority * ${await readFile(`${authority}.pub`, 'utf8')}`);
        const hostKeys = [certified(ed25519HostKey(), folder, 'one'), certified(rsaHostKey(), folder, 'two')];
        const certifiedServer = await startTinyServer({ hostKeys, letIn: true, packet: echoChannel });
        try {
          for (const algorithm of ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256']) {
            await openSshAt(
              certifiedServer,
              program,
              `UserKnownHostsFile=${knownHosts}`,
              'StrictHostKeyChecking=yes',
              `HostKeyAlgorithms=${algorithm}-cert-v01@openssh.com`,
            );
          }
        } finally {
          await certifiedServer.close();
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });
    for (const [cipher, mac] of pairs) {
      it(`${cipher} ${mac}, with new keys every 200 KB`, async () => {
        const macOption = mac === '' ? [] : [`MACs=${mac}`];
        await openSsh(program, `Ciphers=${cipher}`, 'RekeyLimit=200K', ...macOption);
        const used = server.transports.at(-1)?.negotiated;
        assert.deepEqual([used?.cipherIn, used?.macOut], [cipher, mac === '' ? cipher : mac]);
      });
    }
  });
}
if (process.env.WAYBILL_TEST_SSH_NEW === undefined) {
  it('newer OpenSSH', { skip: 'WAYBILL_TEST_SSH_NEW names no client (9.9 or later, for ML-KEM)' }, () => undefined);
}

describe('npm ssh2', () => {
  const connect = (algorithms: ssh2.Algorithms): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const client = new ssh2.Client();
      client.on('error', reject);
      client.on('ready', () => {
        client.exec('echo', (error, stream) => {
          if (error) {
            reject(error);
            return;
          }
          const out: Buffer[] = [];
          stream.on('data', (chunk: Buffer) => out.push(chunk));
          stream.on('close', () => {
            client.end();
            resolve(Buffer.concat(out));
          });
          stream.end(DATA);
        });
      });
      client.connect({ host: '127.0.0.1', port: server.port, username: 'user', algorithms });
    });

  const kexs = Object.keys(KEX_ALGORITHMS).filter((kex) => kex !== 'mlkem768x25519-sha256');
  for (const kex of kexs) {
    it(`key exchange ${kex}`, async () => {
      assert.ok((await connect({ kex: [kex as ssh2.KexAlgorithm] })).equals(DATA));
    });
  }
  for (const [cipher, mac] of pairs) {
    it(`${cipher} ${mac}`, async () => {
      const algorithms: ssh2.Algorithms = { cipher: [cipher as ssh2.CipherAlgorithm] };
      if (mac !== '') algorithms.hmac = [mac as ssh2.MacAlgorithm];
      assert.ok((await connect(algorithms)).equals(DATA));
    });
  }
});

describe('PuTTY', { skip: missing('plink', found('plink', '-V')) }, () => {
  it('sends and gets bytes', async () => {
    // Below PuTTY's first window of 16 KiB.
    const input = DATA.subarray(0, 10_000);
    const refused = await run('plink', ['-batch', '-P', String(server.port), 'user@127.0.0.1', 'echo'], input);
    const fingerprint = /SHA256:\S+/.exec(refused.err)?.[0];
    assert.ok(fingerprint, refused.err);
    const args = ['-batch', '-hostkey', fingerprint, '-P', String(server.port), 'user@127.0.0.1', 'echo'];
    const { out, err } = await run('plink', args, input);
    assert.ok(out.equals(input), err);
  });
});
