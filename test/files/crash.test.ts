/**
 * Every durable step of an upload, a replacement and a removal, cut off before and after: whatever the moment, a start
 * afterwards finds either the state before or the state after, exact counts, and no file that nothing explains.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import type { BlobStore } from '../../src/files/blobs.ts';
import { checkStore } from '../../src/files/check.ts';
import { ownedBy } from '../../src/files/runs.ts';
import type { FileStore } from '../../src/files/store.ts';
import { code, oneTenant, World } from './world.ts';
import type { Client } from './world.ts';

/** Lets a number of steps happen; then nothing any more, as after kill -9. */
class Lifetime {
  steps = Infinity;
  used = 0;

  step(): void {
    if (this.used >= this.steps) throw new Error('the process is dead');
    this.used++;
  }

  async around<T>(work: () => Promise<T>): Promise<T> {
    this.step();
    const value = await work();
    this.step();
    return value;
  }

  blobs(real: BlobStore): BlobStore {
    return {
      settle: (id, length) => this.around(() => real.settle(id, length)),
      unsettle: (id) => this.around(() => real.unsettle(id)),
      remove: (id) => this.around(() => real.remove(id)),
      removeIncoming: (id) => this.around(() => real.removeIncoming(id)),
      syncIncoming: (id) => this.around(() => real.syncIncoming(id)),
      committed: () => real.committed(),
      incoming: () => real.incoming(),
      open: (id) => real.open(id),
      incomingBytes: (id) => real.incomingBytes(id),
      space: (now) => real.space(now),
    };
  }

  store(real: FileStore): FileStore {
    const write = <T>(action: () => T): Promise<T> => this.around(() => real.write(action));
    return new Proxy(real, {
      get(target, name) {
        const value: unknown = name === 'write' ? write : Reflect.get(target, name);
        return typeof value === 'function' && name !== 'write' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}

interface Scene {
  /** What was there before, by path. */
  readonly before: Readonly<Record<string, Buffer>>;
  /** What is there once `act` has resolved. */
  readonly after: Readonly<Record<string, Buffer>>;
  readonly act: (client: Client) => Promise<unknown>;
}

const OLD = randomBytes(150_000);
const NEW = randomBytes(200_000);
const SMALL = randomBytes(1000);

const SCENES: Record<string, Scene> = {
  'a new file': { before: {}, after: { a: NEW }, act: (client) => client.put('/inbox/a', NEW) },
  'a new small file': { before: {}, after: { a: SMALL }, act: (client) => client.put('/inbox/a', SMALL) },
  'a replacement': { before: { a: OLD }, after: { a: NEW }, act: (client) => client.put('/inbox/a', NEW) },
  'a large one by a small one': {
    before: { a: OLD },
    after: { a: SMALL },
    act: (client) => client.put('/inbox/a', SMALL),
  },
  'a small one by a large one': {
    before: { a: SMALL },
    after: { a: NEW },
    act: (client) => client.put('/inbox/a', NEW),
  },
  'a removal': { before: { a: OLD }, after: {}, act: (client) => client.call('files.remove', { path: '/inbox/a' }) },
  'a rename over another': {
    before: { a: OLD, b: NEW },
    after: { a: NEW },
    act: (client) => client.call('files.rename', { from: '/inbox/b', to: '/inbox/a', replace: true }),
  },
};

async function contents(client: Client): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for (const name of await client.names('/inbox')) {
    const { partial } = await client.call('files.stat', { path: `/inbox/${name}` });
    if (!partial) found[name] = await client.get(`/inbox/${name}`);
  }
  return found;
}

async function crashAt(scene: Scene, steps: number): Promise<boolean> {
  const lifetime = new Lifetime();
  let world = await World.open({
    wrapBlobs: (blobs) => lifetime.blobs(blobs),
    wrapStore: (store) => lifetime.store(store),
  });
  try {
    const { client, tenant } = await oneTenant(world);
    for (const [name, content] of Object.entries(scene.before)) await client.put(`/inbox/${name}`, content);
    lifetime.used = 0;
    lifetime.steps = steps;
    const acknowledged = await scene.act(client).then(
      () => true,
      () => false,
    );
    await world.files.settled();
    const complete = lifetime.used < steps;
    world = await world.reopen();
    // Uploads in progress that the crash left: discarding them must leave nothing behind.
    const again = client.again(world);
    for (const name of await again.names('/inbox'))
      if ((await again.call('files.stat', { path: `/inbox/${name}` })).partial) {
        const upload = await again.start(`/inbox/${name}`, { create: false, truncate: false });
        await again.call('upload.discard', { upload: upload.upload });
      }
    const now = await contents(again);
    if (acknowledged) assert.deepEqual(now, scene.after);
    else assert.ok(same(now, scene.before) || same(now, scene.after), 'neither the state before nor the one after');
    const size = Object.values(now).reduce((sum, content) => sum + content.length, 0);
    await world.files.settled();
    assert.equal(world.files.usage(tenant.id).used, size);
    const stored = Object.values(now).filter((content) => content.length > 65_536).length;
    assert.equal(readdirSync(join(world.folder, 'blobs')).length, stored);
    assert.deepEqual(readdirSync(join(world.folder, 'incoming')), []);
    assert.deepEqual(
      (await checkStore({ store: world.store, blobs: world.blobFolder, keys: world.keys })).findings,
      [],
    );
    return complete;
  } finally {
    await world.destroy();
  }
}

function same(a: Record<string, Buffer>, b: Record<string, Buffer>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => b[name]?.equals(a[name] ?? OLD) === true);
}

for (const [name, scene] of Object.entries(SCENES))
  test(`${name}, cut off at every step`, async () => {
    let steps = 0;
    while (!(await crashAt(scene, steps))) steps++;
    assert.ok(steps > 1);
  });

test('a blob that was moved but not committed goes back and its upload can be closed again', async () => {
  const lifetime = new Lifetime();
  let world = await World.open({ wrapStore: (store) => lifetime.store(store) });
  try {
    const { client } = await oneTenant(world);
    const upload = await client.start('/inbox/a');
    await client.fill(upload, NEW);
    const runs = [{ first: 0, count: 1, blob: upload.blob }];
    await client.call('upload.progress', { upload: upload.upload, size: NEW.length, runs, durable: true, idle: false });
    await world.blobFolder.settle(upload.blob, ownedBy(upload.blob, runs, NEW.length).length);
    world = await world.reopen();
    assert.deepEqual(world.files.recovered, { uploads: 1, movedBack: 1, removed: 0, lost: 0 });
    const again = client.again(world);
    const resumed = await again.start('/inbox/a', { truncate: false });
    await again.commit(resumed, NEW.length, [...resumed.runs]);
    assert.ok((await again.get('/inbox/a')).equals(NEW));
  } finally {
    await world.destroy();
  }
});

test('an upload in progress whose stored bytes are gone is dropped at start', async () => {
  let world = await World.open();
  try {
    const { client, tenant } = await oneTenant(world);
    const upload = await client.start('/inbox/a');
    await client.fill(upload, NEW);
    const runs = [{ first: 0, count: 1, blob: upload.blob }];
    await client.call('upload.progress', { upload: upload.upload, size: NEW.length, runs, durable: true, idle: false });
    await world.blobFolder.removeIncoming(upload.blob);
    world = await world.reopen();
    assert.equal(world.files.recovered.lost, 1);
    assert.equal(world.files.usage(tenant.id).used, 0);
    await assert.rejects(client.again(world).call('files.stat', { path: '/inbox/a' }), code('not-found'));
  } finally {
    await world.destroy();
  }
});

test('a full disk fails the call that met it, with nothing half done, and the next one works', async () => {
  let full = false;
  const refuse = (): void => {
    if (full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  const world = await World.open({
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          if (name === 'insertVersion') refuse();
          return value.bind(target) as unknown;
        },
      }),
  });
  try {
    const { client, tenant } = await oneTenant(world);
    await client.put('/inbox/a', OLD);
    const upload = await client.start('/inbox/b');
    await client.fill(upload, NEW);
    const runs = [{ first: 0, count: 1, blob: upload.blob }];
    full = true;
    await assert.rejects(client.commit(upload, NEW.length, runs), code('ENOSPC'));
    await assert.rejects(client.put('/inbox/c', SMALL), code('ENOSPC'));
    assert.deepEqual(readdirSync(join(world.folder, 'incoming')), [upload.blob]);
    assert.ok((await client.get('/inbox/a')).equals(OLD));
    full = false;
    await client.commit(upload, NEW.length, runs);
    assert.ok((await client.get('/inbox/b')).equals(NEW));
    assert.equal(world.files.usage(tenant.id).used, OLD.length + NEW.length);
  } finally {
    await world.destroy();
  }
});

test('content is refused before the last space is gone, so that there is room to remove some', async () => {
  const space = { total: 1_000_000_000, free: 500_000_000 };
  const world = await World.open({
    wrapBlobs: (real) => ({ ...new Lifetime().blobs(real), space: () => Promise.resolve({ ...space }) }),
  });
  try {
    const { client, tenant } = await oneTenant(world);
    await client.put('/inbox/a', OLD);
    const upload = await client.start('/inbox/b');
    await client.fill(upload, NEW);
    space.free = 40_000_000;
    await assert.rejects(client.again().put('/inbox/c', SMALL), code('store-full'));
    await assert.rejects(client.again().put('/inbox/d', OLD), code('store-full'));
    // What is written already may be closed: it takes no more.
    await client.commit(upload, NEW.length, [{ first: 0, count: 1, blob: upload.blob }]);
    await client.call('files.remove', { path: '/inbox/a' });
    space.free = 70_000_000;
    await client.again().put('/inbox/e', SMALL);
    assert.equal(world.files.usage(tenant.id).used, NEW.length + SMALL.length);
  } finally {
    await world.destroy();
  }
});

test('an upload whose row cannot be removed on a full disk gives its file back all the same', async () => {
  let full = false;
  let world = await World.open({
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          if (name === 'removeUpload' && full) throw new WaybillError('store-full', 'full');
          return value.bind(target) as unknown;
        },
      }),
  });
  try {
    const { client, tenant } = await oneTenant(world);
    const upload = await client.start('/inbox/a');
    await client.fill(upload, OLD);
    full = true;
    await assert.rejects(client.call('upload.discard', { upload: upload.upload }), code('store-full'));
    assert.deepEqual(readdirSync(join(world.folder, 'incoming')), []);
    assert.equal(world.files.usage(tenant.id).used, 0);
    full = false;
    const second = await client.start('/inbox/a');
    await client.fill(second, NEW);
    await client.end();
    world = await world.reopen();
    assert.deepEqual(world.files.recovered, { uploads: 1, movedBack: 0, removed: 0, lost: 0 });
  } finally {
    await world.destroy();
  }
});
