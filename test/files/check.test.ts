import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkStore } from '../../src/files/check.ts';
import type { CheckStep } from '../../src/files/check.ts';
import { RootKeyFile } from '../../src/keys/root-key.ts';
import { Keys } from '../../src/keys/keys.ts';
import { BlobFolder } from '../../src/store/folder/blob-folder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteFiles } from '../../src/store/sqlite/files.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';
import { oneTenant, World } from './world.ts';
import type { Client } from './world.ts';

let world: World;
let client: Client;

beforeEach(async () => {
  world = await World.open();
  client = (await oneTenant(world)).client;
  await client.call('files.mkdir', { path: '/inbox/d' });
  await client.put('/inbox/d/small', randomBytes(5000));
  await client.put('/inbox/d/large', randomBytes(300_000));
  await client.put('/inbox/d/other', randomBytes(300_000));
});

afterEach(() => world.destroy());

function check(): Promise<Omit<CheckStep, 'next'>> {
  return checkStore({ store: world.store, blobs: world.blobFolder, keys: world.keys });
}

async function blobOf(path: string): Promise<string> {
  const reading = await client.open(path);
  await client.call('file.close', { reading: reading.reading, sent: [] });
  return join(world.blobFolder.blobs, reading.runs[0]?.blob ?? '');
}

async function only(problem: string, path: string): Promise<void> {
  const { findings } = await check();
  assert.equal(findings.length, 1);
  const [finding] = findings;
  assert.deepEqual(
    [finding?.problem, finding?.tenant, finding?.folder, finding?.path],
    [problem, 'acme', 'inbox', path],
  );
}

test('a sound store has no findings', async () => {
  await client.put('/inbox/empty', Buffer.alloc(0));
  assert.deepEqual(await check(), { versions: 4, bytes: 605_000, skipped: 0, findings: [] });
});

test('one altered bit', async () => {
  const blob = await blobOf('/inbox/d/large');
  const bytes = readFileSync(blob);
  bytes[200_000] = (bytes[200_000] ?? 0) ^ 1;
  writeFileSync(blob, bytes);
  await only('damaged', 'd/large');
});

test('a blob cut short', async () => {
  truncateSync(await blobOf('/inbox/d/large'), 250_000);
  await only('short', 'd/large');
});

test('a missing blob', async () => {
  unlinkSync(await blobOf('/inbox/d/other'));
  await only('missing', 'd/other');
});

test('a blob in the place of another', async () => {
  writeFileSync(await blobOf('/inbox/d/other'), readFileSync(await blobOf('/inbox/d/large')));
  await only('damaged', 'd/other');
});

test('an inline content altered, or gone', async () => {
  await world.database.write(() => {
    world.database.sql.exec('UPDATE inline_contents SET bytes = zeroblob(length(bytes))');
  });
  await only('damaged', 'd/small');
  await world.database.write(() => {
    world.database.sql.exec('DELETE FROM inline_contents');
  });
  await only('missing', 'd/small');
});

test('a file key of another file', async () => {
  const large = world.store.pathOf((await versionFile('/inbox/d/large')) ?? '');
  assert.equal(large?.path, 'd/large');
  await world.database.write(() => {
    world.database.sql
      .prepare('UPDATE files SET wrapped = (SELECT wrapped FROM files WHERE id <> ?1 LIMIT 1) WHERE id = ?1')
      .run(largeFile ?? '');
  });
  // The running broker has the key in memory; a check after a restart does not.
  world = await world.reopen();
  client = client.again(world);
  await only('key-unavailable', 'd/large');
});

let largeFile: string | null = null;
async function versionFile(path: string): Promise<string | null> {
  const reading = await client.open(path);
  await client.call('file.close', { reading: reading.reading, sent: [] });
  largeFile = world.store.content(reading.version)?.version.file ?? null;
  return largeFile;
}

test('a blob that no version needs', async () => {
  writeFileSync(join(world.blobFolder.blobs, 'ab'.repeat(16)), 'x');
  const { findings } = await check();
  assert.deepEqual(
    findings.map(({ problem, blob }) => [problem, blob]),
    [['orphan', 'ab'.repeat(16)]],
  );
});

test('offline, and beside a running server, with a database opened for reading only', async () => {
  const database = new Database(join(world.folder, 'waybill.db'), { readOnly: true });
  try {
    const keys = await Keys.open(new SqliteKeys(database), new RootKeyFile(join(world.folder, 'root.key')), {
      create: false,
    });
    const options = { store: new SqliteFiles(database), blobs: await BlobFolder.open(world.folder), keys };
    const put = client.put('/inbox/d/during', randomBytes(100_000));
    assert.deepEqual((await checkStore(options)).findings, []);
    await put;
    assert.equal((await checkStore(options)).versions, 4);
  } finally {
    database.close();
  }
});
