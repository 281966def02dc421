import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { createHash, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { sealWith } from '../../src/keys/sealing.ts';
import { crashing, Killed } from './crashing-store.ts';
import type { Crash } from './crashing-store.ts';
import { ACT, BLOB, Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';

const scenes: Scene[] = [];

async function scene(options: SceneOptions = {}): Promise<Scene> {
  const made = await Scene.open(options);
  scenes.push(made);
  return made;
}

afterEach(async () => {
  for (const made of scenes.splice(0)) await made.destroy();
});

function idsIn(file: string): string[] {
  return [...readFileSync(file, 'latin1').matchAll(/^id (.*)$/gm)].map(([, id = '']) => `file:${id}`);
}

test('a root rotation wraps everything again and leaves no older version', async () => {
  const world = await scene();
  for (const tenant of ['t', 'u', 'v']) {
    await world.tenant(tenant);
    await world.storeFile(tenant, `file of ${tenant}`);
  }
  const before = ['t', 'u', 'v'].map((tenant) => world.segment(`file of ${tenant}`));
  const sealed = world.keys.seal('totp a', Buffer.from('secret'));
  const from = world.keys.roots.current.root;
  const done = await world.acts.rotateRoot(ACT);
  assert.deepEqual(done, { from, to: done.to, rewrapped: 4, stuck: 0, retired: [from], destroyed: true });
  assert.notEqual(done.to, from);
  assert.deepEqual(idsIn(world.file), [done.to]);
  assert.deepEqual(world.acts.overview().versions, [{ root: done.to, state: 'current', keys: 5 }]);
  const again = await world.reopen();
  scenes.push(again);
  assert.deepEqual(
    ['t', 'u', 'v'].map((tenant) => again.segment(`file of ${tenant}`)),
    before,
  );
  assert.equal(again.keys.open('totp a', sealed).toString(), 'secret');
  const later = again.keys.seal('totp a', Buffer.from('later'));
  assert.notDeepEqual(later.subarray(1, 17), sealed.subarray(1, 17), 'what is sealed now names the younger key');
});

test('what is recorded names versions, counts and people, and is written with its effect', async () => {
  const world = await scene();
  await world.tenant('t');
  const { from, to } = await world.acts.rotateRoot(ACT);
  assert.deepEqual(world.records, [
    { ...ACT, action: 'rootkey.rotate', tenant: null, what: to, detail: { from, to, reason: 'rotation' } },
    {
      actor: null,
      approvedBy: null,
      action: 'rootkey.retire',
      tenant: null,
      what: from,
      detail: { rewrapped: 2, stuck: 0, destroyed: true },
    },
  ]);
});

/** Every place where a kill can fall between two durable states, in order, until one run comes through. */
async function killEverywhere(
  prepare: (world: Scene) => Promise<void>,
  act: (world: Scene) => Promise<unknown>,
  check: (world: Scene) => void,
): Promise<number> {
  let crashes = 0;
  for (let at = 1; at < 60; at++) {
    let survived = 0;
    for (const when of ['before', 'after'] as const) {
      const first = await scene();
      await prepare(first);
      const crash: Crash = { at, when };
      const killer = crashing(crash);
      const dying = await first.reopen({ wrapStore: killer.wrap });
      scenes.push(dying);
      await act(dying).catch((error: unknown) => {
        assert.ok(error instanceof Killed, String(error));
      });
      await dying.acts.settled();
      if (!killer.dead()) survived++;
      else crashes++;
      const healed = await dying.reopen();
      scenes.push(healed);
      healed.acts.resume();
      await healed.acts.settled();
      assert.deepEqual(healed.failures, []);
      check(healed);
      await healed.destroy();
    }
    if (survived === 2) return crashes;
  }
  throw new Error('the act never came to its end');
}

test('a root rotation that is killed at any write goes on at the next start', async () => {
  const tenants = Array.from({ length: 130 }, (_, at) => `t${at}`);
  let segments: string[] = [];
  let sealed: Buffer = Buffer.alloc(0);
  const crashes = await killEverywhere(
    async (world) => {
      for (const tenant of tenants) await world.tenant(tenant);
      for (const tenant of ['t0', 't129']) await world.storeFile(tenant, `file of ${tenant}`);
      segments = ['t0', 't129'].map((tenant) => world.segment(`file of ${tenant}`));
      sealed = world.keys.seal('totp', Buffer.from('secret'));
    },
    (world) => world.acts.rotateRoot(ACT),
    (world) => {
      const { current, versions } = world.acts.overview();
      assert.equal(versions.length, 1);
      assert.deepEqual(idsIn(world.file), [current]);
      assert.deepEqual(
        ['t0', 't129'].map((tenant) => world.segment(`file of ${tenant}`)),
        segments,
      );
      assert.equal(world.keys.open('totp', sealed).toString(), 'secret');
    },
  );
  assert.ok(crashes >= 12, `${crashes} crashes`);
});

test('a tenant key rotation that is killed at any write loses no file and ends with one key', async () => {
  const files = Array.from({ length: 900 }, (_, at) => `f${String(at).padStart(4, '0')}`);
  const segments = new Map<string, string>();
  const crashes = await killEverywhere(
    async (world) => {
      await world.tenant('t');
      await world.tenant('u');
      await Promise.all(files.map((file) => world.storeFile('t', file)));
      await world.storeFile('u', 'other');
      for (const file of [...files, 'other']) segments.set(file, world.segment(file));
    },
    (world) => world.acts.rotateTenant('t', ACT),
    (world) => {
      for (const file of [...files, 'other']) assert.equal(world.segment(file), segments.get(file));
      const [only, ...more] = world.store.tenantKeysOf('t');
      assert.equal(more.length, 0);
      assert.deepEqual(new Set(files.map((file) => world.row(file).tenantKey)), new Set([only?.id]));
    },
  );
  assert.ok(crashes >= 8, `${crashes} crashes`);
});

test('new files use the new tenant key at once; an upload from before is stored with it too', async () => {
  const world = await scene();
  await world.tenant('t');
  const before = world.keys.newFileKey('t', 'begun before');
  const segment = world.keys.segmentKey(before, BLOB, 3).toString('hex');
  const { key } = await world.acts.rotateTenant('t', ACT);
  assert.equal(world.keys.newFileKey('t', 'after').tenantKey, key);
  await world.acts.settled();
  assert.equal(world.store.tenantKey(before.tenantKey), null, 'nothing needed the older key');
  const renewed = world.keys.renewed(before);
  assert.equal(renewed.tenantKey, key);
  await world.store.write(() => {
    world.files.insertFileKey(renewed);
  });
  const again = await world.reopen();
  scenes.push(again);
  assert.equal(again.segment('begun before'), segment);
});

test('a file key that was held over a rotation, a lock and an unlock opens by what its row says', async () => {
  const world = await scene();
  await world.tenant('t');
  const held = await world.storeFile('t', 'f');
  const segment = world.segment('f');
  await world.acts.rotateTenant('t', ACT);
  await world.acts.settled();
  await world.acts.lock('t', ACT);
  await world.acts.unlock('t', ACT);
  assert.equal(world.keys.segmentKey(held, BLOB, 3).toString('hex'), segment);
});

test('a damaged file key keeps the older tenant key, and the others move', async () => {
  const world = await scene();
  await world.tenant('t');
  await world.storeFile('t', 'good');
  const bad = await world.storeFile('t', 'bad');
  world.database.sql.prepare("UPDATE files SET wrapped = zeroblob(61) WHERE id = 'bad'").run();
  const { key } = await world.acts.rotateTenant('t', ACT);
  await world.acts.settled();
  assert.equal(world.row('good').tenantKey, key);
  assert.notEqual(world.store.tenantKey(bad.tenantKey), null);
  assert.deepEqual(world.acts.overview().rotating, ['t']);
});

test('a damaged tenant key keeps the older root version, and the others move', async () => {
  const world = await scene();
  await world.tenant('t');
  await world.tenant('u');
  await world.storeFile('u', 'f');
  const segment = world.segment('f');
  world.database.sql.prepare("UPDATE tenant_keys SET wrapped = substr(wrapped, 1, 60) WHERE tenant = 't'").run();
  const again = await world.reopen();
  scenes.push(again);
  const { stuck, retired, from, to } = await again.acts.rotateRoot(ACT);
  assert.deepEqual({ stuck, retired }, { stuck: 1, retired: [] });
  assert.deepEqual(idsIn(again.file), [from, to]);
  assert.equal(again.segment('f'), segment);
});

test('a tenant that is made while the root key rotates is never wrapped by what is retired', async () => {
  const world = await scene();
  await world.tenant('t');
  const late = await world.keys.newTenantKey('late');
  await world.acts.rotateRoot(ACT);
  await assert.rejects(
    world.store.write(() => {
      world.keys.insertTenantKey(late);
    }),
    { code: 'in-use' },
  );
});

test('locking ends sessions and takes the keys away at once, over restarts, until it is unlocked', async () => {
  const world = await scene();
  await world.tenant('t');
  await world.tenant('u');
  const key = await world.storeFile('t', 'f');
  await world.storeFile('u', 'g');
  const segment = world.segment('f');
  const locking = world.acts.lock('t', ACT);
  assert.deepEqual(world.ended, ['t'], 'before it is even written');
  assert.throws(() => world.keys.segmentKey(key, BLOB, 3), { code: 'tenant-locked' });
  await locking;
  assert.throws(() => world.keys.newFileKey('t', 'h'), { code: 'tenant-locked' });
  assert.throws(() => world.keys.renewed(key), { code: 'tenant-locked' });
  world.segment('g');
  await assert.rejects(world.acts.rotateTenant('t', ACT), { code: 'tenant-locked' });
  const again = await world.reopen();
  scenes.push(again);
  assert.throws(() => again.segment('f'), { code: 'tenant-locked' });
  await again.acts.rotateRoot(ACT);
  await again.acts.unlock('t', ACT);
  assert.equal(again.segment('f'), segment);
  const open = await again.reopen();
  scenes.push(open);
  assert.equal(open.segment('f'), segment);
  assert.deepEqual(
    [...world.records, ...again.records].filter(({ tenant }) => tenant === 't').map(({ action }) => action),
    ['tenant.lock', 'tenant.unlock'],
  );
});

test('a lock that cannot be written holds all the same as long as the process lives', async () => {
  const first = await scene();
  await first.tenant('t');
  await first.storeFile('t', 'f');
  const world = await first.reopen({ wrapStore: crashing({ at: 1, when: 'before' }).wrap });
  scenes.push(world);
  await assert.rejects(world.acts.lock('t', ACT), Killed);
  assert.throws(() => world.segment('f'), { code: 'tenant-locked' });
});

test('a data folder from before root keys had versions is taken over', async () => {
  const world = await scene();
  await world.tenant('t');
  await world.storeFile('t', 'f');
  const segment = world.segment('f');
  toOldForm(world);
  const again = await world.reopen();
  scenes.push(again);
  assert.equal(again.segment('f'), segment);
  const key = createSecretKey(derived(world.file, 'waybill root: sealed secrets'));
  const sealed = sealWith(key, 'seal totp a', Buffer.from('secret'));
  assert.equal(again.keys.open('totp a', sealed).toString(), 'secret');
  await again.acts.rotateRoot(ACT);
  const rotated = await again.reopen();
  scenes.push(rotated);
  assert.equal(rotated.segment('f'), segment);
  assert.equal(rotated.keys.open('totp a', sealed).toString(), 'secret');
});

/** As version 0.1.0 wrote it. */
function toOldForm({ database, file, keys, store }: Scene): void {
  const { sql } = database;
  const root = keys.roots.current.root.slice('file:'.length);
  const bare = keyIn(file);
  const check = createHmac('sha256', bare).update('waybill root key check').update(root).digest();
  sql.prepare('INSERT INTO root_keys VALUES (?, ?, 0)').run(root, check);
  const wrapping = createSecretKey(derived(file, 'waybill root: tenant keys'));
  for (const { id, tenant } of store.tenantKeysOf('t')) {
    const key = (keys as unknown as { tenantKeys: Map<string, { key: { export(): Buffer } }> }).tenantKeys.get(id);
    assert.ok(key !== undefined);
    const wrapped = sealWith(wrapping, `tenant key ${tenant} ${id}`, key.key.export());
    sql.prepare('UPDATE tenant_keys SET root = ?, wrapped = ? WHERE id = ?').run(root, wrapped, id);
  }
  sql.exec('DROP TABLE root_versions; DROP TABLE secrets_keys; DROP TABLE tenant_key_states');
}

function keyIn(file: string): Buffer {
  const [, text = ''] = /^key (.*)$/m.exec(readFileSync(file, 'latin1')) ?? [];
  return Buffer.from(text, 'base64');
}

function derived(file: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', keyIn(file), '', info, 32));
}

test('a draft of the root key file that a crash left is wiped, not read', async () => {
  const world = await scene();
  await world.tenant('t');
  writeFileSync(`${world.file}.new`, `leftover ${createHash('sha256').update(randomBytes(8)).digest('hex')}`);
  const again = await world.reopen();
  scenes.push(again);
  assert.throws(() => readFileSync(`${world.file}.new`), { code: 'ENOENT' });
});
