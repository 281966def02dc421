/** A real ssh-agent, real key files, the real PuTTY: what waybill login puts there. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { addKnownHosts, writeKeyFiles } from '../../src/cli/key-files.ts';
import { SshAgent } from '../../src/cli/ssh-agent.ts';
import { signCertificate } from '../../src/sshkeys/certificate-sign.ts';
import { publicKeyFrom } from '../../src/sshkeys/public-key.ts';
import { parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { skipWithout } from '../interop/suite.ts';

function certified() {
  const [authority, own] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const key = own.privateKey;
  const certificate = signCertificate(
    { key: authority.privateKey, public: publicKeyFrom(authority.publicKey) },
    {
      role: 'user',
      key: publicKeyFrom(own.publicKey),
      serial: 7n,
      keyId: 'waybill anna 7',
      principals: ['anna'],
      from: Date.now(),
      until: Date.now() + 3_600_000,
      addresses: null,
    },
  );
  return { key, certificate, comment: 'waybill anna@files.example.com' };
}

describe('a real ssh-agent', { skip: skipWithout('ssh-agent') }, () => {
  let folder: string;
  let process_: ChildProcess;
  let place: string;
  let agent: SshAgent;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-agent-'));
    place = join(folder, 'socket');
    process_ = spawn('ssh-agent', ['-D', '-a', place], { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.ok(process_.stdout);
    // It says where it listens once it does.
    await once(createInterface(process_.stdout), 'line');
    agent = await SshAgent.connect(place);
  });
  after(() => {
    agent.close();
    process_.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const listed = (): string => {
    try {
      return execFileSync('ssh-add', ['-L'], { env: { ...process.env, SSH_AUTH_SOCK: place }, encoding: 'utf8' });
    } catch (error) {
      return String((error as { stdout: unknown }).stdout);
    }
  };

  it('takes a certificate with its key, lists it, removes it', async () => {
    assert.deepEqual(await agent.list(), []);
    const [one, two] = [certified(), certified()];
    await agent.add({ ...one, lifetimeSeconds: 600 });
    await agent.add({ ...two, lifetimeSeconds: 600 });
    assert.deepEqual(
      (await agent.list()).map(({ blob, comment }) => [blob, comment]),
      [one, two].map(({ certificate, comment }) => [certificate.blob, comment]),
    );
    assert.match(listed(), new RegExp(`^${one.certificate.type.replaceAll('.', '\\.')} `));
    await agent.remove(one.certificate);
    assert.deepEqual((await agent.list()).length, 1);
    await assert.rejects(agent.remove(one.certificate), { code: 'permission-denied' });
    await agent.remove(two.certificate);
  });

  it('forgets it by itself when its time is over', async () => {
    await agent.add({ ...certified(), lifetimeSeconds: 1 });
    assert.equal((await agent.list()).length, 1);
    const deadline = Date.now() + 10_000;
    while ((await agent.list()).length > 0) {
      assert.ok(Date.now() < deadline, 'the agent keeps it');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });

  it('refuses a key that does not belong to the certificate', async () => {
    const other = generateKeyPairSync('ed25519').privateKey;
    await assert.rejects(agent.add({ ...certified(), key: other, lifetimeSeconds: 60 }), { code: 'permission-denied' });
  });
});

describe('what only says that it is an agent', () => {
  let folder: string;
  let server: Server | null;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-agent-'));
    server = null;
  });
  afterEach(() => {
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  async function answering(answer: Buffer | null): Promise<SshAgent> {
    const place = join(folder, 'socket');
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => (answer === null ? socket.destroy() : socket.write(answer)));
    }).listen(place);
    await once(server, 'listening');
    return SshAgent.connect(place);
  }

  it('is refused by its place, when it hangs up, and when it answers nonsense', async () => {
    await assert.rejects(SshAgent.connect(join(folder, 'nowhere')), { code: 'not-running' });
    const answers: readonly (Buffer | null)[] = [
      null,
      Buffer.from('00000000', 'hex'),
      Buffer.from('ffffffff0c', 'hex'),
      Buffer.from('0000000105', 'hex'),
      Buffer.from('000000050cffffffff', 'hex'),
      Buffer.from('000000090c00000001ffffffff', 'hex'),
    ];
    for (const answer of answers) {
      const agent = await answering(answer);
      await assert.rejects(agent.list());
      agent.close();
      server?.close();
      await once(server as Server, 'close');
    }
  });
});

describe('key files', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-key-files-'));
    file = join(folder, 'waybill');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('are for their owner alone, what ssh-keygen reads, and replaced by the next login', async () => {
    const one = certified();
    const written = await writeKeyFiles(file, one);
    assert.deepEqual(written.sort(), [file, `${file}-cert.pub`, `${file}.ppk`].sort());
    for (const name of written) assert.equal(statSync(name).mode & 0o777, 0o600, name);
    const own = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' });
    assert.ok(own.includes(one.certificate.key.blob.toString('base64')));
    assert.match(execFileSync('ssh-keygen', ['-L', '-f', `${file}-cert.pub`], { encoding: 'utf8' }), /Serial: 7/);
    const two = certified();
    await writeKeyFiles(file, two);
    assert.ok(readFileSync(`${file}-cert.pub`, 'utf8').includes(two.certificate.blob.toString('base64')));
  });

  it('never take the place of a key that somebody else made', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'mine', '-f', file]);
    const before = readFileSync(file, 'utf8');
    await assert.rejects(writeKeyFiles(file, certified()), { code: 'already-exists' });
    writeFileSync(file, 'not a key at all');
    await assert.rejects(writeKeyFiles(file, certified()), { code: 'already-exists' });
    assert.notEqual(before, '');
    assert.ok(!existsSync(`${file}-cert.pub`));
  });

  it('of PuTTY are what puttygen reads', { skip: skipWithout('puttygen') }, async () => {
    const one = certified();
    await writeKeyFiles(file, one);
    const open = execFileSync('puttygen', [`${file}.ppk`, '-L'], { encoding: 'utf8' });
    assert.equal(open.trim(), `${one.certificate.type} ${one.certificate.blob.toString('base64')} ${one.comment}`);
    execFileSync('puttygen', [`${file}.ppk`, '-O', 'private-openssh-new', '-o', `${file}.back`]);
    const back = parsePrivateKey(readFileSync(`${file}.back`, 'utf8'));
    assert.deepEqual(back.key.export({ format: 'jwk' }), one.key.export({ format: 'jwk' }));
  });

  it('known_hosts gets a line once, and keeps what it has', async () => {
    const known = join(folder, 'known_hosts');
    const line = '@cert-authority files.example.com ssh-ed25519 AAAA waybill host authority';
    assert.equal(await addKnownHosts(known, [line]), true);
    assert.equal(await addKnownHosts(known, [line]), false);
    assert.equal(readFileSync(known, 'utf8'), `${line}\n`);
    assert.equal(statSync(known).mode & 0o777, 0o600);
    writeFileSync(known, 'other ssh-ed25519 BBBB');
    await addKnownHosts(known, [line]);
    assert.equal(readFileSync(known, 'utf8'), `other ssh-ed25519 BBBB\n${line}\n`);
  });
});
