/** From socket to file with foreign clients: npm ssh2 and, where it is installed, OpenSSH's sftp. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import type { ConnectConfig, SFTPWrapper } from 'ssh2';
import { formatPrivateKey } from '../../../src/sshkeys/private-key.ts';
import { settle } from './connection-harness.ts';
import { startWholeServer } from './whole-server.ts';
import type { WholeServer, WholeServerOptions } from './whole-server.ts';

const run = promisify(execFile);
const ED25519 = generateKeyPairSync('ed25519');

let server: WholeServer | null = null;
const clients: ssh2.Client[] = [];

async function serve(options: WholeServerOptions): Promise<WholeServer> {
  server = await startWholeServer(options);
  return server;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await server?.close();
  server = null;
});

/** Until the condition holds; the runner's own time limit ends it otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle();
}

function client(): ssh2.Client {
  const made = new ssh2.Client();
  made.on('error', () => undefined);
  clients.push(made);
  return made;
}

async function connected(port: number, config: ConnectConfig): Promise<ssh2.Client> {
  const made = new ssh2.Client();
  clients.push(made);
  made.connect({ host: '127.0.0.1', port, username: 'ada', ...config });
  await once(made, 'ready');
  made.on('error', () => undefined);
  return made;
}

const sftpOf = (made: ssh2.Client): Promise<SFTPWrapper> =>
  new Promise((resolve, reject) => {
    made.sftp((error, sftp) => {
      if (error) reject(error);
      else resolve(sftp);
    });
  });

/** Listens from within the callback: a refusal comes all at once, and its events with it. */
const execOf = (made: ssh2.Client, command: string): Promise<{ status: number; stderr: string }> =>
  new Promise((resolve, reject) => {
    made.exec(command, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      let status = -1;
      let stderr = '';
      channel.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      channel.on('exit', (code: number) => (status = code));
      channel.on('close', () => {
        resolve({ status, stderr });
      });
      channel.resume();
    });
  });

describe('npm ssh2', () => {
  it('signs in by password, puts and gets', async () => {
    const { port, files } = await serve({ password: 'secret' });
    files.put('/inbox/readme', 'x');
    const sftp = await sftpOf(await connected(port, { password: 'secret' }));
    const content = randomBytes(1_000_000);
    await promisify<string, Buffer, undefined>(sftp.writeFile.bind(sftp) as never)('/inbox/big', content);
    const got = await promisify<string, Buffer>(sftp.readFile.bind(sftp) as never)('/inbox/big');
    assert.ok(content.equals(got));
  });

  for (const [name, made] of [
    ['ed25519', ED25519],
    ['rsa', generateKeyPairSync('rsa', { modulusLength: 3072 })],
    ['ecdsa', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ] as const) {
    it(`signs in by an ${name} key`, async () => {
      const { port, brokers } = await serve({ userKey: made.publicKey });
      await connected(port, { privateKey: formatPrivateKey(made.privateKey, 'test') });
      assert.ok(brokers[0]?.names().includes('signin.publickey'));
    });
  }

  it('signs in by key and code', async () => {
    const { port } = await serve({ userKey: ED25519.publicKey, code: '123456', banner: 'Hello\n' });
    const made = client();
    let banner = '';
    made.on('banner', (text) => (banner = text));
    made.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
      assert.equal(prompts[0]?.prompt, 'Code: ');
      finish(['123456']);
    });
    const privateKey = formatPrivateKey(ED25519.privateKey, 'test');
    made.connect({ host: '127.0.0.1', port, username: 'ada', privateKey, tryKeyboard: true });
    await once(made, 'ready');
    assert.equal(banner, 'Hello\n');
  });

  it('is refused with another password', async () => {
    const { port, brokers } = await serve({ password: 'secret' });
    await assert.rejects(connected(port, { password: 'guess' }), /authentication methods failed/);
    assert.ok(brokers[0]?.names().includes('signin.password'));
  });

  it('is told that commands are not served', async () => {
    const { port } = await serve({ password: 'secret' });
    const answer = await execOf(await connected(port, { password: 'secret' }), 'cat /etc/passwd');
    assert.deepEqual(answer, { status: 1, stderr: 'This service allows sftp connections only.\r\n' });
  });

  it('forwards nothing', async () => {
    const { port } = await serve({ password: 'secret' });
    const made = await connected(port, { password: 'secret' });
    await assert.rejects(promisify(made.forwardIn.bind(made))('127.0.0.1', 0), /Unable to bind/);
    await assert.rejects(
      promisify(made.forwardOut.bind(made))('127.0.0.1', 1, '127.0.0.1', 2),
      /this server forwards nothing/,
    );
  });

  it('runs several sftp channels at once', async () => {
    const { port, files } = await serve({ password: 'secret' });
    files.put('/inbox/data', randomBytes(500_000));
    const made = await connected(port, { password: 'secret' });
    const all = await Promise.all([sftpOf(made), sftpOf(made), sftpOf(made)]);
    const got = await Promise.all(
      all.map((sftp) => promisify<string, Buffer>(sftp.readFile.bind(sftp) as never)('/inbox/data')),
    );
    for (const content of got) assert.equal(content.length, 500_000);
  });

  it('is told the end, and the broker too', async () => {
    const { port, connections, brokers, ends } = await serve({ password: 'secret' });
    const made = await connected(port, { password: 'secret' });
    await sftpOf(made);
    connections[0]?.end('ended by the operator');
    await once(made, 'close');
    await until(() => ends.length === 1);
    assert.deepEqual(ends, [{ reason: 'ended by the operator', offence: 'none' }]);
    assert.equal(brokers[0]?.names().filter((name) => name === 'connection.closed').length, 1);
  });

  it('may vanish at any moment', async () => {
    const { port, ends } = await serve({ password: 'secret' });
    for (const delay of [0, 1, 2, 5, 10, 20, 40, 80]) {
      const made = client();
      made.connect({ host: '127.0.0.1', port, username: 'ada', password: 'secret' });
      await new Promise((resolve) => setTimeout(resolve, delay));
      made.destroy();
    }
    // The connection that comes after all of them is served.
    await connected(port, { password: 'secret' });
    await until(() => ends.length >= 7);
    assert.ok(ends.every((end) => end.offence === 'none'));
  });
});

const installed = spawnSync('sftp', ['-h']).error === undefined;

describe('OpenSSH sftp', { skip: installed ? false : 'sftp is not installed' }, () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-ssh-'));
    await writeFile(join(folder, 'key'), formatPrivateKey(ED25519.privateKey, 'test'), { mode: 0o600 });
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  async function knownHosts(lines: readonly string[], port: number): Promise<string> {
    const file = join(folder, `known-${port}`);
    await writeFile(file, lines.map((line) => `[127.0.0.1]:${port} ${line}\n`).join(''));
    return file;
  }

  function options(port: number, known: string): string[] {
    const set = {
      IdentityFile: join(folder, 'key'),
      IdentitiesOnly: 'yes',
      UserKnownHostsFile: known,
      GlobalKnownHostsFile: '/dev/null',
      StrictHostKeyChecking: 'yes',
      UpdateHostKeys: 'yes',
      BatchMode: 'yes',
      Port: String(port),
    };
    return ['-F', '/dev/null', ...Object.entries(set).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  }

  it('puts and gets, and learns the host keys it did not know', async () => {
    const { port, files, hostKeyLines, brokers } = await serve({ userKey: ED25519.publicKey });
    files.put('/inbox/readme', 'x');
    const known = await knownHosts(hostKeyLines.slice(0, 1), port);
    const content = randomBytes(5_000_000);
    await writeFile(join(folder, 'big'), content);
    const batch = join(folder, 'batch');
    await writeFile(batch, `put ${folder}/big /inbox/big\nget /inbox/big ${folder}/back\nls /inbox\n`);
    await run('sftp', [...options(port, known), '-b', batch, 'ada@127.0.0.1']);
    assert.ok(content.equals(await readFile(join(folder, 'back'))));
    const learnt = (await readFile(known, 'utf8')).split('\n').filter((line) => line !== '');
    assert.equal(learnt.length, hostKeyLines.length);
    const [broker] = brokers;
    assert.ok(broker !== undefined);
    assert.ok(broker.calls.some(({ name, request }) => name === 'signin.publickey' && 'hostKey' in request));
    assert.ok(broker.names().includes('hostkey.prove'));
  });

  it('goes on through new keys in the middle of transfers', async () => {
    const limits = { rekeyBytes: 300_000 };
    const { port, hostKeyLines, brokers } = await serve({ userKey: ED25519.publicKey, limits });
    const known = await knownHosts(hostKeyLines, port);
    const content = randomBytes(5_000_000);
    await writeFile(join(folder, 'big'), content);
    const batch = join(folder, 'batch');
    await writeFile(batch, `put ${folder}/big /big\nget /big ${folder}/back\n`);
    await run('sftp', [...options(port, known), '-b', batch, 'ada@127.0.0.1']);
    assert.ok(content.equals(await readFile(join(folder, 'back'))));
    assert.ok((brokers[0]?.names().filter((name) => name === 'hostkey.sign').length ?? 0) > 5);
  });

  it('gets the refusal of a shell as text', async () => {
    const { port, hostKeyLines } = await serve({ userKey: ED25519.publicKey });
    const known = await knownHosts(hostKeyLines, port);
    for (const command of [[], ['id']]) {
      const failed = run('ssh', ['-T', ...options(port, known), 'ada@127.0.0.1', ...command]);
      await assert.rejects(failed, { code: 1, stderr: 'This service allows sftp connections only.\r\n' });
    }
  });
});
