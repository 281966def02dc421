/** What is promised of space: nobody is granted the reserve, and what is granted counts until it is on the disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobStore, Space } from '../../src/files/blobs.ts';
import { Charge } from '../../src/files/charge.ts';
import { Room } from '../../src/files/room.ts';
import { UploadRegistry } from '../../src/files/upload-registry.ts';
import type { Upload } from '../../src/files/upload-registry.ts';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';

const GB = 10 ** 9;
const full = { code: 'store-full' };

/** A disk and its uploads, of which only what matters here is there. */
function scene(space: Space, reserve?: number) {
  const uploads = new UploadRegistry();
  const files = new Map<string, number>();
  const disk = { looks: 0, space };
  const blobs = {
    space: (now?: true) => {
      if (now === true) disk.looks++;
      return Promise.resolve({ ...disk.space });
    },
    incomingBytes: (id: string) => Promise.resolve(files.get(id) ?? 0),
  } as unknown as BlobStore;
  const upload = (id: string): Upload => {
    const made = { id, blob: id, parent: 1, name: id, session: 's', persisted: true, charge: new Charge(), written: 0 };
    uploads.add(made as unknown as Upload);
    return made as unknown as Upload;
  };
  const room = new Room(blobs, uploads, reserve);
  const grow = (one: Upload, segments: number): Promise<void> => {
    const asked = Array.from({ length: segments }, (_, index) => index);
    const size = segments * SEGMENT_PLAIN;
    return room.forUpload(one, one.charge.more(asked, size), () => {
      one.charge.add(asked, size);
    });
  };
  return { room, disk, files, upload, grow };
}

test('the reserve is what the operator says, and at most a twentieth of the disk', async () => {
  assert.equal((await scene({ total: 100 * GB, free: GB }, 0).room.left()).free, GB);
  assert.equal((await scene({ total: 100 * GB, free: GB }, 4 * 10 ** 8).room.left()).free, 6 * 10 ** 8);
  assert.equal((await scene({ total: 10 * GB, free: GB }, 4 * GB).room.left()).free, 5 * 10 ** 8);
  assert.equal((await scene({ total: 100 * GB, free: 1000 }).room.left()).free, 0);
});

test('what others were granted counts before it is written', async () => {
  const { upload, grow } = scene({ total: 100 * GB, free: 100 * SEGMENT_PLAIN }, 10 * SEGMENT_PLAIN);
  const [a, b] = [upload('a'), upload('b')];
  await grow(a, 50);
  await assert.rejects(grow(b, 50), full);
  await grow(b, 30);
});

test('two that ask at the same time are not granted the same space', async () => {
  const { upload, grow } = scene({ total: 100 * GB, free: 100 * SEGMENT_PLAIN }, 10 * SEGMENT_PLAIN);
  const results = await Promise.allSettled([grow(upload('a'), 60), grow(upload('b'), 60)]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('what is written is not counted twice, and files are looked at only when it is tight', async () => {
  const { upload, grow, files, disk } = scene({ total: 100 * GB, free: 100 * SEGMENT_PLAIN }, 10 * SEGMENT_PLAIN);
  const [a, b] = [upload('a'), upload('b')];
  await grow(a, 50);
  assert.equal(disk.looks, 0);
  files.set('a', 50 * SEGMENT_PLAIN);
  disk.space = { total: 100 * GB, free: 50 * SEGMENT_PLAIN };
  await grow(b, 37);
  assert.equal(disk.looks, 1);
  await assert.rejects(grow(a, 52), full);
});

test('an upload that nobody writes takes nothing more; one written again in place needs nothing', async () => {
  const { upload, grow, disk, files } = scene({ total: 100 * GB, free: 100 * SEGMENT_PLAIN }, 10 * SEGMENT_PLAIN);
  const [a, b] = [upload('a'), upload('b')];
  await grow(a, 80);
  a.session = null;
  await grow(b, 80);
  disk.space = { total: 100 * GB, free: 0 };
  files.set('b', 80 * SEGMENT_PLAIN);
  await grow(b, 80);
  await assert.rejects(grow(b, 81), full);
});

test('contents for the metadata and first bytes leave the reserve alone', async () => {
  const { room, upload, disk } = scene({ total: 100 * GB, free: 11.5 * SEGMENT_PLAIN }, 10 * SEGMENT_PLAIN);
  await room.forInline(65_000);
  await room.forFirstBytes(upload('a'), () => undefined);
  await assert.rejects(
    room.forFirstBytes(upload('b'), () => undefined),
    full,
  );
  disk.space = { total: 100 * GB, free: 10 * SEGMENT_PLAIN + 1000 };
  await assert.rejects(room.forInline(65_000), full);
});
