/** Budgets under the real readings, listings and uploads: many sessions at once, holds, approvals, first-seen sessions. */
import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { isErrorCode, WaybillError } from '../../../src/base/errors.ts';
import { LOCAL_OPERATOR } from '../../../src/base/acting.ts';
import { segmentBytes, storedBytes } from '../../../src/files/runs.ts';
import type { EventOf } from '../../../src/ledger/core/kinds.ts';
import type { FileStore } from '../../../src/files/store.ts';
import type { Figures } from '../../../src/policy/budgets/limits.ts';
import type { Scope } from '../../../src/policy/budgets/scopes.ts';
import { DAY_MS, WINDOWS } from '../../../src/policy/budgets/windows.ts';
import type { Amounts } from '../../../src/policy/budgets/windows.ts';
import { code, oneTenant, World } from '../../files/world.ts';
import type { Client, Opened } from '../../files/world.ts';
import { TestMachine } from './machine.ts';

const MiB = 2 ** 20;
const SEGMENT = 8 * MiB;
const SEGMENTS = 12;
const SIZE = (SEGMENTS - 1) * SEGMENT + 1000;
const HOUR = 3_600_000;

function figuresOf(initial: Amounts): Figures {
  return { initial, floor: initial, cap: [2 ** 50, 1e9, 1e9] };
}

async function open(t: TestContext, initial: Amounts, machine = new TestMachine()): Promise<World> {
  const world = await World.open({ budgets: { figures: figuresOf(initial), machine } });
  t.after(() => world.destroy());
  return world;
}

/** A file of so many segments that nobody has sealed: releases look at the version alone. */
async function largeFile(world: World, client: Client, path: string, segments: number): Promise<void> {
  const upload = await client.start(path);
  const size = (segments - 1) * SEGMENT + 1000;
  await client.call('upload.persist', { upload: upload.upload });
  await client.call('upload.keys', { upload: upload.upload, first: 0, count: segments, size });
  const file = join(world.blobFolder.incomingFolder, upload.blob);
  await writeFile(file, '');
  await truncate(file, storedBytes(size));
  await client.commit(upload, size, [{ first: 0, count: segments, blob: upload.blob }]);
}

function release(client: Client, { reading }: Opened, first: number, count = 1): Promise<unknown> {
  return client.call('release', { reading, first, count });
}

/** The code of the failure, or 'ok'. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof WaybillError && isErrorCode(error.code)) return error.code;
    throw error;
  }
}

async function held(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const found =
      error instanceof WaybillError && error.code === 'held' ? /reference (H-\S+)$/.exec(error.message) : null;
    if (found?.[1] !== undefined) return found[1];
    throw error;
  }
  throw new Error('it was not held');
}

function used(world: World, scope: Scope, dimension: string): number {
  return world.budgets.usage(scope).find((row) => row.dimension === dimension)?.used ?? -1;
}

function released(world: World): EventOf<'release'>[] {
  return world.ledger.pending('release').flatMap(({ entry }) => (entry.kind === 'release' ? [entry] : []));
}

test('many sessions at once do not take a segment more than a scope allows', { timeout: 60_000 }, async (t) => {
  const machine = new TestMachine();
  const world = await open(t, [2 ** 50, 1e9, 1e9], machine);
  const { tenant, folder, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', SEGMENTS);
  const others = [await world.account(tenant, folder), await world.account(tenant, folder)];
  const ids = [client, ...others].map(({ who }) => who.account);
  const limits = fc.record({
    account: fc.array(fc.integer({ min: 0, max: 14 }), { minLength: 3, maxLength: 3 }),
    tenant: fc.integer({ min: 0, max: 30 }),
    installation: fc.integer({ min: 0, max: 30 }),
    asks: fc.array(
      fc.record({ session: fc.nat(8), first: fc.nat(11), count: fc.integer({ min: 1, max: 3 }), again: fc.boolean() }),
      { minLength: 10, maxLength: 60 },
    ),
  });
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(limits, async (given) => {
      // What rounds before used has left every window.
      machine.pass(40 * DAY_MS);
      const scopes: [Scope, number][] = [
        ...ids.map((id, index): [Scope, number] => [{ kind: 'account', id }, given.account[index] ?? 0]),
        [{ kind: 'tenant', id: tenant.id }, given.tenant],
        [{ kind: 'installation', id: '' }, given.installation],
      ];
      for (const [scope, segments] of scopes)
        for (const { seconds } of WINDOWS)
          await world.budgets.set(
            scope,
            { dimension: 'bytes', window: seconds, limit: segments * SEGMENT },
            tenant.id,
            LOCAL_OPERATOR,
          );
      const sessions = [client, ...others].flatMap((one) => [one.again(), one.again(), one.again()]);
      const readings = await Promise.all(sessions.map((one) => one.open('/inbox/large')));
      const before = released(world).length;
      const results = await Promise.all(
        given.asks.map(async ({ session, first, count, again }) => {
          const [one, reading] = [sessions[session], readings[session]];
          if (one === undefined || reading === undefined) throw new Error('no such session');
          const least = Math.min(first, SEGMENTS - count);
          // Some ask twice for the same at once.
          const both = [release(one, reading, least, count), ...(again ? [release(one, reading, least, count)] : [])];
          return Promise.all(both.map(outcome));
        }),
      );
      for (const result of results.flat()) seen.set(result, (seen.get(result) ?? 0) + 1);
      const entries = released(world).slice(before);
      const accounts = new Map(sessions.map(({ who }) => [who.session, who.account]));
      const left = (account: string | null): number => {
        // A segment counts once for each reading: asked again it is in the ledger, and not in the budget.
        const segments = new Set<string>();
        for (const { session, reading, first, count } of entries)
          if (account === null || accounts.get(session ?? '') === account)
            for (let at = first; at < first + count; at++) segments.add(`${reading ?? ''} ${at}`);
        return [...segments].reduce((sum, key) => sum + segmentBytes(SIZE, Number(key.split(' ')[1])), 0);
      };
      for (const [scope, segments] of scopes) {
        const out = left(scope.kind === 'account' ? scope.id : null);
        assert.ok(out <= segments * SEGMENT, `${scope.kind}: ${out} left, ${segments} segments allowed`);
        assert.ok(out <= used(world, scope, 'bytes'), `${scope.kind}: ${out} left, and less was counted`);
      }
      for (const one of sessions) await one.end();
      for (const hold of world.budgets.holds.list())
        assert.ok(hold.dimension === 0 && hold.used + hold.asked > hold.limit, 'nothing else was over');
      for (const { reference } of world.budgets.holds.list()) await world.budgets.holds.deny(reference, LOCAL_OPERATOR);
      // Denials last a day.
      machine.pass(2 * DAY_MS);
    }),
    { numRuns: 15 },
  );
  assert.deepEqual([...seen.keys()].sort(), ['held', 'ok']);
});

test('a held read goes on after an approval, from where it stopped, and under the same reference until then', async (t) => {
  const machine = new TestMachine();
  const world = await open(t, [96 * MiB, 1000, 1000], machine);
  const { tenant, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const reading = await client.open('/inbox/large');
  for (const segment of [0, 1, 2]) await release(client, reading, segment);
  const reference = await held(release(client, reading, 3));
  assert.match(reference, /^H-[0-9A-Z]{5}-[0-9A-Z]{5}$/);
  const other = await client
    .again()
    .open('/inbox/large')
    .catch(() => null);
  assert.ok(other !== null, 'opening shows no content');
  for (let again = 0; again < 5; again++) assert.equal(await held(release(client, reading, 3 + again)), reference);
  const holds = world.ledger.pending('hold').map(({ entry }) => entry);
  assert.equal(holds.length, 1);
  const [row] = world.budgets.holds.list();
  assert.deepEqual(
    [row?.reference, row?.path, row?.window, row?.used, row?.limit, row?.asked],
    [reference, '/large', 600, 3 * SEGMENT, 24 * MiB, SEGMENT],
  );
  await release(client, reading, 1);
  const { extra } = await world.budgets.holds.approve(reference.toLowerCase(), {}, { actor: 'ada', approvedBy: '' });
  assert.equal(extra, 24 * MiB);
  // What resumes is another reading of another session.
  const later = client.again();
  const resumed = await later.open('/inbox/large');
  for (const segment of [3, 4, 5]) await release(later, resumed, segment);
  assert.notEqual(await held(release(later, resumed, 6)), reference);
  const decision = world.ledger.pending('decision').map(({ entry }) => entry);
  assert.deepEqual(
    decision.map((entry) => entry.kind === 'decision' && [entry.reference, entry.outcome, entry.actor, entry.detail]),
    [[reference, 'approved', 'ada', { extra: 24 * MiB, seconds: 86_400 }]],
  );
  await assert.rejects(world.budgets.holds.approve(reference, {}, LOCAL_OPERATOR), code('request-invalid'));
  machine.pass(DAY_MS + HOUR);
  const next = client.again();
  const fresh = await next.open('/inbox/large');
  for (const segment of [0, 1, 2]) await release(next, fresh, segment);
  await held(release(next, fresh, 3));
  assert.equal(world.ledger.pending('hold')[0]?.tenant, tenant.id);
});

test('a denial refuses for a day, whatever the windows say, and can be taken back', async (t) => {
  const machine = new TestMachine();
  const world = await open(t, [96 * MiB, 1000, 1000], machine);
  const { tenant, folder, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const reading = await client.open('/inbox/large');
  const reference = await held(release(client, reading, 0, 4));
  await world.budgets.holds.deny(reference, { actor: 'ada', approvedBy: 'bob' });
  machine.pass(HOUR);
  await assert.rejects(release(client, reading, 0), code('release-refused'));
  assert.deepEqual(await client.names('/inbox'), ['large'], 'listing is another question');
  const other = await world.account(tenant, folder);
  await release(other, await other.open('/inbox/large'), 0);
  machine.pass(DAY_MS - HOUR);
  await release(client, reading, 0);
  const second = await held(release(client, reading, 1, 3));
  await world.budgets.holds.deny(second, LOCAL_OPERATOR);
  await assert.rejects(release(client, reading, 1), code('release-refused'));
  await world.budgets.holds.approve(second, { extra: 100 * MiB, seconds: 60 }, LOCAL_OPERATOR);
  await release(client, reading, 1, 3);
  const outcomes = world.ledger.pending('decision').map(({ entry }) => entry.kind === 'decision' && entry.outcome);
  assert.deepEqual(outcomes, ['denied', 'denied', 'approved']);
});

test('holds, approvals and denials outlive a crash', async (t) => {
  const machine = new TestMachine();
  const budgets = { figures: figuresOf([96 * MiB, 1000, 1000]), machine };
  let world = await World.open({ budgets });
  t.after(() => world.destroy());
  const { tenant, folder, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const [second, third] = [await world.account(tenant, folder), await world.account(tenant, folder)];
  const ask = async (one: Client): Promise<unknown> => release(one, await one.open('/inbox/large'), 0, 4);
  const references = [await held(ask(client)), await held(ask(second)), await held(ask(third))];
  await world.budgets.holds.approve(references[1] ?? '', {}, LOCAL_OPERATOR);
  await world.budgets.holds.deny(references[2] ?? '', LOCAL_OPERATOR);
  world = await world.reopen({ budgets });
  assert.equal(await held(ask(client.again(world))), references[0]);
  await ask(second.again(world));
  await assert.rejects(ask(third.again(world)), code('release-refused'));
});

test('nobody approves what his own account asked, and figures have bounds', async (t) => {
  const world = await open(t, [96 * MiB, 1000, 1000]);
  const { client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const reference = await held(release(client, await client.open('/inbox/large'), 0, 4));
  const { holds } = world.budgets;
  const { account } = client.who;
  await assert.rejects(holds.approve(reference, { account }, LOCAL_OPERATOR), code('permission-denied'));
  await assert.rejects(holds.approve(reference, { extra: 0 }, LOCAL_OPERATOR), code('request-invalid'));
  await assert.rejects(holds.approve(reference, { extra: 2 ** 53 }, LOCAL_OPERATOR), code('request-invalid'));
  await assert.rejects(holds.approve(reference, { seconds: 31 * 86_400 }, LOCAL_OPERATOR), code('request-invalid'));
  await assert.rejects(holds.approve('H-00000-00000', {}, LOCAL_OPERATOR), code('not-found'));
  await assert.rejects(holds.approve('nonsense', {}, LOCAL_OPERATOR), code('not-found'));
  assert.equal(holds.list().length, 1);
});

test('a hold that nobody answers expires, and a later try asks anew', async (t) => {
  const machine = new TestMachine();
  const world = await open(t, [96 * MiB, 1000, 1000], machine);
  const { client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const reading = await client.open('/inbox/large');
  const reference = await held(release(client, reading, 0, 4));
  machine.pass(6 * DAY_MS);
  await world.budgets.sweep();
  assert.equal(await held(release(client, reading, 0, 4)), reference);
  machine.pass(2 * DAY_MS);
  await world.budgets.sweep();
  assert.notEqual(await held(release(client, reading, 0, 4)), reference);
  assert.deepEqual(
    world.budgets.holds.list(['expired']).map((hold) => hold.reference),
    [reference],
  );
});

test('many who ask the same thing at once make one hold', async (t) => {
  const world = await open(t, [96 * MiB, 1000, 1000]);
  const { client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const sessions = Array.from({ length: 20 }, () => client.again());
  const readings = await Promise.all(sessions.map((one) => one.open('/inbox/large')));
  const asked = sessions.map((one, index) => {
    const reading = readings[index];
    assert.ok(reading);
    return held(release(one, reading, 0, 4));
  });
  assert.equal(new Set(await Promise.all(asked)).size, 1);
  assert.equal(world.ledger.pending('hold').length, 1);
});

test('files count once for each reading, small ones too; a refused one can be tried again', async (t) => {
  const machine = new TestMachine();
  const world = await open(t, [2 ** 40, 20, 1000], machine);
  const { client } = await oneTenant(world);
  for (let file = 0; file < 8; file++) await client.put(`/inbox/${file}`, Buffer.from(`content ${file}`));
  const account: Scope = { kind: 'account', id: client.who.account };
  const reading = await client.open('/inbox/0');
  for (let again = 0; again < 5; again++) await release(client, reading, 0);
  assert.equal(used(world, account, 'files'), 1);
  assert.equal(used(world, account, 'bytes'), 'content 0'.length);
  for (let file = 1; file < 5; file++) await client.get(`/inbox/${file}`);
  const late = await client.open('/inbox/5');
  await held(release(client, late, 0));
  await held(release(client, late, 0));
  machine.pass(HOUR / 4);
  await release(client, late, 0);
  assert.equal(used(world, account, 'files'), 1, 'it counts when it is released at last');
});

test('directories count once, however often and in however many pages they are listed', async (t) => {
  const world = await open(t, [2 ** 40, 1000, 20]);
  const { client } = await oneTenant(world);
  for (let directory = 0; directory < 7; directory++) await client.call('files.mkdir', { path: `/inbox/${directory}` });
  for (let again = 0; again < 10; again++) {
    await client.names('/');
    await client.names('/inbox');
    for (let directory = 0; directory < 4; directory++) await client.again().names(`/inbox/${directory}`);
  }
  const reference = await held(client.names('/inbox/4'));
  await client.names('/inbox/3');
  assert.equal(await held(client.again().names('/inbox/4')), reference);
  const [hold] = world.budgets.holds.list();
  assert.deepEqual([hold?.dimension, hold?.path, hold?.used, hold?.limit], [2, '/4', 5, 5]);
  await world.budgets.holds.approve(reference, { extra: 1 }, LOCAL_OPERATOR);
  await client.names('/inbox/4');
  await held(client.names('/inbox/5'));
});

test('content of an upload that was left behind counts as any other', async (t) => {
  const world = await open(t, [2 ** 40, 1000, 1000]);
  const { client } = await oneTenant(world);
  const account: Scope = { kind: 'account', id: client.who.account };
  const upload = await client.start('/inbox/late');
  const size = 2 * SEGMENT;
  await client.fill(upload, Buffer.alloc(size));
  await client.call('upload.progress', {
    upload: upload.upload,
    size,
    runs: [{ first: 0, count: 2, blob: upload.blob }],
    durable: true,
    idle: true,
  });
  assert.equal(used(world, account, 'bytes'), 0, 'writing lets nothing out');
  const again = client.again();
  const taken = await again.start('/inbox/late', { truncate: false });
  assert.equal(used(world, account, 'bytes'), SEGMENT, 'the key of the first segment comes with the opening');
  await again.call('upload.keys', { upload: taken.upload, first: 1, count: 2, size: 3 * SEGMENT });
  assert.equal(used(world, account, 'bytes'), 2 * SEGMENT);
  assert.equal(used(world, account, 'files'), 1);
  await world.budgets.set(account, { dimension: 'bytes', window: 600, limit: 0 }, null, LOCAL_OPERATOR);
  await again.end();
  await held(client.again().start('/inbox/late', { truncate: false }));
});

test('a write that fails gives back what it reserved, and its bytes can be asked for again', async (t) => {
  let fails = false;
  const wrapStore = (store: FileStore): FileStore =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name !== 'write') return value.bind(target) as unknown;
        return (action: () => unknown) =>
          target.write(() => {
            const result = action();
            if (fails) throw new WaybillError('store-full', 'no space');
            return result;
          });
      },
    });
  const budgets = { figures: figuresOf([96 * MiB, 1000, 1000]), machine: new TestMachine() };
  const world = await World.open({ budgets, wrapStore });
  t.after(() => world.destroy());
  const { client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const account: Scope = { kind: 'account', id: client.who.account };
  const reading = await client.open('/inbox/large');
  await release(client, reading, 0);
  fails = true;
  for (let again = 0; again < 10; again++) await assert.rejects(release(client, reading, 1, 2), code('store-full'));
  assert.equal(used(world, account, 'bytes'), SEGMENT);
  assert.equal(released(world).length, 1);
  fails = false;
  await release(client, reading, 1, 2);
  assert.equal(used(world, account, 'bytes'), 3 * SEGMENT);
  await held(release(client, reading, 3));
});

test('a first address, key or client shares a tenth with its like until somebody confirms it', async (t) => {
  const world = await open(t, [32 * 40 * MiB, 100_000, 100_000]);
  const { tenant, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const { account } = client.who;
  const { acquaintances, database } = world;
  const meet = (address: string): Promise<string[]> =>
    database.write(() => acquaintances.meet(account, { address, credentials: ['key'], client: 'SSH-2.0-OpenSSH_9.9' }));
  assert.deepEqual(await meet('192.0.2.1'), ['address 192.0.2.1', 'credential key', 'client OpenSSH']);
  assert.deepEqual(await meet('198.51.100.7'), ['address 198.51.100.7']);
  assert.deepEqual(await meet('198.51.100.7'), []);
  assert.deepEqual(await meet('198.51.100.8'), ['address 198.51.100.8']);
  const [known, strange, stranger] = ['192.0.2.1', '198.51.100.7', '198.51.100.8'].map((address) =>
    client.again(world, [`address ${address}`, 'credential key', 'client OpenSSH']),
  );
  assert.ok(known && strange && stranger);
  const readings = await Promise.all([known, strange, stranger].map((one) => one.open('/inbox/large')));
  const [first, second, third] = readings;
  assert.ok(first && second && third);
  for (let segment = 0; segment < 6; segment++) await release(known, first, segment);
  await release(strange, second, 0, 3);
  await release(stranger, third, 0);
  const reference = await held(release(stranger, third, 1));
  assert.equal(await held(release(strange, second, 3)), reference, 'they share it');
  await release(known, first, 6);
  assert.equal(world.budgets.holds.find(reference).scope, `unconfirmed/${account}`);
  assert.deepEqual(
    acquaintances.waiting().map(({ value }) => value),
    ['198.51.100.7', '198.51.100.8'],
  );
  await acquaintances.confirm(account, tenant.id, 'address', '198.51.100.7', { actor: 'ada', approvedBy: '' });
  await release(strange, second, 3);
  await held(release(stranger, third, 1));
  const changed = world.ledger.pending('changed').at(-1)?.entry;
  assert.ok(changed?.kind === 'changed' && changed.action === 'acquaintance.confirm' && changed.actor === 'ada');
});

test('a tenant may use what four of its accounts may, and an installation what somebody set', async (t) => {
  const world = await open(t, [64 * MiB, 1000, 1000]);
  const { tenant, folder, client } = await oneTenant(world);
  await largeFile(world, client, '/inbox/large', 12);
  const accounts = await Promise.all(Array.from({ length: 5 }, () => world.account(tenant, folder)));
  const ask = async (one: Client | undefined): Promise<string> => {
    assert.ok(one);
    return outcome(release(one, await one.open('/inbox/large'), 0, 2));
  };
  for (const one of accounts.slice(0, 4)) assert.equal(await ask(one), 'ok');
  assert.equal(await ask(accounts[4]), 'held');
  assert.equal(world.budgets.holds.list()[0]?.scope, `tenant/${tenant.id}`);
  assert.equal(used(world, { kind: 'installation', id: '' }, 'bytes'), 8 * SEGMENT);
  const everybody: Scope = { kind: 'installation', id: '' };
  await world.budgets.set(everybody, { dimension: 'bytes', window: 3600, limit: 70 * MiB }, null, LOCAL_OPERATOR);
  const strangers = await world.tenants.create({ name: 'other', quota: null });
  const inbox = await world.folders.create(strangers.id, 'inbox');
  const writer = await world.account(strangers, inbox);
  await largeFile(world, writer, '/inbox/large', 3);
  assert.equal(await ask(writer), 'held');
  const entry = world.ledger.pending('hold').at(-1);
  assert.equal(entry?.tenant, '0'.repeat(32), 'what all use together is not in the log of one tenant');
  await world.budgets.clear(everybody, null, LOCAL_OPERATOR);
  assert.equal(await ask(writer), 'ok');
  assert.deepEqual(world.budgets.list(), []);
});

test('close to a limit there is one alert, in the log of the tenant', async (t) => {
  const world = await open(t, [2 ** 40, 40, 1000]);
  const { tenant, client } = await oneTenant(world);
  for (let file = 0; file < 10; file++) await client.put(`/inbox/${file}`, Buffer.from('x'));
  for (let file = 0; file < 10; file++) await client.get(`/inbox/${file}`);
  await held(client.get('/inbox/0'));
  const alerts = world.ledger.pending('alert');
  assert.deepEqual(
    alerts.map(
      ({ tenant: log, entry }) =>
        entry.kind === 'alert' && [log, entry.scope, entry.dimension, entry.window, entry.used, entry.limit],
    ),
    [[tenant.id, `account/${client.who.account}`, 'files', 600, 8, 10]],
  );
});

test('what belongs to an account goes with it', async (t) => {
  const world = await open(t, [96 * MiB, 1000, 1000]);
  const { client } = await oneTenant(world);
  await client.put('/inbox/small', Buffer.from('x'));
  await client.get('/inbox/small');
  const key: Scope = { kind: 'credential', id: `${client.who.account}/key` };
  for (const scope of [key, { kind: 'account', id: client.who.account } as const])
    await world.budgets.set(scope, { dimension: 'files', window: 600, limit: 7 }, null, LOCAL_OPERATOR);
  assert.equal(world.budgets.list().length, 2);
  const account: Scope = { kind: 'account', id: client.who.account };
  assert.equal(used(world, account, 'files'), 1);
  await world.database.write(() => {
    world.budgets.forgetAccount(client.who.account);
  });
  assert.equal(used(world, account, 'files'), 0);
  const rows = world.database.sql
    .prepare(`SELECT scope FROM budget_scopes WHERE scope LIKE '%${client.who.account}%'`)
    .all();
  assert.deepEqual(rows, []);
  assert.deepEqual(world.budgets.list(), []);
});
