import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Tenants } from '../../src/files/tenants.ts';
import { oneTenant, World } from './world.ts';

let world: World;

beforeEach(async () => {
  world = await World.open();
});

afterEach(() => world.destroy());

test('tenants: names once, quotas checked, removed only when nothing is left', async () => {
  const { tenant, folder, client } = await oneTenant(world, 1000);
  await assert.rejects(world.tenants.create({ name: 'acme', quota: null }), { code: 'already-exists' });
  await assert.rejects(world.tenants.create({ name: 'a/b', quota: null }), { code: 'name-invalid' });
  await assert.rejects(world.tenants.create({ name: 'x', quota: -1 }), { code: 'option-invalid' });
  assert.equal(world.tenants.byName('acme').id, tenant.id);
  assert.throws(() => world.tenants.byName('gone'), { code: 'not-found' });
  assert.equal((await world.tenants.setQuota(tenant.id, null)).quota, null);
  await assert.rejects(world.tenants.remove(tenant.id), { code: 'directory-not-empty' });
  await client.put('/inbox/a', Buffer.from('a'));
  assert.deepEqual({ ...world.folders.totals(folder) }, { files: 1, bytes: 1 });
  await assert.rejects(world.folders.remove(folder.id), { code: 'directory-not-empty' });
  await client.call('files.remove', { path: '/inbox/a' });
  await world.folders.remove(folder.id);
  assert.deepEqual(await client.names('/'), []);
  assert.deepEqual(world.grants.ofAccount(client.who.account), []);
  const { store, keys, ledger } = world;
  const held = new Tenants({ store, keys, ledger, holds: () => 'accounts' });
  await assert.rejects(held.remove(tenant.id), /still has accounts/);
  await world.tenants.remove(tenant.id);
  assert.deepEqual(world.tenants.list(), []);
});

test('folders: names once per tenant, the same name for two tenants', async () => {
  const { tenant } = await oneTenant(world);
  await assert.rejects(world.folders.create(tenant.id, 'inbox'), { code: 'already-exists' });
  await assert.rejects(world.folders.create('gone', 'inbox'), { code: 'not-found' });
  const other = await world.tenants.create({ name: 'other', quota: null });
  await world.folders.create(other.id, 'inbox');
  assert.equal(world.folders.list(tenant.id).length, 1);
  assert.throws(() => world.folders.byName(tenant.id, 'gone'), { code: 'not-found' });
});

test('a folder with an upload in progress is not removed', async () => {
  const { folder, client } = await oneTenant(world);
  await client.start('/inbox/a');
  await assert.rejects(world.folders.remove(folder.id), { code: 'directory-not-empty' });
});
