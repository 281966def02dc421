/** What a front that somebody has taken over may try with uploads; each must be refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { linkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import type { SegmentRun } from '../../src/broker/calls.ts';
import { checkRuns, ownedBy, runAt, segmentBytes, segmentCount } from '../../src/files/runs.ts';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import { code, oneTenant, World } from './world.ts';
import type { Client, Started } from './world.ts';

const SIZE = 100_000;
let world: World;
let client: Client;
let upload: Started;

beforeEach(async () => {
  world = await World.open();
  client = (await oneTenant(world)).client;
  await client.put('/inbox/victim', randomBytes(SIZE));
  upload = await client.start('/inbox/a');
  await client.fill(upload, randomBytes(SIZE));
});

afterEach(() => world.destroy());

function own(): SegmentRun[] {
  return [{ first: 0, count: 1, blob: upload.blob }];
}

function incoming(): string {
  return join(world.blobFolder.incomingFolder, upload.blob);
}

test('runs of a blob that is not of the upload or its base', async () => {
  const victim = await client.open('/inbox/victim');
  await assert.rejects(client.commit(upload, SIZE, victim.runs), code('request-invalid'));
  await assert.rejects(
    client.call('upload.progress', { upload: upload.upload, size: SIZE, runs: victim.runs, durable: true, idle: true }),
    code('request-invalid'),
  );
});

test('runs that do not fit the size', async () => {
  await assert.rejects(client.commit(upload, SIZE, []), code('request-invalid'));
  await assert.rejects(
    client.commit(upload, SIZE, [{ first: 0, count: 2, blob: upload.blob }]),
    code('request-invalid'),
  );
  await assert.rejects(
    client.commit(upload, SIZE, [{ first: 1, count: 1, blob: upload.blob }]),
    code('request-invalid'),
  );
  await assert.rejects(client.commit(upload, SIZE, [...own(), ...own()]), code('request-invalid'));
});

test('a size that the blob does not have', async () => {
  await assert.rejects(client.commit(upload, SIZE + 70_000, own()), code('content-missing'));
  truncateSync(incoming(), 10);
  await assert.rejects(client.commit(upload, SIZE, own()), code('content-missing'));
});

test('bytes beyond the size are cut off before they are kept', async () => {
  writeFileSync(incoming(), Buffer.alloc(1_000_000), { flag: 'a' });
  await client.commit(upload, SIZE, own());
  const [blob] = (await world.blobFolder.committed()).filter(({ id }) => id === upload.blob);
  assert.equal(blob?.length, ownedBy(upload.blob, own(), SIZE).length);
});

test('a symbolic link, a hard link or nothing in the place of the blob', async () => {
  linkSync(incoming(), `${incoming()}-kept`);
  await assert.rejects(client.commit(upload, SIZE, own()), code('request-invalid'));
  rmSync(`${incoming()}-kept`);
  rmSync(incoming());
  const secret = join(world.folder, 'waybill.db');
  symlinkSync(secret, incoming());
  await assert.rejects(client.commit(upload, SIZE, own()));
  rmSync(incoming());
  await assert.rejects(client.commit(upload, SIZE, own()), code('content-missing'));
  assert.deepEqual(await client.again().names('/inbox'), ['a', 'victim']);
});

test('a blob without a durable upload', async () => {
  const fresh = await client.start('/inbox/b');
  const runs = [{ first: 0, count: 1, blob: fresh.blob }];
  await assert.rejects(client.commit(fresh, SIZE, runs), code('request-invalid'));
});

test('inline content of another length', async () => {
  const fresh = await client.start('/inbox/b');
  for (const [size, length] of [
    [10, 37],
    [10, 39],
    [0, 28],
    [65_537, 65_565],
  ] as const)
    await assert.rejects(client.commit(fresh, size, [], Buffer.alloc(length)), code('request-invalid'));
});

test('uploads and readings of another session', async () => {
  const other = client.again();
  const request = { upload: upload.upload };
  await assert.rejects(other.commit(upload, SIZE, own()), code('handle-invalid'));
  await assert.rejects(other.call('upload.keys', { ...request, first: 0, count: 1, size: 1 }), code('handle-invalid'));
  await assert.rejects(other.call('upload.persist', request), code('handle-invalid'));
  await assert.rejects(other.call('upload.discard', request), code('handle-invalid'));
});

test('an upload after its grant was revoked, or its session has ended', async () => {
  const second = client.again();
  const late = await second.start('/inbox/late');
  await second.end();
  await assert.rejects(second.finish(late, Buffer.from('x')), code('handle-invalid'));
  await assert.rejects(second.start('/inbox/later'), code('session-ended'));
  const folder = world.folders.byName(client.who.tenant, 'inbox');
  await world.grants.revoke(client.who.account, folder.id);
  await assert.rejects(client.commit(upload, SIZE, own()), code('permission-denied'));
});

test('sharing a last segment whose length would change', () => {
  const base = { size: SEGMENT_PLAIN + 100, runs: [{ first: 0, count: 2, blob: 'b' }] };
  checkRuns(base.runs, base.size, 'own', base);
  for (const size of [SEGMENT_PLAIN + 99, SEGMENT_PLAIN + 101])
    assert.throws(() => {
      checkRuns(base.runs, size, 'own', base);
    }, code('request-invalid'));
  checkRuns([{ first: 0, count: 1, blob: 'b' }], SEGMENT_PLAIN, 'own', base);
});

test('runs: what is found is what was put, and every segment is counted once', () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom('own', 'x', null)), { maxLength: 20 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: SEGMENT_PLAIN }), (parts, last) => {
      let next = 0;
      const made = parts.map(([count, blob]) => {
        const run = { first: next, count, blob };
        next += count;
        return run;
      });
      const size = next === 0 ? 0 : (next - 1) * SEGMENT_PLAIN + last;
      assert.equal(segmentCount(size), next);
      checkRuns(made, size, 'own', { size, runs: made });
      let bytes = 0;
      for (let segment = 0; segment < next; segment++) {
        const run = made.find((one) => segment >= one.first && segment < one.first + one.count);
        assert.equal(runAt(made, segment), run);
        if (run?.blob === 'own') bytes += segmentBytes(size, segment);
      }
      assert.equal(ownedBy('own', made, size).bytes, bytes);
      assert.equal(runAt(made, next), undefined);
    }),
  );
});
