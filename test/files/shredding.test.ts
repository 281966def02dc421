import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { checkStore } from '../../src/files/check.ts';
import { KeyActs } from '../../src/keys/key-acts.ts';
import { recordsInto } from '../../src/keys/records.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';
import type { Folder, Tenant } from '../../src/files/store.ts';
import { World } from './world.ts';
import type { Client } from './world.ts';

let world: World;
let acts: KeyActs;
const tenants: Record<'keep' | 'shred', { tenant: Tenant; folder: Folder; client: Client }> = {} as never;
const ACT = { actor: 'anna', approvedBy: 'bert' };
const CONTENT = randomBytes(300_000);

function actsOf(of: World): KeyActs {
  const store = new SqliteKeys(of.database);
  return new KeyActs({
    keys: of.keys,
    store,
    record: recordsInto(of.ledger),
    endSessions: () => 0,
    removeContents: (tenant, stopped) => of.files.removeContents(tenant, stopped),
    report: (error) => void of.failures.push(error),
  });
}

beforeEach(async () => {
  world = await World.open();
  acts = actsOf(world);
  for (const name of ['keep', 'shred'] as const) {
    const tenant = await world.tenants.create({ name, quota: null });
    const folder = await world.folders.create(tenant.id, 'inbox');
    const client = await world.account(tenant, folder);
    tenants[name] = { tenant, folder, client };
    await client.call('files.mkdir', { path: '/inbox/d' });
    await client.call('files.mkdir', { path: '/inbox/d/e' });
    await client.put('/inbox/large', CONTENT);
    await client.put('/inbox/d/e/larger', Buffer.concat([CONTENT, CONTENT]));
    for (let at = 0; at < 230; at++) await client.put(`/inbox/d/small ${at}`, Buffer.from(name));
  }
});

afterEach(async () => {
  await acts.stop();
  await world.destroy();
});

function blobs(): number {
  return readdirSync(join(world.folder, 'blobs'), { recursive: true }).filter((name) =>
    /[0-9a-f]{32}$/.test(String(name)),
  ).length;
}

test('what a shredded tenant had goes: names, versions, blobs, quota; nobody else misses anything', async () => {
  const { shred, keep } = tenants;
  const before = blobs();
  await acts.shred(shred.tenant.id, ACT);
  await acts.settled();
  await world.files.settled();
  assert.deepEqual(world.failures, []);
  assert.equal(blobs(), before / 2);
  assert.equal(world.files.usage(shred.tenant.id).used, 0);
  assert.equal(world.store.hasChildren(shred.folder.root), false);
  for (const call of [
    () => shred.client.call('files.stat', { path: '/inbox/large' }),
    () => shred.client.get('/inbox/large'),
    () => shred.client.call('files.stat', { path: '/' }),
    () => shred.client.put('/inbox/new', CONTENT),
  ])
    await assert.rejects(async () => call(), { code: 'tenant-shredded' });
  assert.deepEqual(await keep.client.get('/inbox/large'), CONTENT);
  const found = await checkStore({ store: world.store, blobs: world.blobFolder, keys: world.keys });
  assert.deepEqual([found.findings, found.versions, found.skipped], [[], 232, 0]);
  await world.folders.remove(shred.folder.id);
  await world.tenants.remove(shred.tenant.id);
});

test('content that is not removed yet is no damage', async () => {
  const { shred } = tenants;
  world.keys.takeOut(shred.tenant.id, 'shredded');
  const found = await checkStore({ store: world.store, blobs: world.blobFolder, keys: world.keys });
  assert.deepEqual([found.findings, found.skipped], [[], 232]);
});

test('a removal of content that is stopped midway is taken up again', async () => {
  const { shred, keep } = tenants;
  let asked = 0;
  const first = await world.files.removeContents(shred.tenant.id, () => asked++ > 3);
  assert.equal(first.done, false);
  assert.equal(world.store.hasChildren(shred.folder.root), true);
  assert.deepEqual(await world.files.removeContents(shred.tenant.id), {
    ...first,
    files: 232 - first.files,
    done: true,
  });
  await world.files.settled();
  assert.equal(world.store.hasChildren(shred.folder.root), false);
  assert.deepEqual(await keep.client.get('/inbox/d/e/larger'), Buffer.concat([CONTENT, CONTENT]));
});

test('a tenant key rotation under uploads that are in progress loses none of them', async () => {
  const { client, tenant } = tenants.keep;
  const open = await client.call('upload.open', {
    path: '/inbox/upload',
    create: true,
    exclusive: false,
    truncate: false,
  });
  await client.call('upload.persist', { upload: open.upload });
  await acts.rotateTenant(tenant.id, ACT);
  await acts.settled();
  const row = world.store.uploads().find(({ id }) => id === open.upload);
  const current = new SqliteKeys(world.database).currentTenantKey(tenant.id);
  assert.equal(row?.key.tenantKey, current?.id);
  await acts.stop();
  world = await world.reopen();
  acts = actsOf(world);
  const again = client.again(world);
  const taken = await again.call('upload.open', {
    path: '/inbox/upload',
    create: true,
    exclusive: false,
    truncate: false,
  });
  assert.deepEqual(taken.key, open.key);
  assert.deepEqual(await again.get('/inbox/large'), CONTENT);
});
