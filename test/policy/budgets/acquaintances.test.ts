import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { LOCAL_OPERATOR } from '../../../src/base/acting.ts';
import { Recorder } from '../../../src/ledger/recorder.ts';
import { Acquaintances, marksOf, networkOf, productOf } from '../../../src/policy/budgets/acquaintances.ts';
import { SqliteAcquaintances } from '../../../src/store/sqlite/acquaintances.ts';
import { Database } from '../../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../../src/store/sqlite/ledger.ts';
import { code } from '../../files/world.ts';

const ACCOUNT = 'a'.repeat(32);
const TENANT = 'b'.repeat(32);
const HOME = { address: '192.0.2.1', credentials: ['key-1'], client: 'SSH-2.0-OpenSSH_9.7' };

interface Scene {
  readonly database: Database;
  readonly acquaintances: Acquaintances;
  readonly meet: (seen: typeof HOME) => Promise<string[]>;
  readonly isReduced: (seen: typeof HOME) => boolean;
}

function open(t: TestContext): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-acquaintances-'));
  const database = new Database(join(folder, 'waybill.db'));
  t.after(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let time = 0;
  const ledger = new Recorder(new SqliteLedger(database));
  const acquaintances = new Acquaintances(new SqliteAcquaintances(database), ledger, () => time++);
  return {
    database,
    acquaintances,
    meet: (seen) => database.write(() => acquaintances.meet(ACCOUNT, seen)),
    isReduced: (seen) => acquaintances.isReduced(ACCOUNT, marksOf(seen)),
  };
}

test('the very first sign-in is believed, what comes later is not', async (t) => {
  const { meet, isReduced } = open(t);
  assert.deepEqual(await meet(HOME), ['address 192.0.2.1', 'credential key-1', 'client OpenSSH']);
  assert.equal(isReduced(HOME), false);
  for (const other of [
    { ...HOME, address: '192.0.2.2' },
    { ...HOME, credentials: ['key-1', 'key-2'] },
    { ...HOME, client: 'SSH-2.0-WinSCP_release_6.3' },
  ]) {
    assert.equal((await meet(other)).length, 1);
    assert.equal(isReduced(other), true);
    assert.deepEqual(await meet(other), [], 'it is a first once');
    assert.equal(isReduced(other), true, 'and reduced until somebody confirms it');
    assert.equal(isReduced(HOME), false);
  }
});

test('what is confirmed counts at once, also before it was ever seen; what is forgotten is a first again', async (t) => {
  const { meet, isReduced, acquaintances } = open(t);
  await meet(HOME);
  const away = { ...HOME, address: '192.0.2.2' };
  await acquaintances.confirm(ACCOUNT, TENANT, 'address', '192.0.2.2', LOCAL_OPERATOR);
  assert.deepEqual(await meet(away), []);
  assert.equal(isReduced(away), false);
  await acquaintances.forget(ACCOUNT, TENANT, 'address', '192.0.2.2', LOCAL_OPERATOR);
  assert.deepEqual(await meet(away), ['address 192.0.2.2']);
  assert.equal(isReduced(away), true);
  const unknown = acquaintances.forget(ACCOUNT, TENANT, 'address', '192.0.2.3', LOCAL_OPERATOR);
  await assert.rejects(unknown, code('not-found'));
  assert.deepEqual(
    acquaintances.waiting().map(({ value }) => value),
    ['192.0.2.2'],
  );
});

test('a sign-in that fails after all leaves nothing that is known', async (t) => {
  const { meet, isReduced, database, acquaintances } = open(t);
  const failing = database.write(() => {
    acquaintances.meet(ACCOUNT, HOME);
    throw new Error('the account is suspended');
  });
  await assert.rejects(failing, /suspended/);
  assert.equal(isReduced(HOME), true);
  assert.equal((await meet(HOME)).length, 3);
  const other = { ...HOME, address: '192.0.2.9' };
  await meet(other);
  assert.equal(isReduced(other), true);
});

test('who comes from a new address each time fills no disk', async (t) => {
  const { meet, isReduced, acquaintances, database } = open(t);
  await meet(HOME);
  await database.write(() => {
    for (let host = 0; host < 1500; host++)
      acquaintances.meet(ACCOUNT, { ...HOME, address: `198.51.${host >> 8}.${host & 255}` });
  });
  const rows = acquaintances.list(ACCOUNT);
  assert.ok(rows.length <= 1003, `${rows.length} rows`);
  assert.ok(
    rows.some(({ value }) => value === '192.0.2.1'),
    'what is confirmed stays',
  );
  assert.ok(
    rows.some(({ value }) => value === '198.51.5.219'),
    'and so does the youngest',
  );
  assert.equal(isReduced({ ...HOME, address: '198.51.0.0' }), true, 'a session whose row has gone gains nothing');
  assert.equal(isReduced(HOME), false);
  await database.write(() => {
    acquaintances.forgetAccount(ACCOUNT);
  });
  assert.deepEqual(acquaintances.list(ACCOUNT), []);
});

test('an IPv6 host is known by its network, an IPv4 address in any form by itself', () => {
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:DB8:0001::1'), '2001:db8:1:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
});

test('a client is known by its product: an update is no new one', () => {
  assert.equal(productOf('SSH-2.0-OpenSSH_9.7p1 Debian-5'), productOf('SSH-2.0-OpenSSH_10.0'));
  assert.equal(productOf('SSH-2.0-WinSCP_release_6.3.4'), 'WinSCP_release');
  assert.equal(productOf('SSH-2.0-paramiko_3.4.0'), 'paramiko');
  assert.equal(productOf('SSH-2.0-Go'), 'Go');
  assert.equal(productOf('SSH-2.0-9000'), '9000');
  assert.equal(productOf(''), '');
  assert.ok(productOf(`SSH-2.0-${'x'.repeat(250)}`).length <= 80);
});
