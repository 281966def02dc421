import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Accounts } from '../../src/accounts/accounts.ts';
import { WaybillError } from '../../src/base/errors.ts';
import type { EventOf } from '../../src/ledger/core/kinds.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { fingerprint } from '../../src/sshkeys/public-key.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { ed25519Client, PASSWORD, Scene, TENANT } from './scene.ts';

const coded =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof WaybillError && error.code === code && message.test(error.message);

describe('administration of accounts', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => {
    scene.close();
  });
  const create = (login: string, tenant = TENANT) =>
    scene.accounts.create({ tenant, login, displayName: 'A person', administrator: false });

  it('makes, lists and removes; a login is taken in any capitals but found in its own', async () => {
    const ada = await create('ada');
    await create('Bob', 'b'.repeat(32));
    assert.deepEqual(ada.chains, [['publickey']]);
    assert.deepEqual(scene.accounts.get('ada'), ada);
    await assert.rejects(create('ADA'), coded('already-exists'));
    await assert.rejects(create('ada'), coded('already-exists'));
    assert.throws(() => scene.accounts.get('ADA'), coded('not-found'));
    assert.deepEqual(
      scene.accounts.list(null).map(({ login }) => login),
      ['ada', 'Bob'],
    );
    assert.deepEqual(
      scene.accounts.list(TENANT).map(({ login }) => login),
      ['ada'],
    );
    await assert.rejects(create('../x'), coded('option-invalid', /login/));
    await scene.accounts.addKey('ada', ed25519Client().line);
    await scene.accounts.remove('ada');
    assert.throws(() => scene.accounts.get('ada'), coded('not-found'));
    assert.deepEqual(scene.store.credentials(ada.id), []);
  });

  it('keeps what another room adds to a removal in the same transaction', async () => {
    await create('ada');
    const refusing = () => {
      throw new WaybillError('in-use', 'not now');
    };
    await assert.rejects(scene.accounts.remove('ada', refusing), coded('in-use'));
    assert.equal(scene.accounts.get('ada').login, 'ada');
  });

  it('adds keys with their options, once each, and not revoked ones', async () => {
    await create('ada');
    const { line, public: key } = ed25519Client();
    const added = await scene.accounts.addKey('ada', `from="192.0.2.0/24",expiry-time="20300101" ${line}`);
    assert.deepEqual(scene.accounts.credentials('ada'), [added]);
    assert.equal(added.label, 'laptop');
    assert.equal(added.restrictions.from, '192.0.2.0/24');
    await assert.rejects(scene.accounts.addKey('ada', line), coded('already-exists'));
    await assert.rejects(scene.accounts.addKey('ada', `cert-authority ${line}`), coded('option-invalid', /tenant/));
    await assert.rejects(scene.accounts.addKey('ada', 'nonsense'), coded('option-invalid', /key line/));
    assert.equal(await scene.accounts.revoke(line), fingerprint(key.blob));
    await scene.accounts.removeCredential(added.id);
    await assert.rejects(scene.accounts.addKey('ada', line), coded('option-invalid', /revoked/));
    await assert.rejects(scene.accounts.removeCredential(added.id), coded('not-found'));
  });

  it('replaces passwords and codes, and takes them away', async () => {
    await create('ada');
    const kinds = () => scene.accounts.credentials('ada').map(({ kind }) => kind);
    await assert.rejects(scene.accounts.setPassword('ada', 'short'), coded('option-invalid', /at least 8/));
    await scene.accounts.setPassword('ada', PASSWORD);
    await scene.accounts.setPassword('ada', `${PASSWORD} two`);
    const first = await scene.accounts.enrolTotp('ada');
    const second = await scene.accounts.enrolTotp('ada');
    assert.notEqual(first.secret, second.secret);
    assert.match(second.uri, /^otpauth:\/\/totp\/Waybill%20test:ada\?secret=[A-Z2-7]{32}&/);
    assert.deepEqual(kinds().sort(), ['password', 'totp']);
    assert.ok(!JSON.stringify(scene.accounts.credentials('ada')).includes(second.secret));
    await scene.accounts.setPassword('ada', null);
    await scene.accounts.removeTotp('ada');
    await scene.accounts.removeTotp('ada');
    assert.deepEqual(kinds(), []);
  });

  it('names serials in one form and refuses others', async () => {
    const authority = fingerprint(ed25519Client().public.blob);
    await scene.accounts.revokeCertificates('serial', authority, '007');
    assert.ok(scene.store.isRevoked('serial', authority, '7'));
    for (const serial of ['0', '-1', 'x', '18446744073709551616'])
      await assert.rejects(scene.accounts.revokeCertificates('serial', authority, serial), coded('option-invalid'));
    await assert.rejects(scene.accounts.revokeCertificates('key-id', 'ca', 'x'), coded('option-invalid'));
    assert.equal(scene.accounts.revocations().length, 1);
  });

  it('records each change in its own transaction, without secrets', async () => {
    const records: EventOf<'changed'>[] = [];
    const ledger: Ledger = {
      append: (tenant, event) => {
        assert.equal(tenant, TENANT);
        if (event.kind === 'changed') records.push(event);
      },
    };
    const accounts = new Accounts({ ...scene.parts, ledger, issuer: 'x' });
    await accounts.create({ tenant: TENANT, login: 'ada', displayName: '', administrator: true });
    await accounts.setPassword('ada', PASSWORD);
    const { secret } = await accounts.enrolTotp('ada');
    await accounts.setChains('ada', [['password', 'totp']]);
    await accounts.suspend('ada');
    assert.deepEqual(
      records.map(({ action }) => action),
      ['account.add', 'account.password', 'account.totp-enrol', 'account.require', 'account.status'],
    );
    for (const hidden of [PASSWORD, secret, '$argon2']) assert.ok(!JSON.stringify(records).includes(hidden));
    const failing = new Accounts({
      ...scene.parts,
      issuer: 'x',
      ledger: {
        append: () => {
          throw new Error('no record');
        },
      },
    });
    await assert.rejects(failing.activate('ada'), /no record/);
    assert.equal(accounts.get('ada').status, 'suspended');
  });
});

describe('accounts in a database file', () => {
  it('are found again, with every column', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-accounts-'));
    try {
      const file = path.join(folder, 'waybill.db');
      const scene = new Scene();
      const database = new Database(file);
      const store = new SqliteAccounts(database);
      const accounts = new Accounts({ ...scene.parts, store, ledger: null, issuer: 'x' });
      await accounts.create({ tenant: TENANT, login: 'ada', displayName: 'Ada', administrator: true });
      await accounts.setChains('ada', [['password', 'totp'], ['publickey']]);
      await accounts.setPassword('ada', PASSWORD);
      await accounts.enrolTotp('ada');
      const options = 'from="192.0.2.1",expiry-time="20300101",verify-required,no-touch-required';
      await accounts.addKey('ada', `${options} ${ed25519Client().line}`);
      await accounts.addCertificateAuthority(TENANT, ed25519Client().line);
      await accounts.revoke(ed25519Client().line);
      const everything = (of: SqliteAccounts) => ({
        accounts: of.accounts(null),
        credentials: of.credentials(of.accounts(null)[0]?.id ?? ''),
        authorities: of.authorities(null),
        revocations: of.revocations(),
        salt: of.installationSalt(),
      });
      const before = everything(store);
      assert.equal(before.credentials.length, 3);
      database.close();
      const reader = new Database(file, { readOnly: true });
      assert.deepEqual(everything(new SqliteAccounts(reader)), before);
      reader.close();
      scene.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
