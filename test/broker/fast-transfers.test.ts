/** What the broker lets the fronts of HTTPS and of UDP say of fast transfers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { newId } from '../../src/base/ids.ts';
import { WaybillError } from '../../src/base/errors.ts';
import { Connections } from '../../src/broker/connections.ts';
import type { LiveSession, WebIdentity } from '../../src/broker/connections.ts';
import { FastTransfers } from '../../src/broker/fast-transfers.ts';
import type { FastFront } from '../../src/broker/fast-transfers.ts';
import type { FastBegin } from '../../src/broker/fast-calls.ts';
import { requireScope } from '../../src/broker/scopes.ts';
import type { Entry } from '../../src/ledger/core/kinds.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { LedgerNode } from '../../src/ledger/node.ts';

const ORDER = {
  direction: 'download' as const,
  files: [{ path: '/x/y', version: null, size: 1, start: 0 }],
  window: 2 ** 20,
  policy: 'fair' as const,
  rate: null,
  roundTrip: null,
  length: 33,
};
const WEB: WebIdentity = {
  scopes: ['files:list', 'files:read'],
  factors: ['token'],
  webSession: null,
  origin: null,
  strong: null,
  ends: null,
  idle: 1000,
  refusals: 0,
};

function scene(hello = true) {
  const told: { name: string; body: unknown }[] = [];
  const entries: unknown[] = [];
  let now = 1000;
  const front = (number: number): FastFront => ({
    number,
    connections: new Set<string>(),
    isReady: true,
    sessionEnded: (_connection, reason) => told.push({ name: 'session.ended', body: reason }),
    event: (name, body) => told.push({ name, body }),
  });
  const [https, udp] = [front(1), front(2)];
  const connections: Connections = new Connections(
    {
      startupOver: () => undefined,
      sessionOver: () => undefined,
      gone: (connection) => {
        fast.gone(connection);
      },
    },
    createLog('debug', () => undefined),
    () => now,
  );
  const node = { run: newId(), name: 'n', software: 's' } as unknown as LedgerNode;
  const ledger = { append: (_tenant: string | null, entry: Entry) => entries.push(entry) } as unknown as Ledger;
  const fast: FastTransfers = new FastTransfers({
    hello: () => (hello ? { blobs: '', incoming: '', address: '127.0.0.1', port: 0, backend: 'dgram' } : null),
    start: () => Promise.resolve(),
    host: null,
    connections,
    ledger,
    node,
    write: (action) => {
      action();
      return Promise.resolve();
    },
    home: () => '/',
  });
  const signIn = (account: string, web: Partial<WebIdentity> = {}): LiveSession => {
    const connection = connections.open(https, {
      address: '192.0.2.1',
      port: 9,
      source: '192.0.2.1',
      profile: 'https',
    });
    const names = { tenant: 't', login: account, tenantName: 't', credential: 'c', proofs: ['p'], marks: [] };
    return connections.signIn(connection, { ...names, session: newId(), account, web: { ...WEB, ...web } });
  };
  const begin = (session: LiveSession, order: Partial<typeof ORDER> = {}) =>
    fast.handlers['transfer.begin']({ session: session.session, ...ORDER, ...order }, session);
  const begun = (): FastBegin => told.findLast(({ name }) => name === 'fast.begin')?.body as FastBegin;
  return { fast, connections, https, udp, told, entries, signIn, begin, begun, later: (ms: number) => (now += ms) };
}

const code = (thrown: unknown): boolean => thrown instanceof WaybillError;
const OPEN = { state: 'open' as const, files: 1, bytes: 5, held: null, failure: null };

test('a transfer is a session of its own: same account, address and credential, recorded before the front hears of it', async () => {
  const { fast, udp, signIn, begin, begun, entries, connections } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  const asking = signIn('anna');
  const { port, secret, connectionId, transfer } = await begin(asking);
  const told = begun();
  assert.deepEqual([port, told.secret, told.connectionId, told.transfer], [4433, secret, connectionId, transfer]);
  const session = connections.sessionOf(udp, told.session.session);
  assert.notEqual(session.session, asking.session);
  assert.deepEqual([session.account, session.address, session.proofs], ['anna', '192.0.2.1', ['p']]);
  assert.deepEqual((entries[0] as { kind: string; session: string; protocol: string }).protocol, 'udp');
  // It stays when the browser's tab is idle, and goes with the credential.
  assert.equal(session.web?.idle, null);
  assert.equal(
    connections.end(({ proofs }) => proofs.includes('p'), 'removed'),
    2,
  );
});

test('who asks needs the scope, an account, and a session that goes on', async () => {
  const { fast, udp, signIn, begin } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  await assert.rejects(async () => begin(signIn('anna'), { direction: 'upload' as 'download' }), {
    code: 'scope-missing',
  });
  const administrator = { id: 'a', tokenHash: Buffer.alloc(32) };
  await assert.rejects(async () => begin(signIn('anna', { administrator })), { code: 'call-forbidden' });
  const ended = signIn('anna');
  ended.ended = 'by the operator';
  await assert.rejects(async () => begin(ended), { code: 'session-ended' });
});

test('nobody gets more than a share of the front', async () => {
  const { fast, udp, signIn, begin } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  for (let at = 0; at < 16; at++) await begin(signIn('anna'));
  await assert.rejects(async () => begin(signIn('anna')), { code: 'too-many-handles' });
  await begin(signIn('bert'));
});

test('nobody fills the memory of the front with windows', async () => {
  const { fast, udp, signIn, begin, begun } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  const most = 2 ** 28;
  const windows: number[] = [];
  for (const login of ['anna', 'bert', 'carl', 'dora', 'emil'])
    for (let at = 0; at < 16; at++) {
      await begin(signIn(login), { window: most });
      windows.push(begun().order.window);
    }
  // The first gets all that it asked for, everybody something, and nobody much by asking often.
  assert.equal(windows[0], most);
  assert.equal(windows[16], most);
  assert.ok(windows.every((window) => window >= 2 ** 20));
  const sum = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0);
  assert.ok(sum(windows.slice(0, 16)) <= 2 ** 29 + 16 * 2 ** 20);
  assert.ok(sum(windows) <= 2 ** 31 + 80 * 2 ** 20);
});

test('where no front listens, the answer is to use HTTPS', async () => {
  const without = scene();
  await assert.rejects(async () => without.begin(without.signIn('anna')), { code: 'unsupported' });
  const off = scene(false);
  await assert.rejects(async () => off.begin(off.signIn('anna')), { code: 'unsupported' });
  assert.throws(() => off.fast.handlers['fast.hello']({}, off.udp), code);
});

test('only the session of a transfer tells of it, and only its account hears', async () => {
  const { fast, udp, signIn, begin, begun, connections } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  const [anna, bert] = [signIn('anna'), signIn('bert')];
  const { transfer } = await begin(anna);
  const own = connections.sessionOf(udp, begun().session.session);
  await begin(bert);
  const other = connections.sessionOf(udp, begun().session.session);
  const report = fast.handlers['fast.report'];
  assert.throws(() => report({ session: other.session, transfer, ...OPEN }, other), { code: 'not-found' });
  await report({ session: own.session, transfer, ...OPEN }, own);
  const state = fast.handlers['transfer.state'];
  assert.deepEqual(await state({ session: anna.session, transfer, wait: 0 }, anna), OPEN);
  await assert.rejects(async () => state({ session: bert.session, transfer, wait: 0 }, bert), { code: 'not-found' });
  await assert.rejects(async () => fast.handlers['transfer.end']({ session: bert.session, transfer }, bert), {
    code: 'not-found',
  });
});

test('whoever waits hears of the end, whatever it was', async () => {
  const { fast, udp, signIn, begin, begun, connections, told } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  const anna = signIn('anna');
  const { transfer } = await begin(anna);
  const waiting = Promise.resolve(fast.handlers['transfer.state']({ session: anna.session, transfer, wait: 30 }, anna));
  const ending = Promise.resolve(fast.handlers['transfer.end']({ session: anna.session, transfer }, anna));
  assert.equal(told.at(-1)?.name, 'fast.end');
  connections.close(connections.connectionOf(udp, begun().connection), 'the transfer is over');
  await ending;
  const { state, failure } = await waiting;
  assert.deepEqual([state, failure?.code], ['failed', 'session-ended']);
});

test('a front that was taken over gets by a transfer what the transfer needs, while it goes on', async () => {
  const { fast, udp, https, signIn, begin, begun, connections, told } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  const anna = signIn('anna', { scopes: ['files:list', 'files:read', 'files:write', 'admin'] });
  const { transfer } = await begin(anna);
  const { connection, session: named } = begun();
  const own = connections.sessionOf(udp, named.session);
  // A download reads: it lists, writes, removes and administers nothing.
  assert.deepEqual(own.web?.scopes, ['files:read']);
  for (const call of ['files.list', 'files.remove', 'files.rename', 'upload.open'] as const)
    assert.throws(() => {
      requireScope(own, call);
    }, /scope/);
  requireScope(own, 'release');
  // And no file that was not asked for.
  requireScope(own, 'file.open-read', { path: '/x/y' });
  for (const path of ['/x/z', '/x', '/x/y/', '/x/./y', '/'])
    assert.throws(() => {
      requireScope(own, 'file.open-read', { path });
    }, /no others/);
  await begin(anna, { direction: 'upload' as 'download' });
  const writes = connections.sessionOf(udp, begun().session.session);
  requireScope(writes, 'upload.open', { path: '/x/y' });
  for (const call of ['files.remove', 'files.mkdir', 'files.rmdir'] as const)
    assert.throws(() => {
      requireScope(writes, call, { path: '/x/y' });
    }, /no others/);
  assert.throws(() => {
    requireScope(writes, 'files.rename', { from: '/x/y' });
  }, /no others/);
  assert.throws(() => {
    requireScope(writes, 'release');
  }, /files:read/);
  // The session that asked is of the other front, and stays so.
  assert.throws(() => connections.sessionOf(udp, anna.session), { code: 'not-your-session' });
  assert.throws(() => connections.sessionOf(https, named.session), { code: 'not-your-session' });

  const report = fast.handlers['fast.report'];
  await report({ session: own.session, transfer, ...OPEN, state: 'done' }, own);
  await report({ session: own.session, transfer, ...OPEN, bytes: 9 }, own);
  const state = await fast.handlers['transfer.state']({ session: anna.session, transfer, wait: 30 }, anna);
  assert.deepEqual([state.state, state.bytes], ['done', 5]);
  // It says that it is over, and keeps the session.
  fast.sweep(Date.now() + 30_000);
  assert.equal(connections.sessionOf(udp, named.session), own);
  fast.sweep(Date.now() + 61_000);
  assert.throws(() => connections.sessionOf(udp, named.session), { code: 'session-ended' });
  assert.throws(() => connections.connectionOf(udp, connection), { code: 'session-ended' });
  assert.equal(told.at(-1)?.name, 'session.ended');
});

test('a session that was ended under a transfer makes room, though its front never says that it is gone', async () => {
  const { fast, udp, signIn, begin, connections } = scene();
  await fast.handlers['fast.listening']({ port: 4433, backend: 'x' }, udp);
  for (let at = 0; at < 16; at++) await begin(signIn('anna'));
  connections.end(({ web }) => web?.idle === null, 'removed');
  await assert.rejects(async () => begin(signIn('anna')), { code: 'too-many-handles' });
  fast.sweep(Date.now() + 61_000);
  await begin(signIn('anna'));
});
