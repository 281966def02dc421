/** Damage on the disk, found by readers and by `waybill check`: named, never wrong bytes, and only the damaged file is lost. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { content, ssh2Session } from '../interop/suite.ts';
import { startServer, waybill, type TestServer } from '../interop/server.ts';

function blobsBySize(server: TestServer): string[] {
  const root = join(server.data, 'blobs');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return files.filter((path) => statSync(path).isFile()).sort((a, b) => statSync(a).size - statSync(b).size);
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
});
