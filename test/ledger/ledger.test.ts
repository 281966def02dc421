import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { PlainLedger } from '../../src/ledger/ledger.ts';
import type { RecordEntry } from '../../src/ledger/ledger.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';

let folder: string;
let database: Database;
let ledger: PlainLedger;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-ledger-'));
  database = new Database(join(folder, 'waybill.db'));
  ledger = new PlainLedger(new SqliteLedger(database), () => 1234);
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function entry(change: Partial<RecordEntry> = {}): RecordEntry {
  const nobody = { tenant: 't', account: 'a', session: 's', address: '192.0.2.1' };
  return { kind: 'release', ...nobody, detail: { segments: [1, 2], path: '/ä' }, ...change };
}

test('a record comes back as it was appended, in order, after a restart too', async () => {
  await database.write(() => {
    ledger.append(entry());
    ledger.append(entry({ kind: 'sent', tenant: null, account: null, session: null, address: null, detail: {} }));
  });
  database.close();
  database = new Database(join(folder, 'waybill.db'));
  ledger = new PlainLedger(new SqliteLedger(database));
  const records = ledger.list();
  assert.deepEqual(
    records.map(({ number, time, kind }) => [number, time, kind]),
    [
      [1, 1234, 'release'],
      [2, 1234, 'sent'],
    ],
  );
  assert.deepEqual(records[0]?.detail, entry().detail);
  assert.equal(records[1]?.tenant, null);
});

test('a record is there exactly when what it tells of is', async () => {
  const failing = database.write(() => {
    ledger.append(entry({ session: 'undone' }));
    throw new Error('undone');
  });
  const fine = database.write(() => {
    ledger.append(entry({ session: 'done' }));
  });
  await assert.rejects(failing, /undone/);
  await fine;
  assert.deepEqual(
    ledger.list().map(({ session }) => session),
    ['done'],
  );
});

test('filters', async () => {
  await database.write(() => {
    ledger.append(entry({ tenant: 'x' }));
    ledger.append(entry({ session: 'other' }));
    ledger.append(entry({ kind: 'stored' }));
  });
  assert.equal(ledger.list({ tenant: 'x' }).length, 1);
  assert.equal(ledger.list({ session: 'other' }).length, 1);
  assert.equal(ledger.list({ kind: 'stored' }).length, 1);
  assert.deepEqual(
    ledger.list({ after: 1, limit: 1 }).map(({ number }) => number),
    [2],
  );
});
