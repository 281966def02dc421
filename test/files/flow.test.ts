/** Flow policies and legal holds, at the calls that a front makes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Folder, Tenant } from '../../src/files/store.ts';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import { NO_POLICY } from '../../src/policy/flow.ts';
import type { FlowPolicy } from '../../src/policy/flow.ts';
import { ALL_RIGHTS } from '../../src/policy/rights.ts';
import type { Right } from '../../src/policy/rights.ts';
import { Client, code, oneTenant, World } from './world.ts';
import type { Opened } from './world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const TWO_SEGMENTS = randomBytes(SEGMENT_PLAIN + 1000);
const SMALL = Buffer.from('a few words');
const REFUSED = code('flow-refused');

let world: World;
let tenant: Tenant;
let folder: Folder;
let owner: Client;

beforeEach(async () => {
  world = await World.open();
  ({ tenant, folder, client: owner } = await oneTenant(world));
});
afterEach(() => world.destroy());

async function given(policy: Partial<FlowPolicy>, rights: readonly Right[] = ALL_RIGHTS): Promise<Client> {
  const client = new Client(world, randomBytes(16).toString('hex'), tenant.id);
  await regrant(client, policy, rights);
  return client;
}

async function regrant(client: Client, policy: Partial<FlowPolicy> | null, rights = ALL_RIGHTS as readonly Right[]) {
  const account = { id: client.who.account, tenant: tenant.id };
  await world.grants.grant({ account, folder, rights, policy: policy === null ? null : { ...NO_POLICY, ...policy } });
}

function release(client: Client, { reading }: Opened, first: number, count = 1) {
  return client.call('release', { reading, first, count });
}

function close(client: Client, { reading }: Opened, sent: readonly (readonly [number, number])[]) {
  return client.call('file.close', { reading, sent: sent.map(([offset, length]) => [offset, length]) });
}

/** Until what is written in the background is durable. */
async function settled(): Promise<void> {
  await world.files.settled();
}

describe('where and when a grant holds', () => {
  const closed: Readonly<Record<string, Partial<FlowPolicy>>> = {
    'from elsewhere': { addresses: ['198.51.100.0/24'] },
    'after its end': { expires: Date.now() - 1 },
    'out of hours': { hours: [closedNow()] },
  };
  for (const [when, policy] of Object.entries(closed))
    it(`${when}, every call of a path is refused, and "/" does not show the folder`, async () => {
      await owner.put('/inbox/a', SMALL);
      const client = await given(policy);
      assert.deepEqual(await client.names('/'), []);
      const calls = [
        () => client.call('files.stat', { path: '/inbox/a' }),
        () => client.call('files.list', { path: '/inbox', after: null, limit: 10 }),
        () => client.call('files.mkdir', { path: '/inbox/b' }),
        () => client.call('files.rmdir', { path: '/inbox/b' }),
        () => client.call('files.remove', { path: '/inbox/a' }),
        () => client.call('files.rename', { from: '/inbox/a', to: '/inbox/b', replace: false }),
        () => client.call('files.set-times', { path: '/inbox/a', mtime: 1, atime: 1 }),
        () => client.call('files.quota', { path: '/inbox' }),
        () => client.open('/inbox/a'),
        () => client.start('/inbox/b'),
      ];
      for (const call of calls) await assert.rejects(call, REFUSED, String(call));
      assert.deepEqual(await owner.names('/inbox'), ['a']);
    });

  it('is asked again at each release, and a policy that is set acts on what is open', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ addresses: ['192.0.2.0/24'] });
    const reading = await client.open('/inbox/a');
    await release(client, reading, 0);
    await regrant(client, { addresses: ['198.51.100.0/24'] });
    await assert.rejects(release(client, reading, 1), REFUSED);
    await regrant(client, { expires: Date.now() + HOUR });
    await release(client, reading, 1);
    world.time.offset += HOUR + 1;
    await assert.rejects(release(client, reading, 1), REFUSED);
  });

  it('is asked again by an upload, for each key and at its end', async () => {
    const client = await given({ expires: Date.now() + HOUR });
    const upload = await client.start('/inbox/new');
    await client.fill(upload, TWO_SEGMENTS);
    world.time.offset += HOUR + 1;
    const keys = client.call('upload.keys', { upload: upload.upload, first: 1, count: 1, size: TWO_SEGMENTS.length });
    await assert.rejects(keys, REFUSED);
    const runs = [{ first: 0, count: 2, blob: upload.blob }];
    await assert.rejects(client.commit(upload, TWO_SEGMENTS.length, runs), REFUSED);
    assert.deepEqual(await owner.names('/inbox'), []);
    // It waits; when the grant holds again, it is whole.
    await regrant(client, null);
    await client.commit(upload, TWO_SEGMENTS.length, runs);
    assert.deepEqual(await owner.get('/inbox/new'), TWO_SEGMENTS);
  });

  it('a drop box takes, and shows nothing', async () => {
    const client = await given({}, ['write']);
    await client.put('/inbox/letter', SMALL);
    await assert.rejects(client.names('/inbox'), code('permission-denied'));
    await assert.rejects(client.open('/inbox/letter'), code('not-found'));
    await assert.rejects(client.start('/inbox/letter'), code('permission-denied'));
    assert.deepEqual(await owner.get('/inbox/letter'), SMALL);
  });

  it('survives a restart, with its policy', async () => {
    await owner.put('/inbox/a', SMALL);
    const client = await given({ addresses: ['198.51.100.0/24'], readOnce: true, removeAfterDays: 3 });
    world = await world.reopen();
    await assert.rejects(client.again(world).open('/inbox/a'), REFUSED);
    const grant = world.grants.find(client.who.account, folder.id);
    assert.deepEqual(grant?.policy, {
      ...NO_POLICY,
      addresses: ['198.51.100.0/24'],
      readOnce: true,
      removeAfterDays: 3,
    });
  });
});

describe('read once', () => {
  it('gives a version once, to each account that has such a grant', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const [one, other] = [await given({ readOnce: true }), await given({ readOnce: true })];
    assert.deepEqual(await one.get('/inbox/a'), TWO_SEGMENTS);
    await settled();
    const session = one.again();
    const reading = await session.open('/inbox/a');
    await assert.rejects(release(session, reading, 0), REFUSED);
    assert.deepEqual(await other.get('/inbox/a'), TWO_SEGMENTS);
    assert.deepEqual(await owner.get('/inbox/a'), TWO_SEGMENTS);
    assert.deepEqual(await owner.get('/inbox/a'), TWO_SEGMENTS);
  });

  it('a new version is a new one', async () => {
    await owner.put('/inbox/a', SMALL);
    const client = await given({ readOnce: true });
    await client.get('/inbox/a');
    await settled();
    await owner.put('/inbox/a', Buffer.from('other words'));
    assert.deepEqual(await client.get('/inbox/a'), Buffer.from('other words'));
  });

  it('a broken transfer goes on within the hour, and not after it', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    const broken = await client.open('/inbox/a');
    await release(client, broken, 0);
    await client.end();
    world.time.offset += HOUR - 1000;
    const resumed = client.again();
    const reading = await resumed.open('/inbox/a');
    await release(resumed, reading, 0);
    world.time.offset += 2000;
    // Begun in time it goes on, and gets nothing twice.
    await release(resumed, reading, 1);
    await assert.rejects(release(resumed, reading, 0), REFUSED);
    await assert.rejects(release(resumed, reading, 1), REFUSED);
    const late = client.again();
    const another = await late.open('/inbox/a');
    await assert.rejects(release(late, another, 1), REFUSED);
  });

  it('is over for readings that are open beside, once the end was sent', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    const beside = await client.open('/inbox/a');
    await release(client, beside, 0);
    await client.get('/inbox/a');
    await settled();
    await assert.rejects(release(client, beside, 1), REFUSED);
  });

  it('a front that denies that anything was sent gains the hour, and no more', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    for (let minute = 0; minute < 60; minute += 20) {
      const reading = await client.open('/inbox/a');
      await release(client, reading, 0, 2);
      await close(client, reading, []);
      await settled();
      world.time.offset += 20 * 60_000;
    }
    const reading = await client.open('/inbox/a');
    await assert.rejects(release(client, reading, 0), REFUSED);
  });

  it('a front that claims to have sent what it never got ends nothing', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    const reading = await client.open('/inbox/a');
    await release(client, reading, 1);
    await close(client, reading, [[0, TWO_SEGMENTS.length]]);
    await settled();
    assert.deepEqual(await client.get('/inbox/a'), TWO_SEGMENTS);
  });

  it('what two readings got together is the whole', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    const first = await client.open('/inbox/a');
    await release(client, first, 0);
    await close(client, first, [[0, SEGMENT_PLAIN]]);
    const second = await client.open('/inbox/a');
    await release(client, second, 1);
    await close(client, second, [[SEGMENT_PLAIN, 1000]]);
    await settled();
    const third = await client.open('/inbox/a');
    await assert.rejects(release(client, third, 0), REFUSED);
  });

  it('a crash gives nothing anew', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    await release(client, await client.open('/inbox/a'), 0);
    world = await world.reopen();
    world.time.offset += HOUR;
    const after = client.again(world);
    await assert.rejects(release(after, await after.open('/inbox/a'), 1), REFUSED);
  });

  it('modifying is reading: a base is released under the same rule', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    const client = await given({ readOnce: true });
    await client.get('/inbox/a');
    await settled();
    const upload = await client.start('/inbox/a', { truncate: false });
    await assert.rejects(client.call('release', { reading: upload.reading, first: 0, count: 1 }), REFUSED);
  });

  it('a grant that is taken away and given anew gives anew; one that is replaced does not', async () => {
    await owner.put('/inbox/a', SMALL);
    const client = await given({ readOnce: true });
    await client.get('/inbox/a');
    await settled();
    await regrant(client, { readOnce: true, addresses: ['192.0.2.0/24'] });
    await assert.rejects(release(client, await client.open('/inbox/a'), 0), REFUSED);
    await world.grants.revoke(client.who.account, folder.id);
    await regrant(client, { readOnce: true });
    assert.deepEqual(await client.get('/inbox/a'), SMALL);
  });
});

describe('removal after delivery', () => {
  const policy = { removeAfterDays: 7 };

  it('comes so many days after the first complete read, and is in the ledger', async () => {
    await owner.put('/inbox/a', TWO_SEGMENTS);
    await owner.put('/inbox/b', SMALL);
    const client = await given(policy);
    await client.get('/inbox/a');
    await settled();
    world.time.offset += 6 * DAY;
    await client.get('/inbox/a');
    await settled();
    assert.equal(await world.files.sweep(), 0);
    world.time.offset += DAY;
    assert.equal(await world.files.sweep(), 1);
    assert.deepEqual(await owner.names('/inbox'), ['b']);
    await settled();
    const removed = world.ledger.pending('removed').at(-1)?.entry as { session: unknown; path: unknown };
    assert.deepEqual([removed.session, removed.path], [null, '/a']);
    assert.equal(await world.files.sweep(), 0);
  });

  it('not of what was read in part, replaced since, moved away, or under legal hold', async () => {
    const outbox = await world.folders.create(tenant.id, 'outbox');
    const account = { id: owner.who.account, tenant: tenant.id };
    await world.grants.grant({ account, folder: outbox, rights: ALL_RIGHTS });
    const client = await given(policy);
    for (const name of ['part', 'replaced', 'moved', 'held']) await owner.put(`/inbox/${name}`, TWO_SEGMENTS);
    const reading = await client.open('/inbox/part');
    await release(client, reading, 0);
    await close(client, reading, [[0, TWO_SEGMENTS.length]]);
    for (const name of ['replaced', 'moved', 'held']) await client.get(`/inbox/${name}`);
    await settled();
    await owner.put('/inbox/replaced', SMALL);
    await owner.call('files.rename', { from: '/inbox/moved', to: '/outbox/moved', replace: false });
    const by = { actor: 'ada', approvedBy: '' };
    await world.grants.legalHolds.hold(folder, 'case', by);
    world.time.offset += 30 * DAY;
    assert.equal(await world.files.sweep(), 0);
    assert.deepEqual(await owner.names('/inbox'), ['held', 'part', 'replaced']);
    assert.deepEqual(await owner.names('/outbox'), ['moved']);
    await world.grants.legalHolds.lift(folder, 'over', by);
    assert.equal(await world.files.sweep(), 1);
    assert.deepEqual(await owner.names('/inbox'), ['part', 'replaced']);
  });

  it('goes by the grant as it is then', async () => {
    await owner.put('/inbox/a', SMALL);
    const client = await given(policy);
    await client.get('/inbox/a');
    await settled();
    world.time.offset += 30 * DAY;
    await regrant(client, null);
    assert.equal(await world.files.sweep(), 0);
    await regrant(client, { removeAfterDays: 31 });
    assert.equal(await world.files.sweep(), 0);
    await regrant(client, { removeAfterDays: 0 });
    assert.equal(await world.files.sweep(), 1);
  });
});

describe('legal hold', () => {
  const by = { actor: 'ada', approvedBy: 'ben' };
  const HELD = code('legal-hold');

  it('keeps what is there from everybody, and takes what is new', async () => {
    await owner.put('/inbox/a', SMALL);
    await owner.put('/inbox/b', SMALL);
    await owner.put('/inbox/c', SMALL);
    await owner.call('files.mkdir', { path: '/inbox/empty' });
    const outbox = await world.folders.create(tenant.id, 'outbox');
    const account = { id: owner.who.account, tenant: tenant.id };
    await world.grants.grant({ account, folder: outbox, rights: ALL_RIGHTS });
    const begun = await owner.start('/inbox/c', { truncate: false });
    await world.grants.legalHolds.hold(folder, 'case', by);
    const refused = [
      () => owner.call('files.remove', { path: '/inbox/a' }),
      () => owner.call('files.rmdir', { path: '/inbox/empty' }),
      () => owner.call('files.rename', { from: '/inbox/a', to: '/inbox/b', replace: true }),
      () => owner.call('files.rename', { from: '/inbox/a', to: '/outbox/a', replace: false }),
      () => owner.call('files.rename', { from: '/inbox/empty', to: '/outbox/empty', replace: false }),
      () => owner.start('/inbox/a'),
      () => owner.start('/inbox/a', { truncate: false }),
      // Opened before the hold: its commit is what would replace.
      () => owner.finish(begun, Buffer.from('other')),
    ];
    for (const call of refused) await assert.rejects(call, HELD, String(call));
    await owner.put('/inbox/new', SMALL);
    await owner.call('files.rename', { from: '/inbox/new', to: '/inbox/newer', replace: false });
    assert.deepEqual(await owner.get('/inbox/a'), SMALL);
    assert.deepEqual(await owner.names('/inbox'), ['a', 'b', 'c', 'empty', 'newer']);
  });

  it('keeps an empty folder, lasts over a restart, and is lifted', async () => {
    const empty = await world.folders.create(tenant.id, 'empty');
    await world.grants.legalHolds.hold(empty, 'case', by);
    await assert.rejects(world.grants.legalHolds.hold(empty, 'again', by), code('already-exists'));
    world = await world.reopen();
    await assert.rejects(world.folders.remove(empty.id), HELD);
    assert.throws(() => {
      world.grants.legalHolds.refuseTenant(tenant.id);
    }, HELD);
    await world.grants.legalHolds.lift(empty, 'over', by);
    await assert.rejects(world.grants.legalHolds.lift(empty, 'again', by), code('not-found'));
    await world.folders.remove(empty.id);
    const actions = world.ledger.pending('changed').map(({ entry }) => (entry as { action: string }).action);
    assert.ok(actions.includes('folder.hold') && actions.includes('folder.unhold'));
  });
});

function closedNow(): string {
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][(new Date().getUTCDay() + 3) % 7] ?? '';
  return `${day} 00:00-24:00 UTC`;
}
