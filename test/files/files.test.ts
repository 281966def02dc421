import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import { code, oneTenant, World } from './world.ts';
import type { Client } from './world.ts';

let world: World;
let client: Client;
let tenant: string;

beforeEach(async () => {
  world = await World.open();
  const made = await oneTenant(world, 100_000_000);
  client = made.client;
  tenant = made.tenant.id;
});

afterEach(async () => {
  assert.deepEqual(world.failures, []);
  await world.destroy();
});

for (const size of [0, 1, 10_240, 65_536, 65_537, SEGMENT_PLAIN, SEGMENT_PLAIN + 70_000])
  test(`a file of ${size} bytes comes back, now and after a restart`, async () => {
    const content = randomBytes(size);
    await client.put('/inbox/a', content);
    assert.ok((await client.get('/inbox/a')).equals(content));
    assert.equal(world.files.usage(tenant).used, size);
    world = await world.reopen();
    assert.deepEqual(world.files.recovered, { uploads: 0, movedBack: 0, removed: 0, lost: 0 });
    client = client.again(world);
    assert.ok((await client.get('/inbox/a')).equals(content));
    assert.equal((await client.call('files.stat', { path: '/inbox/a' })).size, size);
    assert.equal(world.files.usage(tenant).used, size);
  });

test('overwriting keeps the old content for the reading that holds it, and no longer', async () => {
  const old = randomBytes(200_000);
  const young = randomBytes(100_000);
  await client.put('/inbox/a', old);
  const reading = await client.open('/inbox/a');
  await client.put('/inbox/a', young);
  assert.ok((await client.get('/inbox/a')).equals(young));
  assert.ok((await client.read(reading)).equals(old));
  assert.equal(world.files.usage(tenant).used, 300_000);
  await client.call('file.close', { reading: reading.reading, sent: [[0, 200_000]] });
  await world.files.settled();
  assert.equal(world.files.usage(tenant).used, 100_000);
  assert.equal(readdirSync(join(world.folder, 'blobs')).length, 1);
});

test('a version that only a reading held goes at the next start', async () => {
  await client.put('/inbox/a', randomBytes(200_000));
  await client.open('/inbox/a');
  await client.call('files.remove', { path: '/inbox/a' });
  world = await world.reopen();
  await world.files.settled();
  assert.equal(world.files.usage(tenant).used, 0);
  assert.deepEqual(readdirSync(join(world.folder, 'blobs')), []);
});

test('modifying one segment shares the others, and both versions count what they store', async () => {
  const content = randomBytes(2 * SEGMENT_PLAIN);
  await client.put('/inbox/a', content);
  const upload = await client.start('/inbox/a', { truncate: false });
  const base = upload.runs[0]?.blob ?? '';
  content.fill(7, 0, 10);
  await client.fill(upload, content, [0]);
  await client.commit(upload, content.length, [
    { first: 0, count: 1, blob: upload.blob },
    { first: 1, count: 1, blob: base },
  ]);
  assert.ok((await client.get('/inbox/a')).equals(content));
  assert.equal(world.files.usage(tenant).used, 3 * SEGMENT_PLAIN);
  await client.call('files.remove', { path: '/inbox/a' });
  await world.files.settled();
  assert.equal(world.files.usage(tenant).used, 0);
  assert.deepEqual(readdirSync(join(world.folder, 'blobs')), []);
});

test('an upload in progress is seen by its account alone, and taken up after a crash where it was durable', async () => {
  const other = await world.account(world.tenants.get(tenant), world.folders.byName(tenant, 'inbox'));
  const content = randomBytes(SEGMENT_PLAIN + 500_000);
  const upload = await client.start('/inbox/big');
  await client.fill(upload, content.subarray(0, SEGMENT_PLAIN));
  const runs = [{ first: 0, count: 1, blob: upload.blob }];
  await client.call('upload.progress', {
    upload: upload.upload,
    size: SEGMENT_PLAIN,
    runs,
    durable: true,
    idle: false,
  });
  const seen = await client.again().call('files.stat', { path: '/inbox/big' });
  assert.equal(seen.size, SEGMENT_PLAIN);
  assert.equal(seen.partial, true);
  assert.deepEqual(await client.names('/inbox'), ['big']);
  assert.deepEqual(await other.names('/inbox'), []);
  await assert.rejects(other.call('files.stat', { path: '/inbox/big' }), code('not-found'));
  await assert.rejects(other.start('/inbox/big'), code('in-use'));
  await assert.rejects(client.again().start('/inbox/big', { truncate: false }), code('in-use'));
  world = await world.reopen();
  assert.equal(world.files.recovered.uploads, 1);
  assert.equal(world.files.usage(tenant).used, SEGMENT_PLAIN);
  client = client.again(world);
  const resumed = await client.start('/inbox/big', { truncate: false });
  assert.equal(resumed.blob, upload.blob);
  assert.ok(resumed.epoch > upload.epoch);
  assert.equal(resumed.attributes.size, SEGMENT_PLAIN);
  assert.equal(world.ledger.pending('release').length, 1);
  await client.fill(resumed, content, [1]);
  await client.commit(resumed, content.length, [{ first: 0, count: 2, blob: upload.blob }]);
  assert.ok((await client.get('/inbox/big')).equals(content));
  assert.equal(world.files.usage(tenant).used, content.length);
});

test('an upload left idle can be taken up, discarded by a truncating open, or removed', async () => {
  const first = await client.start('/inbox/big');
  await client.fill(first, randomBytes(100_000));
  await client.end();
  const second = client.again();
  const taken = await second.start('/inbox/big', { truncate: false });
  assert.equal(taken.blob, first.blob);
  await second.end();
  const third = client.again();
  const fresh = await third.start('/inbox/big');
  assert.notEqual(fresh.blob, first.blob);
  assert.equal(existsSync(join(world.folder, 'incoming', first.blob)), false);
  await third.call('files.remove', { path: '/inbox/big' });
  await assert.rejects(third.call('files.stat', { path: '/inbox/big' }), code('not-found'));
  await assert.rejects(third.finish(fresh, randomBytes(10)), code('handle-invalid'));
});

test('abandoned uploads expire', async () => {
  const upload = await client.start('/inbox/big');
  await client.fill(upload, randomBytes(100_000));
  await client.end();
  world.time.offset = 6 * 86_400_000;
  assert.equal(await world.files.sweep(), 0);
  world.time.offset = 8 * 86_400_000;
  assert.equal(await world.files.sweep(), 1);
  assert.deepEqual(readdirSync(join(world.folder, 'incoming')), []);
});

test('the quota holds for keys, commits and small files, to the byte', async () => {
  await world.tenants.setQuota(tenant, 200_000);
  await client.put('/inbox/a', randomBytes(150_000));
  await assert.rejects(client.put('/inbox/b', randomBytes(50_001)), code('quota-exceeded'));
  await client.again().put('/inbox/c', randomBytes(50_000));
  const quota = await client.call('files.quota', { path: '/inbox' });
  assert.equal(quota.limit, 200_000);
  assert.equal(quota.used, 200_000);
  await assert.rejects(client.again().put('/inbox/d', randomBytes(1)), code('quota-exceeded'));
  await client.again().put('/inbox/c', randomBytes(49_000));
  const big = await client.again().start('/inbox/big');
  await assert.rejects(
    client.call('upload.keys', { upload: big.upload, first: 0, count: 1, size: 5 }),
    code('handle-invalid'),
  );
});

test('a release needs the right, writes a record first, and ends with the session', async () => {
  await client.put('/inbox/a', randomBytes(100));
  const reading = await client.open('/inbox/a');
  const request = { reading: reading.reading, first: 0, count: 1 };
  assert.equal((await client.call('release', request)).keys.length, 1);
  const entry = world.ledger.pending('release')[0]?.entry;
  assert.ok(entry?.kind === 'release');
  const { session, version, first, count, bytes, path } = entry;
  assert.deepEqual(
    { session, version, first, count, bytes, path },
    { session: client.who.session, version: reading.version, first: 0, count: 1, bytes: 100, path: '/a' },
  );
  await assert.rejects(client.call('release', { ...request, first: 1 }), code('offset-invalid'));
  await assert.rejects(client.again().call('release', request), code('handle-invalid'));
  const folder = world.folders.byName(tenant, 'inbox');
  await world.grants.revoke(client.who.account, folder.id);
  await assert.rejects(client.call('release', request), code('permission-denied'));
  await client.end();
  await assert.rejects(client.call('release', request), code('handle-invalid'));
  await assert.rejects(client.start('/inbox/b'), code('not-found'));
});

test('what uploads in progress may write is reserved, and given back with them', async () => {
  await world.tenants.setQuota(tenant, SEGMENT_PLAIN + 1000);
  const upload = await client.start('/inbox/a');
  const ask = (first: number, size: number): Promise<unknown> =>
    client.call('upload.keys', { upload: upload.upload, first, count: 1, size });
  await ask(1, SEGMENT_PLAIN + 1);
  assert.equal(world.files.usage(tenant).used, SEGMENT_PLAIN + 1);
  await assert.rejects(ask(1, SEGMENT_PLAIN + 1001), code('quota-exceeded'));
  await assert.rejects(client.again().put('/inbox/b', randomBytes(1000)), code('quota-exceeded'));
  await client.again().put('/inbox/c', randomBytes(999));
  await client.call('upload.discard', { upload: upload.upload });
  assert.equal(world.files.usage(tenant).used, 999);
  await client.again().put('/inbox/d', randomBytes(1000));
});
