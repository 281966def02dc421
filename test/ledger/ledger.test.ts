import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { blindedIdentifier } from '../../src/ledger/core/head.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { INSTALLATION, Recorder } from '../../src/ledger/recorder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';

const TENANT = 'ab'.repeat(16);
const SESSION = 'cd'.repeat(16);
let folder: string;
let database: Database;
let ledger: Recorder;
const wall = { now: 1_000_000, monotonic: 0 };
const clock = { now: () => wall.now, monotonic: () => wall.monotonic };

function open(): void {
  database = new Database(join(folder, 'waybill.db'));
  ledger = new Recorder(new SqliteLedger(database), { clock, nameOf: (tenant) => `name of ${tenant.slice(0, 2)}` });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-ledger-'));
  Object.assign(wall, { now: 1_000_000, monotonic: 0 });
  open();
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function listed(path: string): Event {
  return { kind: 'listed', session: SESSION, folder: null, count: 1, path };
}

function paths(): string[] {
  return ledger.pending('listed').map(({ entry }) => (entry.kind === 'listed' ? entry.path : ''));
}

test('an entry comes back as it was appended, in order, after a restart too', async () => {
  await database.write(() => {
    ledger.append(TENANT, listed('/ä'));
    ledger.append(null, listed('/b'));
  });
  database.close();
  open();
  assert.deepEqual(
    ledger.pending().map(({ tenant, entry }) => [tenant, entry.kind, entry.time]),
    [
      [TENANT, 'opened', 1_000_000],
      [TENANT, 'listed', 1_000_000],
      [INSTALLATION, 'opened', 1_000_000],
      [INSTALLATION, 'listed', 1_000_000],
    ],
  );
  assert.deepEqual(paths(), ['/ä', '/b']);
});

test('an entry is there exactly when what it tells of is', async () => {
  const failing = database.write(() => {
    ledger.append(TENANT, listed('/undone'));
    throw new Error('undone');
  });
  const fine = database.write(() => {
    ledger.append(TENANT, listed('/done'));
  });
  await assert.rejects(failing, /undone/);
  await fine;
  assert.deepEqual(paths(), ['/done']);
});

test('the first entry of a log opens its blinded name, also when the first attempt was undone', async () => {
  await assert.rejects(
    database.write(() => {
      ledger.append(TENANT, listed('/a'));
      ledger.append(TENANT, listed('/b'));
      throw new Error('undone');
    }),
  );
  await database.write(() => {
    ledger.append(TENANT, listed('/c'));
  });
  const entry = ledger.pending()[0]?.entry;
  assert.ok(entry?.kind === 'opened');
  assert.deepEqual([entry.tenant, entry.name], [TENANT, 'name of ab']);
  const store = new SqliteLedger(database);
  assert.equal(store.log(TENANT)?.log, blindedIdentifier(TENANT, entry.salt));
});

test('what no entry can hold fails the write that it belongs to', async () => {
  const refused = database.write(() => {
    ledger.append(TENANT, listed('x'.repeat(5000)));
  });
  await assert.rejects(refused, { code: 'ledger-entry-invalid' });
  assert.equal(ledger.pending().length, 0);
});

test('times never go back, over a restart too, and a jump is told once', async () => {
  const append = (path: string): Promise<void> =>
    database.write(() => {
      ledger.append(TENANT, listed(path));
    });
  await append('/1');
  wall.now += 10_000;
  wall.monotonic += 10_000;
  assert.equal(ledger.clock.jump(), null);
  await append('/2');
  wall.now -= 500_000;
  assert.deepEqual(ledger.clock.jump(), { before: 1_010_000, after: 510_000 });
  assert.equal(ledger.clock.jump(), null);
  await append('/3');
  database.close();
  open();
  await append('/4');
  const times = ledger.pending('listed').map(({ entry }) => entry.time);
  assert.deepEqual(times, [1_000_000, 1_010_000, 1_010_000, 1_010_000]);
});

test('sessions are known as open from their sign-in to their end', async () => {
  const store = new SqliteLedger(database);
  const signIn = {
    kind: 'sign-in',
    session: SESSION,
    account: TENANT,
    login: 'anna',
    protocol: 'sftp',
    address: '192.0.2.1',
    client: '',
    run: TENANT,
    node: '',
    software: '',
    factors: [],
    credentials: [],
    descriptions: [],
    firsts: [],
  } as const;
  await database.write(() => {
    ledger.append(TENANT, signIn);
  });
  assert.deepEqual(store.openSessions(), [{ session: SESSION, tenant: TENANT }]);
  await database.write(() => {
    ledger.append(TENANT, { kind: 'session-end', session: SESSION, reason: '', gap: false });
  });
  assert.deepEqual(store.openSessions(), []);
});
