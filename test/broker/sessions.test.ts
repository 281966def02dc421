/** Sessions of a real server, watched and ended through the administration socket, with a foreign client (npm ssh2). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import ssh2 from 'ssh2';
import { readOptions } from '../../src/config/read-options.ts';
import { RunningServer as Administration } from '../../src/cli/connect.ts';
import { startServer } from '../../src/main.ts';
import type { RunningServer } from '../../src/main.ts';

suite('sessions', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-sessions-'));
  const administration = new Administration(folder, () => null);
  let server: RunningServer | null = null;
  before(async () => {
    const given = {
      data: folder,
      sftp: '127.0.0.1:0',
      https: 'none',
      fronts: '2',
      'log-level': 'silent',
      penalties: 'false',
    };
    server = await startServer(readOptions(given, {}));
  });
  after(async () => {
    administration.close();
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  async function signIn(): Promise<{ client: ssh2.Client; sftp: ssh2.SFTPWrapper; gone: Promise<unknown> }> {
    const client = new ssh2.Client();
    const gone = new Promise<void>((resolve) => {
      client.on('close', () => {
        resolve();
      });
    });
    client.connect({
      host: '127.0.0.1',
      port: server?.ready.sftp.port ?? 0,
      username: 'first',
      privateKey: readFileSync(path.join(folder, 'first', 'id_ed25519')),
    });
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
  const list = async () => (await administration.call('session.list', { login: null })).sessions;

  test('are listed with what they are and what they did', async () => {
    const { client, sftp, gone } = await signIn();
    const bytes = Buffer.alloc(200_000, 7);
    await new Promise<void>((resolve, reject) => {
      sftp.writeFile('listed', bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    const [session, ...more] = await list();
    assert.deepEqual(more, []);
    assert.equal(session?.login, 'first');
    assert.equal(session.address, '127.0.0.1');
    assert.match(session.credential, /^publickey SHA256:/);
    assert.match(session.client, /^SSH-2\.0-ssh2js/);
    assert.equal(session.stored, bytes.length);
    client.end();
    await gone;
    while ((await list()).length > 0) await new Promise(setImmediate);
  });

  test('end at once when the operator ends them', async () => {
    const [one, two] = [await signIn(), await signIn()];
    const [session] = await list();
    assert.deepEqual(
      await administration.call('session.end', { session: session?.session ?? '', login: null, reason: 'x' }),
      {
        ended: 1,
      },
    );
    await Promise.race([one.gone, two.gone]);
    assert.equal((await list()).length, 1);
    await administration.call('session.end', { session: null, login: 'first', reason: 'x' });
    await Promise.all([one.gone, two.gone]);
    assert.deepEqual(await list(), []);
  });

  test('end when the account is suspended, and begin again when it is active', async () => {
    const { gone } = await signIn();
    await administration.call('account.suspend', { login: 'first' });
    assert.deepEqual(await list(), []);
    await gone;
    await assert.rejects(signIn());
    await administration.call('account.activate', { login: 'first' });
    const again = await signIn();
    again.client.end();
    await again.gone;
  });

  test('end when the key that opened them is removed', async () => {
    const { gone } = await signIn();
    const { keys } = await administration.call('key.list', { login: 'first', tenant: null });
    assert.equal(keys.length, 1);
    await administration.call('key.remove', { key: keys[0]?.id ?? '' });
    await gone;
    assert.deepEqual(await list(), []);
    const line = readFileSync(path.join(folder, 'first', 'id_ed25519.pub'), 'utf8');
    await administration.call('key.add', { login: 'first', line });
  });

  test('keep an upload that the end of the server interrupted, for resuming', async () => {
    const { sftp, gone } = await signIn();
    const handle = await new Promise<Buffer>((resolve, reject) => {
      sftp.open('unfinished', 'w', (error, value) => {
        if (error) reject(error);
        else resolve(value);
      });
    });
    const part = Buffer.alloc(30_000, 1);
    for (let at = 0; at < 300_000; at += part.length) {
      await new Promise<void>((resolve, reject) => {
        sftp.write(handle, part, 0, part.length, at, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    }
    await server?.stop();
    await gone;
    const given = {
      data: folder,
      sftp: '127.0.0.1:0',
      https: 'none',
      fronts: '1',
      'log-level': 'silent',
      penalties: 'false',
    };
    administration.close();
    server = await startServer(readOptions(given, {}));
    const again = await signIn();
    const size = await new Promise<number>((resolve, reject) => {
      again.sftp.stat('unfinished', (error, stats) => {
        if (error === undefined) resolve(stats.size);
        else reject(error);
      });
    });
    assert.equal(size, 300_000);
    again.client.end();
    await again.gone;
  });
});
