import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Accounts } from '../../src/accounts/accounts.ts';
import { SYSTEM_CLOCK } from '../../src/base/clock.ts';
import { Folders } from '../../src/files/folders.ts';
import { Tenants } from '../../src/files/tenants.ts';
import { completeFirstStart } from '../../src/first-start/first-account.ts';
import type { FirstAccountParts } from '../../src/first-start/first-account.ts';
import { Keys } from '../../src/keys/keys.ts';
import { RootKeyFile } from '../../src/keys/root-key.ts';
import { Recorder } from '../../src/ledger/recorder.ts';
import { Grants } from '../../src/policy/grants.ts';
import { parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteFiles } from '../../src/store/sqlite/files.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';
import { SqliteGrants } from '../../src/store/sqlite/policy.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';

let root = '';
let opened: Database[] = [];
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'waybill-first-'));
});
afterEach(() => {
  for (const database of opened) database.close();
  opened = [];
  rmSync(root, { recursive: true, force: true });
});

/** The parts as main.ts builds them, over the same data folder each time. */
async function parts(dataFolder: string): Promise<FirstAccountParts & { database: Database }> {
  for (const name of ['keys', 'meta']) mkdirSync(path.join(dataFolder, name), { recursive: true });
  const database = new Database(path.join(dataFolder, 'meta', 'waybill.db'));
  opened.push(database);
  const keys = await Keys.open(new SqliteKeys(database), new RootKeyFile(path.join(dataFolder, 'keys', 'root.key')));
  const ledger = new Recorder(new SqliteLedger(database));
  const grants = new Grants(new SqliteGrants(database), ledger);
  const store = new SqliteFiles(database);
  return {
    dataFolder,
    database,
    grants,
    defaultQuota: null,
    tenants: new Tenants({ store, keys, ledger }),
    folders: new Folders({ store, grants, ledger, hasUploads: () => false }),
    accounts: new Accounts({
      store: new SqliteAccounts(database),
      kinds: new SqliteWeb(database),
      sealer: keys,
      clock: SYSTEM_CLOCK,
      ledger,
      issuer: 'W',
    }),
  };
}

function assertComplete({ tenants, folders, accounts, grants, dataFolder }: FirstAccountParts): void {
  assert.deepEqual(
    tenants
      .list()
      .map(({ name }) => name)
      .sort(),
    ['first', 'operator'],
  );
  const account = accounts.get('first');
  const granted = grants.ofAccount(account.id);
  assert.equal(granted.length, 1);
  assert.equal(granted[0]?.folder, folders.byName(tenants.byName('first').id, 'exchange').id);
  const file = path.join(dataFolder, 'first', 'id_ed25519');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { blob } = parsePrivateKey(readFileSync(file, 'utf8')).public;
  const keys = accounts.credentials('first').filter((one) => one.kind === 'key');
  assert.deepEqual(
    keys.map((key) => Buffer.from(key.blob)),
    [blob],
  );
}

/** The process dies at the nth write of the metadata store: what came before is durable, nothing after happens. */
class Killed extends Error {}
function dieAt(database: Database, nth: number): void {
  const write = database.write.bind(database);
  let count = 0;
  database.write = <T>(action: () => T): Promise<T> => {
    count++;
    return count > nth ? Promise.reject(new Killed()) : write(action);
  };
}

describe('the first start', () => {
  it('makes the tenants, a folder, an account and its key, and says so', async () => {
    const first = await parts(root);
    const answer = await completeFirstStart(first);
    assert.equal(answer.created, true);
    assert.deepEqual(answer.first, {
      tenant: 'first',
      login: 'first',
      folder: '/exchange',
      key: path.join(root, 'first', 'id_ed25519'),
    });
    assertComplete(first);
  });

  it('is found again by the second one, which makes nothing', async () => {
    const made = await completeFirstStart(await parts(root));
    const second = await parts(root);
    assert.deepEqual(await completeFirstStart(second), { ...made, created: false });
    assertComplete(second);
  });

  it('killed at any write, it is completed by the next', async () => {
    for (let writes = 0; ; writes++) {
      const dataFolder = path.join(root, String(writes));
      const dying = await parts(dataFolder);
      dieAt(dying.database, writes);
      const survived = await completeFirstStart(dying).then(
        () => true,
        (error: unknown) => {
          assert.ok(error instanceof Killed);
          return false;
        },
      );
      const next = await parts(dataFolder);
      await completeFirstStart(next);
      assertComplete(next);
      if (survived) {
        assert.ok(writes >= 6, `only ${writes} writes were tried`);
        return;
      }
    }
  });

  it('killed between its files, it is completed by the next', async () => {
    await completeFirstStart(await parts(root));
    rmSync(path.join(root, 'meta', 'first-start.json'));
    const next = await parts(root);
    assert.equal((await completeFirstStart(next)).created, true);
    assertComplete(next);
  });

  it('does not bring back what the operator has taken away', async () => {
    await completeFirstStart(await parts(root));
    const { accounts } = await parts(root);
    await accounts.remove('first');
    rmSync(path.join(root, 'first'), { recursive: true });
    const later = await parts(root);
    assert.deepEqual(await completeFirstStart(later), { first: null, created: false });
    assert.throws(() => later.accounts.get('first'), { code: 'not-found' });
  });

  it('names the file when what it left was altered', async () => {
    await completeFirstStart(await parts(root));
    writeFileSync(path.join(root, 'meta', 'first-start.json'), '{');
    await assert.rejects(completeFirstStart(await parts(root)), {
      code: 'data-folder-invalid',
      message: /first-start.json/,
    });
  });
});
