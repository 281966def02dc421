/** Damage on the disk, found by readers and by `waybill check`: named, never wrong bytes, and only the damaged file is lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { lockFolder } from '../../src/store/sqlite/folder-lock.ts';
import { content, ssh2Session } from '../interop/suite.ts';
import { PROJECT, startServer, waybill, type TestServer } from '../interop/server.ts';

function blobsBySize(server: TestServer): string[] {
  const root = join(server.data, 'blobs');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return files.filter((path) => statSync(path).isFile()).sort((a, b) => statSync(a).size - statSync(b).size);
}

function check(data: string): { status: number | null; stdout: string; stderr: string } {
  const args = [join(PROJECT, 'src/cli/waybill.ts'), 'check', '--data', data];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** By name, the hash of each; without the lock and SQLite's shared memory, which hold nothing. */
function filesBelow(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(folder, name);
    if (name.startsWith('run/') || name.endsWith('-shm') || !statSync(file).isFile()) continue;
    found.set(name, createHash('sha256').update(readFileSync(file)).digest('hex'));
  }
  return found;
}

describe('damaged content', () => {
  let server: TestServer;
  const sizes = { flipped: 300_000, short: 400_000, gone: 500_000, whole: 600_000 };
  before(async () => {
    server = await startServer();
    const { client, sftp } = await ssh2Session(server);
    for (const [name, size] of Object.entries(sizes))
      await new Promise<void>((resolve, reject) => {
        sftp.writeFile(`${server.folder}/${name}`, content(name, size), (error?: Error | null) => {
          if (error) reject(error);
          else resolve();
        });
      });
    client.end();
    const [flipped = '', short = '', gone = ''] = blobsBySize(server);
    const bytes = readFileSync(flipped);
    bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
    writeFileSync(flipped, bytes);
    truncateSync(short, 200_000);
    rmSync(gone);
  });
  after(async () => {
    await server.remove();
  });

  const read = async (name: string): Promise<Buffer> => {
    const { client, sftp } = await ssh2Session(server);
    try {
      return await promisify<string, Buffer>(sftp.readFile.bind(sftp))(`${server.folder}/${name}`);
    } finally {
      client.end();
    }
  };

  for (const name of ['flipped', 'short', 'gone']) {
    test(`${name}: the reader gets an error, not bytes`, async () => {
      await assert.rejects(read(name), /integrity|damaged|gone|missing|check/i);
    });
  }

  test('the other files keep working', async () => {
    assert.ok((await read('whole')).equals(content('whole', sizes.whole)));
  });

  test('waybill check names every damaged version and nothing else, and fails', async () => {
    const failed = await waybill(server, ['check']).then(
      () => null,
      (error: unknown) => String(error),
    );
    assert.ok(failed !== null, 'check must fail');
    for (const name of ['flipped', 'short', 'gone']) assert.match(failed, new RegExp(`/${name}\\b`));
    assert.doesNotMatch(failed, /\/whole\b/);
  });

  test('without a server it says the same, with the same exit code, and changes nothing', async () => {
    const beside = check(server.data);
    // As a crash leaves it: the log of the database is not copied back.
    await server.stop('SIGKILL');
    const before = filesBelow(server.data);
    const atRest = check(server.data);
    assert.deepEqual(atRest, beside);
    assert.equal(atRest.status, 8);
    assert.deepEqual(filesBelow(server.data), before);
  });

  test('without a server, beside one that starts, it waits for nobody and reads nothing', () => {
    const held = lockFolder(join(server.data, 'run', 'lock'));
    const { status, stderr } = check(server.data);
    held?.release();
    assert.notEqual(held, null);
    assert.equal(status, 4);
    assert.match(stderr, /already-running/);
  });

  test('a folder without a store, and one without its root key, have their own exit code', () => {
    const missing = check(join(server.temporary, 'nothing'));
    assert.equal(missing.status, 7);
    assert.match(missing.stderr, /holds no store.*data-folder-invalid/);
    assert.equal(existsSync(join(server.temporary, 'nothing')), false);
    rmSync(join(server.data, 'keys', 'root.key'));
    const keyless = check(server.data);
    assert.equal(keyless.status, 7);
    assert.match(keyless.stderr, /root-key-missing/);
  });
});
