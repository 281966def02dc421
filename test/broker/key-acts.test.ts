/** Locking, rotating and shredding on a real server, as an operator does it and as a client sees it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import ssh2 from 'ssh2';
import { RunningServer as Administration } from '../../src/cli/connect.ts';
import { readOptions } from '../../src/config/read-options.ts';
import { startServer } from '../../src/main.ts';
import type { RunningServer } from '../../src/main.ts';
import { VaultStub } from '../keys/vault-stub.ts';

suite('keys of tenants on a running server', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-key-acts-'));
  const content = Buffer.alloc(700_000, 'content of a tenant ');
  const vault = new VaultStub();
  let administration = new Administration(folder, () => null);
  let server: RunningServer | null = null;
  let given: Record<string, string> = {};

  async function start(more: Record<string, string> = {}): Promise<void> {
    given = {
      data: folder,
      sftp: '127.0.0.1:0',
      https: 'none',
      fronts: '1',
      'log-level': 'silent',
      penalties: 'false',
      ...more,
    };
    server = await startServer(readOptions(given, {}));
  }
  async function stop(): Promise<void> {
    administration.close();
    await server?.stop();
    server = null;
    administration = new Administration(folder, () => null);
  }
  before(async () => {
    await start();
    const { sftp, client } = await signIn();
    await write(sftp, 'kept', content);
    client.end();
  });
  after(async () => {
    await stop();
    await vault.close();
    rmSync(folder, { recursive: true });
  });

  async function signIn(): Promise<{ client: ssh2.Client; sftp: ssh2.SFTPWrapper; gone: Promise<unknown> }> {
    const client = new ssh2.Client();
    const gone = new Promise<void>((resolve) => {
      client.on('close', () => {
        resolve();
      });
    });
    const privateKey = readFileSync(path.join(folder, 'first', 'id_ed25519'));
    client.connect({ host: '127.0.0.1', port: server?.ready.sftp.port ?? 0, username: 'first', privateKey });
    await once(client, 'ready');
    client.on('error', () => undefined);
    const sftp = await new Promise<ssh2.SFTPWrapper>((resolve, reject) => {
      client.sftp((error, made) => {
        if (error === undefined) resolve(made);
        else reject(error);
      });
    });
    return { client, sftp, gone };
  }
  const write = (sftp: ssh2.SFTPWrapper, name: string, bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      sftp.writeFile(`/exchange/${name}`, bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  const read = (sftp: ssh2.SFTPWrapper, name: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      sftp.readFile(`/exchange/${name}`, (error, bytes) => {
        if (error === undefined) resolve(bytes);
        else reject(error);
      });
    });

  test('rotations beside an open session: it goes on reading and writing', async () => {
    const { sftp, client } = await signIn();
    assert.deepEqual(await read(sftp, 'kept'), content);
    const { from, to } = await administration.call('rootkey.rotate', {});
    await administration.call('tenant.rotate-key', { name: 'first' });
    await write(sftp, 'after', content);
    for (const name of ['kept', 'after']) assert.deepEqual(await read(sftp, name), content);
    client.end();
    const { versions } = await administration.call('rootkey.show', {});
    assert.deepEqual([versions.length, versions[0]?.root, versions[0]?.root === from], [1, to, false]);
  });

  test('locking ends the session that is open, and a new one is told why', async () => {
    const { gone } = await signIn();
    const { ended } = await administration.call('tenant.lock', { name: 'first' });
    assert.equal(ended, 1);
    await gone;
    const { sftp, client } = await signIn();
    await assert.rejects(read(sftp, 'kept'), /out of service/);
    client.end();
    await stop();
    await start();
    const again = await signIn();
    await assert.rejects(read(again.sftp, 'kept'), /out of service/);
    await administration.call('tenant.unlock', { name: 'first' });
    assert.deepEqual(await read(again.sftp, 'kept'), content);
    again.client.end();
  });

  test('the root key moves to Vault while the server runs, and without Vault it does not start', async () => {
    const address = await vault.listen();
    const token = path.join(folder, 'token');
    writeFileSync(token, vault.token(), { mode: 0o600 });
    const options = { 'root-key': 'vault', 'vault-address': address, 'vault-token-file': token };
    await stop();
    await start(options);
    await administration.call('rootkey.rotate', {});
    const { provider, current } = await administration.call('rootkey.show', {});
    assert.deepEqual([provider, current], ['vault', 'vault:transit/waybill:2']);
    const { sftp, client } = await signIn();
    vault.sealed = true;
    assert.deepEqual(await read(sftp, 'kept'), content, 'transfers go on without Vault');
    await write(sftp, 'without vault', content);
    client.end();
    const refused = administration.call('tenant.add', { name: 'late', displayName: 'x', quota: null });
    await assert.rejects(refused, { code: 'root-key-sealed' });
    await stop();
    await assert.rejects(start(options), { code: 'root-key-sealed' });
    vault.sealed = false;
    await start(options);
  });

  test('shredding ends sessions, and its content is gone for everybody', async () => {
    const { gone } = await signIn();
    const unsure = administration.call('tenant.shred', { name: 'first', confirm: 'frist' });
    await assert.rejects(unsure, { code: 'option-invalid' });
    const { ended, traces, keys } = await administration.call('tenant.shred', { name: 'first', confirm: 'first' });
    assert.deepEqual([ended, traces, keys], [1, 'gone', 1]);
    await gone;
    const { sftp, client } = await signIn();
    await assert.rejects(read(sftp, 'kept'), /destroyed/);
    client.end();
    const { tenants } = await administration.call('tenant.list', {});
    assert.deepEqual(
      tenants.map(({ name, state }) => [name, state]),
      [
        ['first', 'shredded'],
        ['operator', 'in-use'],
      ],
    );
    const check = await administration.call('check.next', { after: null });
    assert.deepEqual(check.findings, []);
  });
});
