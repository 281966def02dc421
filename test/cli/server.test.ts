/** The command against a real server, started as the README says. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'ssh2';
import { formatPrivateKey, parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { fingerprint, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { PROJECT, startServer, waybill, waybillProcess } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';

const WAYBILL = path.join(PROJECT, 'src/cli/waybill.ts');

function tryCommand(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WAYBILL, ...words], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

async function connect(server: TestServer): Promise<Client> {
  const client = new Client();
  client.on('error', () => undefined);
  const { host, port, login: username } = server;
  client.connect({ host, port, username, privateKey: readFileSync(server.key) });
  await once(client, 'ready');
  return client;
}

async function json(server: TestServer, ...words: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await waybillProcess(server, [...words, '--json'])) as Record<string, unknown>;
}

describe('waybill and its server', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(() => server.remove());

  it('is ready with what a script needs, and the key is for its owner alone', async () => {
    assert.equal(server.host, '127.0.0.1');
    assert.ok(server.port > 0);
    assert.equal(server.fingerprints.length, 3);
    for (const fingerprint of server.fingerprints) assert.match(fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
    assert.deepEqual([server.tenant, server.login, server.folder], ['first', 'first', '/exchange']);
    assert.equal(statSync(server.key).mode & 0o777, 0o600);
    const { keys } = (await json(server, 'key', 'host')) as { keys: { fingerprint: string }[] };
    assert.deepEqual(
      keys.map(({ fingerprint }) => fingerprint),
      server.fingerprints,
    );
    assert.equal((await json(server, 'status'))['pid'], server.child.pid);
  });

  it('its private parts are closed to others', () => {
    for (const name of ['.', 'keys', 'meta', 'run'])
      assert.equal(statSync(path.join(server.data, name)).mode & 0o077, 0);
    assert.equal(statSync(path.join(server.data, 'run/admin.sock')).mode & 0o777, 0o600);
  });

  it('makes and removes tenants, folders, accounts and grants, in the order that keeps things whole', async () => {
    await waybill(server, ['tenant', 'add', 'acme', '--quota', '1G']);
    await waybill(server, ['folder', 'add', 'acme/in']);
    await waybill(server, ['account', 'add', 'anna', '--tenant', 'acme']);
    await waybill(server, ['grant', 'add', 'anna', 'in', '--rights', 'list,read']);
    assert.deepEqual((await json(server, 'grant', 'list', '--login', 'anna'))['grants'], [
      { login: 'anna', tenant: 'acme', folder: 'in', path: '/in', rights: ['list', 'read'], policy: null },
    ]);
    await assert.rejects(waybill(server, ['tenant', 'remove', 'acme']), /directory-not-empty/);
    await assert.rejects(waybill(server, ['grant', 'add', 'anna', 'first/exchange']), /permission-denied/);
    await waybill(server, ['account', 'remove', 'anna']);
    assert.deepEqual((await json(server, 'grant', 'list', '--tenant', 'acme'))['grants'], []);
    await waybill(server, ['folder', 'remove', 'acme/in']);
    await waybill(server, ['tenant', 'remove', 'acme']);
    await assert.rejects(waybill(server, ['account', 'list', 'acme']), /not-found/);
  });

  it('takes passwords from standard input only, and shows a one-time secret once', async () => {
    await waybill(server, ['account', 'add', 'paul', '--tenant', 'first']);
    await waybill(server, ['account', 'password', 'paul'], 'correct horse battery staple\n');
    await assert.rejects(waybill(server, ['account', 'password', 'paul'], ''), /nothing was entered/);
    const enrolled = await json(server, 'account', 'totp', 'paul');
    assert.match(String(enrolled['uri']), /^otpauth:\/\/totp\//);
    await waybill(server, ['account', 'require', 'paul', 'password+totp']);
    const { accounts } = (await json(server, 'account', 'list')) as { accounts: Record<string, unknown>[] };
    const paul = accounts.find(({ login }) => login === 'paul');
    assert.deepEqual([paul?.['password'], paul?.['totp'], paul?.['require']], [true, true, [['password', 'totp']]]);
    assert.doesNotMatch(JSON.stringify(accounts), new RegExp(String(enrolled['secret'])));
    await waybill(server, ['account', 'remove', 'paul']);
  });

  it('session end acts at once', async () => {
    const client = await connect(server);
    const closed = once(client, 'close');
    const { sessions } = (await json(server, 'session', 'list', 'first')) as { sessions: { session: string }[] };
    assert.equal(sessions.length, 1);
    const sftp = await new Promise<import('ssh2').SFTPWrapper>((resolve, reject) => {
      client.sftp((error, wrapper) => {
        if (error === undefined) resolve(wrapper);
        else reject(error);
      });
    });
    sftp.on('error', () => undefined);
    assert.match(await waybill(server, ['session', 'end', sessions[0]?.session ?? '']), /1 session is ended/);
    await closed;
    assert.deepEqual((await json(server, 'session', 'list'))['sessions'], []);
    await assert.rejects(waybill(server, ['session', 'end', sessions[0]?.session ?? '']), /not-found/);
  });

  it('suspending an account ends its sessions and refuses new ones, until it is activated', async () => {
    const client = await connect(server);
    const closed = once(client, 'close');
    await waybill(server, ['account', 'suspend', 'first']);
    await closed;
    const refused = new Client();
    refused.connect({ host: server.host, port: server.port, username: 'first', privateKey: readFileSync(server.key) });
    const [error] = (await once(refused, 'error')) as [Error];
    assert.match(error.message, /authentication methods failed/);
    await waybill(server, ['account', 'activate', 'first']);
    (await connect(server)).end();
  });

  it('removing or revoking a key ends the sessions that it opened, and a revoked one stays out', async () => {
    const made = formatPrivateKey(generateKeyPairSync('ed25519').privateKey, 'carol');
    const { public: key } = parsePrivateKey(made);
    const file = path.join(server.temporary, 'carol');
    writeFileSync(file, made, { mode: 0o600 });
    writeFileSync(`${file}.pub`, `${publicKeyLine(key, 'carol')}\n`);
    await waybill(server, ['account', 'add', 'carol', '--tenant', 'first', '--key', `${file}.pub`, '--service']);
    const carol = { ...server, login: 'carol', key: file };
    const print = fingerprint(key.blob);
    for (const verb of ['remove', 'revoke']) {
      const client = await connect(carol);
      const closed = once(client, 'close');
      await waybill(server, ['key', verb, print]);
      await closed;
      if (verb === 'remove') await waybill(server, ['key', 'add', 'carol', `${file}.pub`]);
    }
    await waybill(server, ['key', 'remove', print]);
    await assert.rejects(waybill(server, ['key', 'add', 'carol', `${file}.pub`]), /this key is revoked/);
    const { revoked } = (await json(server, 'key', 'revoked')) as { revoked: { value: string }[] };
    assert.deepEqual(
      revoked.map(({ value }) => value),
      [print],
    );
    await waybill(server, ['account', 'remove', 'carol']);
  });

  it('check walks the store and finds it whole', async () => {
    const checked = await json(server, 'check');
    assert.deepEqual(checked['findings'], []);
  });

  it('a second server on the same data folder is refused in one line', () => {
    const { status, stderr, stdout } = tryCommand(
      'serve',
      '--data',
      server.data,
      '--sftp',
      '127.0.0.1:0',
      '--https',
      'none',
    );
    assert.equal(status, 4);
    assert.match(stderr, /^waybill: .*already-running.*\n$/);
    assert.equal(stdout, '');
  });

  it('a second start finds everything again', async () => {
    const before = { key: readFileSync(server.key, 'utf8'), fingerprints: server.fingerprints };
    await server.stop();
    assert.equal(server.child.exitCode, 0);
    assert.equal(existsSync(path.join(server.data, 'run/admin.sock')), false);
    server = await startServer({ temporary: server.temporary });
    assert.deepEqual({ key: readFileSync(server.key, 'utf8'), fingerprints: server.fingerprints }, before);
    (await connect(server)).end();
  });
});

describe('a start that cannot be', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-start-'));
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const data = path.join(folder, 'data');

  it('with a wrong option says in one line which, what and what is allowed, and makes nothing', () => {
    const lines: readonly (readonly [string[], RegExp])[] = [
      [['--sftp', 'here:99999'], /^--sftp is "here:99999"; allowed is ADDRESS:PORT/],
      [['--fronts', '0'], /^--fronts is "0"; allowed is a whole number from 1/],
      [['--log-level', 'loud'], /^--log-level is "loud"; allowed is one of/],
      [['--config', path.join(folder, 'none.json')], /none\.json/],
      [['--speed', 'high'], /Unknown option '--speed'/],
    ];
    for (const [words, message] of lines) {
      const { status, stderr, stdout } = tryCommand('serve', '--data', data, ...words);
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
      assert.equal(stdout, '');
      assert.equal(existsSync(data), false);
    }
  });

  it('on a data folder that others can enter, or that is no folder, says what to do', () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    assert.equal(tryCommand('serve', '--data', file, '--sftp', '127.0.0.1:0').status, 7);
    const open = path.join(folder, 'open');
    mkdirSync(open, { mode: 0o755 });
    const { status, stderr } = tryCommand('serve', '--data', open, '--sftp', '127.0.0.1:0');
    assert.equal(status, 7);
    assert.match(stderr, /chmod 700/);
  });

  it('without a server the commands say so, with their own exit code', () => {
    const people = tryCommand('tenant', 'list', '--data', data);
    assert.equal(people.status, 6);
    assert.match(people.stderr, /not-running.*waybill serve/);
    const script = tryCommand('tenant', 'list', '--data', data, '--json');
    assert.equal((JSON.parse(script.stderr) as { code: string }).code, 'not-running');
  });

  it('is ended cleanly by a signal as soon as it stands', async () => {
    const child = spawn(
      process.execPath,
      [WAYBILL, 'serve', '--data', data, '--sftp', '127.0.0.1:0', '--https', 'none'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (text.includes('"ready"')) child.kill('SIGTERM');
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, log);
  });
});
