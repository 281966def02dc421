import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { ALL_RIGHTS } from '../../src/policy/rights.ts';
import type { Right } from '../../src/policy/rights.ts';
import { code, oneTenant, World } from './world.ts';
import type { Client } from './world.ts';

let world: World;
let client: Client;
let tenant: string;

beforeEach(async () => {
  world = await World.open();
  const made = await oneTenant(world);
  client = made.client;
  tenant = made.tenant.id;
});

afterEach(async () => {
  assert.deepEqual(world.failures, []);
  await world.destroy();
});

function mkdir(path: string): Promise<unknown> {
  return client.call('files.mkdir', { path });
}

function rename(from: string, to: string, replace = false): Promise<unknown> {
  return client.call('files.rename', { from, to, replace });
}

async function withRights(rights: readonly Right[]): Promise<Client> {
  return world.account(world.tenants.get(tenant), world.folders.byName(tenant, 'inbox'), rights);
}

test('"/" lists the mounts, which nobody can remove, rename or overwrite', async () => {
  const second = await world.folders.create(tenant, 'outbox');
  const account = { id: client.who.account, tenant };
  await world.grants.grant({ account, folder: second, rights: ['list'], mount: 'Zürich' });
  assert.deepEqual(await client.names('/'), ['Zürich', 'inbox']);
  assert.equal((await client.call('files.stat', { path: '/' })).kind, 'directory');
  assert.equal((await client.call('files.stat', { path: '/Zürich' })).permissions, 0o500);
  for (const path of ['/', '/inbox']) {
    await assert.rejects(client.call('files.rmdir', { path }), code('permission-denied'));
    await assert.rejects(rename(path, '/inbox/x'), code('permission-denied'));
    await assert.rejects(client.call('files.remove', { path }), code('permission-denied'));
    await assert.rejects(client.start(path), code('is-a-directory'));
  }
  await assert.rejects(mkdir('/new'), code('not-found'));
  await assert.rejects(client.put('/outbox/a', Buffer.alloc(1)), code('not-found'));
  await assert.rejects(client.put('/Zürich/a', Buffer.alloc(1)), code('permission-denied'));
});

test('names are checked again, whatever a front let through', async () => {
  for (const name of ['.', '..', 'a\0b', 'a\nb', 'a\u202eb', 'a\u2066b', '\ud800', 'a\u0085b'])
    await assert.rejects(mkdir(`/inbox/${name}`), code('name-invalid'), JSON.stringify(name));
  await assert.rejects(mkdir(`/inbox/${'ä'.repeat(128)}`), code('path-too-long'));
  await assert.rejects(mkdir('/inbox//x'), code('name-invalid'));
  await assert.rejects(mkdir('inbox/x'), code('name-invalid'));
  await assert.rejects(mkdir('/inbox/x/'), code('name-invalid'));
  for (const name of ['ä'.repeat(127), '-rf', '...', 'a b', '\\', 'שלום', '😀', '~', 'CON'])
    await mkdir(`/inbox/${name}`);
});

test('a name that only looks like another one is refused, however it is made', async () => {
  const composed = 'caf\u00e9';
  const apart = 'cafe\u0301';
  for (const [first, second] of [
    [composed, apart],
    [apart, composed],
  ] as const) {
    await client.put(`/inbox/${first}`, Buffer.from('x'));
    await assert.rejects(client.put(`/inbox/${second}`, Buffer.from('y')), code('already-exists'));
    await assert.rejects(mkdir(`/inbox/${second}`), code('already-exists'));
    await client.put('/inbox/other', Buffer.from('z'));
    await assert.rejects(rename('/inbox/other', `/inbox/${second}`, true), code('already-exists'));
    await assert.rejects(client.call('files.stat', { path: `/inbox/${second}` }), code('not-found'));
    await rename(`/inbox/${first}`, `/inbox/${second}`);
    await client.call('files.remove', { path: `/inbox/${second}` });
  }
});

test('lists come in order of bytes, page by page, with own uploads in progress among them', async () => {
  const names = ['Z', 'a', 'a\u0300b', 'b', 'é', '\uffee', '😀', ...Array.from({ length: 250 }, (_, n) => `n${n}`)];
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  await Promise.all(
    names.map((name, n) => (n % 3 === 0 ? mkdir(`/inbox/${name}`) : client.put(`/inbox/${name}`, Buffer.from('x')))),
  );
  assert.deepEqual(await client.names('/inbox'), sorted);
  await client.start('/inbox/n100x');
  await client.start('/inbox/n1');
  await client.start('/inbox/zzz');
  const all = [...sorted, 'n100x', 'zzz'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await client.names('/inbox'), all);
  assert.equal((await client.call('files.stat', { path: '/inbox/n1' })).partial, true);
  assert.equal((await client.again().call('files.stat', { path: '/inbox/n2' })).partial, false);
});

test('directories: made, filled, not removed while anything is in them', async () => {
  await mkdir('/inbox/d');
  await assert.rejects(mkdir('/inbox/d'), code('already-exists'));
  await client.put('/inbox/d/f', Buffer.from('x'));
  await assert.rejects(client.call('files.rmdir', { path: '/inbox/d' }), code('directory-not-empty'));
  await assert.rejects(client.call('files.rmdir', { path: '/inbox/d/f' }), code('not-a-directory'));
  await assert.rejects(client.call('files.remove', { path: '/inbox/d' }), code('is-a-directory'));
  await assert.rejects(client.call('files.stat', { path: '/inbox/d/f/g' }), code('not-a-directory'));
  await assert.rejects(client.start('/inbox/d'), code('is-a-directory'));
  await client.call('files.remove', { path: '/inbox/d/f' });
  const upload = await client.start('/inbox/d/g');
  await assert.rejects(client.call('files.rmdir', { path: '/inbox/d' }), code('directory-not-empty'));
  await client.call('upload.discard', { upload: upload.upload });
  await client.call('files.rmdir', { path: '/inbox/d' });
  await assert.rejects(client.call('files.rmdir', { path: '/inbox/d' }), code('not-found'));
});

test('leftovers that others have in a directory do not keep it from being removed; what they write now does', async () => {
  const other = await withRights(ALL_RIGHTS);
  await mkdir('/inbox/d');
  const upload = await other.start('/inbox/d/big');
  await other.fill(upload, randomBytes(100_000));
  await assert.rejects(client.call('files.rmdir', { path: '/inbox/d' }), code('directory-not-empty'));
  await other.end();
  await client.call('files.rmdir', { path: '/inbox/d' });
  assert.equal(world.files.usage(tenant).used, 0);
});

test('renaming: over nothing, over a file, never over a directory or into itself', async () => {
  await mkdir('/inbox/d');
  await mkdir('/inbox/d/e');
  await client.put('/inbox/a', Buffer.from('a'));
  await client.put('/inbox/b', Buffer.from('b'));
  await assert.rejects(rename('/inbox/a', '/inbox/b'), code('already-exists'));
  await rename('/inbox/a', '/inbox/b', true);
  assert.equal((await client.get('/inbox/b')).toString(), 'a');
  await rename('/inbox/b', '/inbox/b', true);
  await assert.rejects(rename('/inbox/b', '/inbox/d', true), code('already-exists'));
  await assert.rejects(rename('/inbox/d', '/inbox/b', true), code('already-exists'));
  await assert.rejects(rename('/inbox/d', '/inbox/d/e/f'), code('request-invalid'));
  await assert.rejects(rename('/inbox/d', '/inbox/d/f'), code('request-invalid'));
  await assert.rejects(rename('/inbox/gone', '/inbox/x'), code('not-found'));
  await rename('/inbox/d', '/inbox/D');
  assert.deepEqual(await client.names('/inbox/D'), ['e']);
  assert.equal(world.files.usage(tenant).used, 1);
});

test('renaming moves the own upload in progress, idle or not, and clears a leftover out of the way', async () => {
  const upload = await client.start('/inbox/a.part');
  await client.fill(upload, randomBytes(100_000));
  await rename('/inbox/a.part', '/inbox/a');
  assert.deepEqual(await client.names('/inbox'), ['a']);
  await client.end();
  client = client.again();
  await rename('/inbox/a', '/inbox/b');
  await client.put('/inbox/c', Buffer.from('c'));
  await assert.rejects(rename('/inbox/c', '/inbox/b'), code('already-exists'));
  await rename('/inbox/c', '/inbox/b', true);
  assert.equal((await client.call('files.stat', { path: '/inbox/b' })).partial, false);
  world = await world.reopen();
  assert.equal(world.files.recovered.uploads, 0);
});

test('a client that does not wait for its CLOSE finds what it made', async () => {
  const content = randomBytes(10);
  const upload = await client.start('/inbox/a');
  const [put, , opened] = await Promise.all([
    client.finish(upload, content),
    rename('/inbox/a', '/inbox/b'),
    client
      .again()
      .start('/inbox/b', { create: false, truncate: false })
      .catch(() => null),
  ]);
  assert.ok(put);
  assert.ok((await client.get('/inbox/b')).equals(content));
  assert.equal(opened, null);
});

test('between two folders of the tenant, with the rights that takes', async () => {
  const second = await world.folders.create(tenant, 'outbox');
  const account = { id: client.who.account, tenant };
  await world.grants.grant({ account, folder: second, rights: ['list', 'read', 'rename'] });
  await mkdir('/inbox/d');
  await client.put('/inbox/d/f', Buffer.from('moved'));
  await assert.rejects(rename('/inbox/d', '/outbox/d'), code('permission-denied'));
  await world.grants.grant({ account, folder: second, rights: ['list', 'read', 'write', 'rename'] });
  await rename('/inbox/d', '/outbox/d');
  assert.equal((await client.get('/outbox/d/f')).toString(), 'moved');
  await assert.rejects(rename('/outbox/d', '/inbox/d'), code('permission-denied'));
});

test('a reading goes on under removal and renaming', async () => {
  const content = randomBytes(100_000);
  await client.put('/inbox/a', content);
  const reading = await client.open('/inbox/a');
  await rename('/inbox/a', '/inbox/b');
  await client.call('files.remove', { path: '/inbox/b' });
  assert.ok((await client.read(reading)).equals(content));
  await client.end();
  await world.files.settled();
  assert.equal(world.files.usage(tenant).used, 0);
});

test('times are kept', async () => {
  await client.put('/inbox/a', Buffer.from('a'));
  await client.call('files.set-times', { path: '/inbox/a', mtime: 1_000_000, atime: 2_000_000 });
  const { mtime, atime } = await client.call('files.stat', { path: '/inbox/a' });
  assert.deepEqual([mtime, atime], [1_000_000, 2_000_000]);
  await assert.rejects(client.call('files.set-times', { path: '/inbox/x', mtime: 1, atime: 1 }), code('not-found'));
});

/** What each right is needed for; `existing` and `gone` must answer the same without the rights to see names. */
const NEEDS: Record<string, { right: Right; run: (on: Client, name: string) => Promise<unknown> }> = {
  list: { right: 'list', run: (on) => on.names('/inbox') },
  read: { right: 'read', run: (on, name) => on.open(`/inbox/${name}`) },
  mkdir: { right: 'write', run: (on) => on.call('files.mkdir', { path: '/inbox/new' }) },
  times: {
    right: 'write',
    run: (on, name) => on.call('files.set-times', { path: `/inbox/${name}`, mtime: 1, atime: 1 }),
  },
  upload: { right: 'write', run: (on) => on.put('/inbox/new', Buffer.from('x')) },
  overwrite: { right: 'delete', run: (on, name) => on.put(`/inbox/${name}`, Buffer.from('x')) },
  remove: { right: 'delete', run: (on, name) => on.call('files.remove', { path: `/inbox/${name}` }) },
  rename: {
    right: 'rename',
    run: (on, name) => on.call('files.rename', { from: `/inbox/${name}`, to: '/inbox/z', replace: false }),
  },
};

for (const [name, { right, run }] of Object.entries(NEEDS))
  test(`${name} needs the right "${right}"`, async () => {
    await client.put('/inbox/a', Buffer.from('a'));
    const others = ALL_RIGHTS.filter((one) => one !== right);
    await assert.rejects(run(await withRights(others), 'a'), code('permission-denied'));
    await run(await withRights(ALL_RIGHTS), 'a');
  });

test('without the rights to see names, what exists and what does not answer the same', async () => {
  await client.put('/inbox/a', Buffer.from('a'));
  const blind = await withRights(['write']);
  const answers = async (name: string): Promise<unknown[]> =>
    Promise.all(
      [
        blind.call('files.stat', { path: `/inbox/${name}` }),
        blind.call('files.stat', { path: `/inbox/${name}/below` }),
        blind.open(`/inbox/${name}`),
        blind.call('files.remove', { path: `/inbox/${name}` }),
        blind.call('files.list', { path: `/inbox/${name}`, after: null, limit: 10 }),
      ].map((call) =>
        call.then(
          () => 'yes',
          (error: unknown) => (error as { code: string }).code,
        ),
      ),
    );
  assert.deepEqual(await answers('a'), await answers('gone'));
  assert.ok(!(await answers('a')).includes('yes'));
  await blind.put('/inbox/mine', Buffer.from('m'));
  await assert.rejects(blind.call('files.stat', { path: '/inbox/mine' }), code('not-found'));
  assert.deepEqual(await client.names('/inbox'), ['a', 'mine']);
});

test('two tenants never see each other', async () => {
  const other = await world.tenants.create({ name: 'other', quota: null });
  const folder = await world.folders.create(other.id, 'inbox');
  const stranger = await world.account(other, folder);
  const path = fc.constantFrom('/inbox/a', '/inbox/b', '/inbox/d', '/inbox/d/a');
  const step = fc.record({
    own: fc.boolean(),
    what: fc.constantFrom('put', 'mkdir', 'remove', 'rmdir', 'rename'),
    path,
    to: path,
  });
  type Step = { own: boolean; what: string; path: string; to: string };
  const play = async (on: Client, { what, path: at, to }: Step): Promise<string> => {
    const done = {
      put: () => on.put(at, randomBytes(5)),
      mkdir: () => on.call('files.mkdir', { path: at }),
      remove: () => on.call('files.remove', { path: at }),
      rmdir: () => on.call('files.rmdir', { path: at }),
      rename: () => on.call('files.rename', { from: at, to, replace: true }),
    }[what];
    return (done?.() ?? Promise.resolve()).then(
      () => 'ok',
      (error: unknown) => (error as { code: string }).code,
    );
  };
  // What one tenant is answered depends on its own steps only: played alone, they answer the same.
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await wipe(client);
      await wipe(stranger);
      const mixed: string[] = [];
      for (const one of steps) {
        const answer = await play(one.own ? client : stranger, one);
        if (one.own) mixed.push(answer);
      }
      const names = await client.names('/inbox');
      await wipe(client);
      await wipe(stranger);
      const alone: string[] = [];
      for (const one of steps) if (one.own) alone.push(await play(client, one));
      assert.deepEqual(mixed, alone);
      assert.deepEqual(names, await client.names('/inbox'));
    }),
    { numRuns: 40 },
  );
  await assert.rejects(
    world.grants.grant({
      account: { id: stranger.who.account, tenant: other.id },
      folder: world.folders.byName(tenant, 'inbox'),
      rights: ['read'],
    }),
    code('permission-denied'),
  );
});

async function wipe(on: Client): Promise<void> {
  for (const name of await on.names('/inbox')) {
    const path = `/inbox/${name}`;
    if ((await on.call('files.stat', { path })).kind === 'file') await on.call('files.remove', { path });
    else {
      for (const inner of await on.names(path)) {
        const below = `${path}/${inner}`;
        const directory = (await on.call('files.stat', { path: below })).kind === 'directory';
        await on.call(directory ? 'files.rmdir' : 'files.remove', { path: below });
      }
      await on.call('files.rmdir', { path });
    }
  }
}
