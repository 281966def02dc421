import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Recorder } from '../../src/ledger/recorder.ts';
import { Grants } from '../../src/policy/grants.ts';
import { ALL_RIGHTS, fromBits, has, isRight, toBits } from '../../src/policy/rights.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';
import { SqliteGrants } from '../../src/store/sqlite/policy.ts';

const [anna, tenant, f1, f2] = ['a0', 'b0', 'c1', 'c2'].map((two) => two.repeat(16)) as [
  string,
  string,
  string,
  string,
];
const account = { id: anna, tenant };
const inbox = { id: f1, tenant, name: 'inbox' };
const outbox = { id: f2, tenant, name: 'outbox' };

let folder: string;
let database: Database;
let ledger: Recorder;
let grants: Grants;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-policy-'));
  database = new Database(join(folder, 'waybill.db'));
  ledger = new Recorder(new SqliteLedger(database));
  grants = new Grants(new SqliteGrants(database), ledger);
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

test('rights and bits say the same', () => {
  for (const right of ALL_RIGHTS) assert.deepEqual(fromBits(toBits([right])), [right]);
  assert.deepEqual(fromBits(toBits(ALL_RIGHTS)), ALL_RIGHTS);
  assert.equal(has(toBits(['read']), 'write'), false);
  assert.equal(isRight('read'), true);
  assert.equal(isRight('toString'), false);
});

test('a grant mounts the folder, a second one replaces its rights, revoking ends it at once', async () => {
  await grants.grant({ account, folder: inbox, rights: ['list', 'read'] });
  assert.equal(grants.mounted(anna, 'inbox')?.folder, f1);
  grants.require(anna, f1, 'read');
  assert.throws(
    () => {
      grants.require(anna, f1, 'write');
    },
    { code: 'permission-denied' },
  );
  await grants.grant({ account, folder: inbox, rights: ['write'], mount: 'drop' });
  assert.equal(grants.mounted(anna, 'inbox'), undefined);
  assert.deepEqual(
    grants.ofAccount(anna).map(({ mount, rights }) => [mount, fromBits(rights)]),
    [['drop', ['write']]],
  );
  await grants.revoke(anna, f1);
  assert.equal(grants.rights(anna, f1), 0);
  assert.deepEqual(grants.ofAccount(anna), []);
  await assert.rejects(grants.revoke(anna, f1), { code: 'not-found' });
  assert.deepEqual(
    ledger.pending('changed').map(({ entry }) => (entry.kind === 'changed' ? entry.action : '')),
    ['grant.add', 'grant.add', 'grant.remove'],
  );
});

test('a mount name is given once per account, lookalikes included', async () => {
  await grants.grant({ account, folder: inbox, rights: ['list'], mount: 'caf\u00e9' });
  for (const mount of ['caf\u00e9', 'cafe\u0301'])
    await assert.rejects(grants.grant({ account, folder: outbox, rights: ['list'], mount }), {
      code: 'already-exists',
    });
  for (const mount of ['', '..', 'a/b', 'a\nb'])
    await assert.rejects(grants.grant({ account, folder: outbox, rights: ['list'], mount }), { code: 'name-invalid' });
  await grants.grant({
    account: { id: 'ee'.repeat(16), tenant },
    folder: outbox,
    rights: ['list'],
    mount: 'caf\u00e9',
  });
});

test('never across tenants, never without a right', async () => {
  const stranger = { id: 'eve', tenant: 'u' };
  await assert.rejects(grants.grant({ account: stranger, folder: inbox, rights: ['list'] }), {
    code: 'permission-denied',
  });
  await assert.rejects(grants.grant({ account, folder: inbox, rights: [] }), { code: 'request-invalid' });
});

test('what a room forgets is gone, and stays gone when it is read again', async () => {
  await grants.grant({ account, folder: inbox, rights: ['list'] });
  await grants.grant({ account, folder: outbox, rights: ['list'] });
  await database.write(() => {
    grants.forgetFolder(f1);
  });
  assert.deepEqual(
    grants.ofAccount(anna).map(({ mount }) => mount),
    ['outbox'],
  );
  await database.write(() => {
    grants.forgetAccount(anna);
  });
  assert.deepEqual(grants.ofFolder(f2), []);
  assert.deepEqual(new Grants(new SqliteGrants(database), ledger).ofAccount(anna), []);
});
