import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { crashing, Killed } from './crashing-store.ts';
import { ACT, BLOB, Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';

const scenes: Scene[] = [];
const folders: string[] = [];

async function scene(options: SceneOptions = {}): Promise<Scene> {
  const made = await Scene.open(options);
  scenes.push(made);
  return made;
}

afterEach(async () => {
  for (const made of scenes.splice(0)) await made.destroy();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The database with its log, and the root key, as a backup has them. */
function backup(world: Scene): string {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-backup-'));
  folders.push(folder);
  cpSync(world.folder, folder, { recursive: true });
  return folder;
}

/** Every file of the data folder that holds these bytes. */
function whereIs(folder: string, bytes: Uint8Array): string[] {
  return readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(bytes));
}

async function populated(): Promise<Scene> {
  const world = await scene();
  for (const tenant of ['keep', 'shred']) {
    await world.tenant(tenant);
    await world.storeFile(tenant, `file of ${tenant}`);
  }
  return world;
}

test('nothing of a shredded tenant opens, and everything of the others does', async () => {
  const world = await populated();
  const key = world.row('file of shred');
  const kept = world.segment('file of keep');
  const done = await world.acts.shred('shred', ACT);
  await world.acts.settled();
  assert.deepEqual(done, { keys: 1, ended: 1, traces: 'gone' });
  assert.deepEqual(world.ended, ['shred']);
  for (const use of [
    () => world.keys.segmentKey(key, BLOB, 0),
    () => world.keys.newFileKey('shred', 'f'),
    () => world.keys.renewed(key),
  ])
    assert.throws(use, { code: 'tenant-shredded' });
  for (const act of [
    () => world.acts.shred('shred', ACT),
    () => world.acts.lock('shred', ACT),
    () => world.acts.unlock('shred', ACT),
    () => world.acts.rotateTenant('shred', ACT),
  ])
    await assert.rejects(act, { code: 'tenant-shredded' });
  const again = await world.reopen();
  scenes.push(again);
  assert.equal(again.keys.stateOf('shred'), 'shredded');
  assert.throws(() => again.segment('file of shred'), { code: 'tenant-shredded' });
  assert.equal(again.segment('file of keep'), kept);
});

test('no file of the data folder keeps the wrapped key, in no page and no log', async () => {
  const world = await scene();
  // Enough rows for pages to be split, so that copies would lie in their free parts.
  for (let at = 0; at < 150; at++) await world.tenant(at === 75 ? 'shred' : `t${at}`);
  const wrapped: Uint8Array[] = [];
  const remember = (): void => {
    for (const row of world.store.tenantKeysOf('shred')) wrapped.push(row.wrapped.slice(-40));
  };
  remember();
  await world.acts.rotateRoot(ACT);
  await world.acts.rotateTenant('shred', ACT);
  await world.acts.settled();
  remember();
  for (const bytes of wrapped.slice(-1)) assert.notDeepEqual(whereIs(world.folder, bytes), []);
  await world.acts.shred('shred', ACT);
  await world.acts.settled();
  for (const bytes of wrapped) assert.deepEqual(whereIs(world.folder, bytes), []);
  world.database.sql.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  for (const bytes of wrapped) assert.deepEqual(whereIs(world.folder, bytes), []);
});

test('a backup from before opens with its own root key only, not with the one that is kept', async () => {
  const world = await populated();
  const segment = world.segment('file of shred');
  const old = backup(world);
  await world.acts.shred('shred', ACT);
  await world.acts.settled();
  const restored = backup(world);
  for (const name of ['waybill.db', 'waybill.db-wal', 'waybill.db-shm']) {
    rmSync(join(restored, name), { force: true });
    if (readdirSync(old).includes(name)) copyFileSync(join(old, name), join(restored, name));
  }
  await assert.rejects(Scene.open({ folder: restored }), { code: 'root-key-wrong' });
  // Even for somebody who takes the check away.
  const sql = new DatabaseSync(join(restored, 'waybill.db'));
  sql.exec('UPDATE root_versions SET check_value = NULL; DELETE FROM secrets_keys');
  sql.close();
  const forced = await scene({ folder: restored });
  assert.throws(() => forced.segment('file of shred'), { code: 'key-unavailable' });
  // What SECURITY.md must say: whoever kept both from before has everything from before.
  const whole = await scene({ folder: old });
  assert.equal(whole.segment('file of shred'), segment);
});

test('a shredding that is killed at any write is complete after the next start, or never happened', async () => {
  let [crashes, never] = [0, 0];
  for (let at = 1; ; at++) {
    let survived = 0;
    for (const when of ['before', 'after'] as const) {
      const first = await populated();
      const kept = first.segment('file of keep');
      const bytes = first.store.tenantKeysOf('shred')[0]?.wrapped.slice(-40) ?? new Uint8Array();
      const oldRoot = readFileSync(first.file);
      const killer = crashing({ at, when });
      const dying = await first.reopen({ wrapStore: killer.wrap });
      scenes.push(dying);
      const answered = await dying.acts.shred('shred', ACT).catch((error: unknown) => {
        assert.ok(error instanceof Killed, String(error));
        return null;
      });
      await dying.acts.settled();
      if (killer.dead()) crashes++;
      else survived++;
      let removed = 0;
      const removeContents = (): Promise<{ files: number; done: boolean }> => {
        removed++;
        return Promise.resolve({ files: 1, done: true });
      };
      const healed = await dying.reopen({ parts: { removeContents } });
      scenes.push(healed);
      healed.acts.resume();
      await healed.acts.settled();
      assert.deepEqual(healed.failures, []);
      assert.equal(healed.segment('file of keep'), kept);
      if (healed.keys.stateOf('shred') === 'in-use') {
        assert.equal(answered, null);
        healed.segment('file of shred');
        never++;
      } else {
        assert.deepEqual(whereIs(healed.folder, bytes), []);
        assert.notDeepEqual(readFileSync(healed.file), oldRoot);
        assert.deepEqual(
          healed.store.tenantStates().map(({ left }) => left),
          ['nothing'],
        );
        assert.equal(healed.acts.overview().versions.length, 1);
        assert.ok(removed === 1 || !killer.dead() || when === 'after');
      }
      await healed.destroy();
    }
    if (survived === 2) break;
  }
  assert.equal(never, 1, 'only the kill before the first write leaves the tenant as it was');
  assert.ok(crashes >= 14, `${crashes} crashes`);
});

test('the root key file of before is written over, not only unlinked', async () => {
  const world = await populated();
  const held = openSync(world.file, 'r');
  const key = readFileSync(world.file);
  await world.acts.shred('shred', ACT);
  const bytes = Buffer.alloc(key.length);
  readSync(held, bytes, 0, bytes.length, 0);
  closeSync(held);
  const secret = key.toString('latin1').slice(key.indexOf('key ') + 4, -1);
  assert.equal(readFileSync(world.file, 'latin1').includes(secret), false);
  assert.equal(bytes.includes(secret), false);
});

test('a provider that does not answer leaves the shredding done and the rest to be done', async () => {
  const world = await populated();
  const wanted = world.keys.roots.wanted as unknown as { rotate: () => Promise<string> };
  const rotate = wanted.rotate.bind(wanted);
  wanted.rotate = () => Promise.reject(new Error('not now'));
  const done = await world.acts.shred('shred', ACT);
  assert.equal(done.traces, 'pending');
  assert.throws(() => world.segment('file of shred'), { code: 'tenant-shredded' });
  await world.acts.settled();
  assert.ok(world.failures.length > 0);
  wanted.rotate = rotate;
  world.acts.resume();
  await world.acts.settled();
  assert.deepEqual(
    world.store.tenantStates().map(({ left }) => left),
    ['nothing'],
  );
});
