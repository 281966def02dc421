import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { BlobFolder } from '../../src/store/folder/blob-folder.ts';
import { DirectorySync } from '../../src/store/folder/directory-sync.ts';

const ID = 'ab'.repeat(16);
let folder: string;
let blobs: BlobFolder;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-blobs-'));
  blobs = await BlobFolder.open(folder);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function incoming(length: number): void {
  writeFileSync(join(blobs.incomingFolder, ID), Buffer.alloc(length, 1));
}

test('a blob settles, can be read, goes back, and goes', async () => {
  incoming(100);
  await blobs.settle(ID, 100);
  assert.deepEqual(await blobs.incoming(), []);
  assert.deepEqual(await blobs.committed(), [{ id: ID, length: 100 }]);
  const reader = await blobs.open(ID);
  assert.equal(await reader.read(Buffer.alloc(10), 95), 5);
  await reader.close();
  await blobs.unsettle(ID);
  assert.deepEqual(await blobs.incoming(), [{ id: ID, length: 100 }]);
  await blobs.removeIncoming(ID);
  await blobs.removeIncoming(ID);
  await blobs.remove(ID);
  assert.deepEqual([...readdirSync(blobs.blobs), ...readdirSync(blobs.incomingFolder)], []);
});

test('too short is refused and stays; too long is cut', async () => {
  incoming(100);
  await assert.rejects(blobs.settle(ID, 101), { code: 'content-missing' });
  assert.deepEqual(await blobs.incoming(), [{ id: ID, length: 100 }]);
  await blobs.settle(ID, 60);
  assert.deepEqual(await blobs.committed(), [{ id: ID, length: 60 }]);
});

test('what is missing has a code; other names in the folders are not blobs', async () => {
  await assert.rejects(blobs.open(ID), { code: 'content-missing' });
  await assert.rejects(blobs.settle(ID, 1), { code: 'content-missing' });
  await blobs.unsettle(ID);
  await blobs.syncIncoming(ID);
  writeFileSync(join(blobs.blobs, 'README'), '');
  assert.deepEqual(await blobs.committed(), []);
});

test('space is that of the file system', async () => {
  const { total, free } = await blobs.space();
  assert.ok(total >= free && free > 0);
});

test('many callers share the syncs of a directory; none is answered by one that began before it asked', async () => {
  const sync = new DirectorySync(folder);
  await Promise.all(Array.from({ length: 50 }, () => sync.sync()));
  await sync.sync();
  const gone = new DirectorySync(join(folder, 'gone'));
  await assert.rejects(gone.sync(), { code: 'ENOENT' });
  await assert.rejects(gone.sync(), { code: 'ENOENT' });
});
