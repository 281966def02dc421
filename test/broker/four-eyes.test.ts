/** Four eyes, seen by who wants to get around them with one pair. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, beforeEach, afterEach, describe, it } from 'node:test';
import { isWeaker } from '../../src/accounts/chains.ts';
import { readKeyLine } from '../../src/accounts/key-lines.ts';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCallName } from '../../src/broker/admin-calls.ts';
import { fingerprint, publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { AdministrationScene, IN, token } from './administration-scene.ts';
import type { Token } from './administration-scene.ts';

const NO_POLICY = { readOnce: false, addresses: [], hours: [], expires: null, removeAfterDays: null };
const WIDER = { ...IN, rights: ['list' as const, 'read' as const], policy: null };
const DAY_MS = 86_400_000;

let scene: AdministrationScene;
let ada: Token;
let ben: Token;

beforeEach(async () => {
  scene = await AdministrationScene.open();
  await scene.twoAdministrators();
  ({ ada, ben } = scene.tokens);
});
afterEach(() => scene.close());

function denied(code: string, message?: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof Error && 'code' in error && error.code === code && (message?.test(error.message) ?? true);
}

describe('with two administrators, widening a grant', () => {
  it('waits, tells in full what it is, and happens when the other one approves it', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    assert.deepEqual(scene.grant()?.rights, ['list']);
    const { proposals } = await scene.call(ben, 'approval.list', {});
    assert.equal(proposals.length, 1);
    const [proposal] = proposals;
    assert.equal(proposal?.proposer, 'ada');
    assert.match(proposal.summary, /^anna may list, read in acme\/in; before: list; it signs in with publickey/);
    await scene.call(ben, 'approval.approve', { reference });
    assert.deepEqual(scene.grant()?.rights, ['list', 'read']);
    const change = scene
      .entries('changed')
      .filter(({ action }) => action === 'grant.add')
      .at(-1);
    assert.deepEqual([change?.actor, change?.approvedBy], ['ada', 'ben']);
    const decision = scene.entries('decision').at(-1);
    assert.deepEqual([decision?.reference, decision?.outcome, decision?.actor], [reference, 'approved', 'ben']);
    assert.equal(scene.entries('proposal').at(-1)?.actor, 'ada');
    assert.deepEqual((await scene.call(ben, 'approval.list', {})).proposals, []);
  });

  it('narrowing happens at once, by one name', async () => {
    await scene.call(ada, 'grant.add', {
      ...IN,
      rights: ['list'],
      policy: { ...NO_POLICY, addresses: ['192.0.2.0/24'] },
    });
    assert.deepEqual(scene.grant()?.policy?.addresses, ['192.0.2.0/24']);
    const change = scene.entries('changed').at(-1);
    assert.deepEqual([change?.actor, change?.approvedBy], ['ada', '']);
    // Back again is wider.
    await scene.proposed(ada, 'grant.add', { ...IN, rights: ['list'], policy: null });
  });

  it('is denied by the other one, withdrawn by the proposer, and then gone', async () => {
    const first = await scene.proposed(ada, 'grant.add', WIDER);
    assert.equal((await scene.call(ben, 'approval.deny', { reference: first })).outcome, 'denied');
    await assert.rejects(
      scene.call(ben, 'approval.approve', { reference: first }),
      denied('not-found', /denied by ben/),
    );
    const second = await scene.proposed(ada, 'grant.add', WIDER);
    assert.equal((await scene.call(ada, 'approval.deny', { reference: second })).outcome, 'withdrawn');
    await assert.rejects(scene.call(ben, 'approval.approve', { reference: second }), denied('not-found', /withdrawn/));
    assert.deepEqual(scene.grant()?.rights, ['list']);
  });
});

describe('one administrator alone', () => {
  it('does not approve what he proposed, in any form of the reference', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    for (const form of [reference, reference.toLowerCase(), ` ${reference}`])
      await assert.rejects(scene.call(ada, 'approval.approve', { reference: form }));
    assert.deepEqual(scene.grant()?.rights, ['list']);
  });

  it('does not come back as nobody: without a token nothing is proposed, approved or denied', async () => {
    await assert.rejects(scene.call(null, 'grant.add', WIDER), denied('permission-denied', /--as-token-file/));
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    await assert.rejects(scene.call(null, 'approval.approve', { reference }), denied('permission-denied'));
    await assert.rejects(scene.call(null, 'approval.deny', { reference }), denied('permission-denied'));
    assert.deepEqual(scene.grant()?.rights, ['list']);
  });

  it('makes no second self: not by a lookalike name, a second name for one token, or a token for somebody else', async () => {
    const other = token();
    for (const name of ['Ada', 'ADA', 'BEN']) {
      const reference = await scene.proposed(ada, 'administrator.add', { name, fingerprint: token().fingerprint });
      await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('already-exists'), name);
    }
    // Cyrillic, full width, a combining mark, a space at the end, an invisible one.
    for (const name of ['\u0430da', '\uff21da', 'ada\u0301', 'ada ', 'ada\u200b']) {
      const reference = await scene.proposed(ada, 'administrator.add', { name, fingerprint: token().fingerprint });
      await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('option-invalid'), name);
    }
    const twice = await scene.proposed(ada, 'administrator.add', { name: 'cleo', fingerprint: ada.fingerprint });
    await assert.rejects(scene.call(ben, 'approval.approve', { reference: twice }), denied('already-exists'));
    await scene.proposed(ada, 'administrator.renew', { name: 'BEN', fingerprint: other.fingerprint });
    await assert.rejects(scene.call(other, 'approval.list', {}), denied('sign-in-refused'));
    // His own he renews alone; that of the other one does not become his.
    await assert.rejects(
      scene.call(ada, 'administrator.renew', { name: 'ada', fingerprint: ben.fingerprint }),
      denied('already-exists'),
    );
  });

  it('does not get rid of the rule by getting rid of the other one', async () => {
    const reference = await scene.proposed(ada, 'administrator.remove', { name: 'ben' });
    await assert.rejects(scene.call(ada, 'approval.approve', { reference }), denied('permission-denied'));
    await scene.proposed(ada, 'administrator.remove', { name: 'Ada' });
    assert.equal(scene.parts.administrators.list().length, 2);
  });

  it('does not remove two of three at the same moment', async () => {
    const cleo = token();
    const added = await scene.proposed(ada, 'administrator.add', { name: 'cleo', fingerprint: cleo.fingerprint });
    await scene.call(ben, 'approval.approve', { reference: added });
    const both = await Promise.allSettled([
      scene.call(ada, 'administrator.remove', { name: 'ben' }),
      scene.call(ada, 'administrator.remove', { name: 'cleo' }),
    ]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal(scene.parts.administrators.list().length, 2);
  });

  it('does not widen by an act that was harmless when it was asked for', async () => {
    // At the same moment: taken away, and "nothing new" given. Judged before, it was no widening; when it acts, it is.
    const both = await Promise.allSettled([
      scene.call(ada, 'grant.remove', IN),
      scene.call(ada, 'grant.add', { ...IN, rights: ['list'], policy: null }),
    ]);
    assert.equal(both[0].status, 'fulfilled');
    assert.equal(both[1].status, 'rejected');
    assert.equal(scene.grant(), null);
  });

  it('does not use a moment of one administrator: both adds count', async () => {
    await scene.close();
    scene = await AdministrationScene.open();
    await scene.call(null, 'administrator.add', { name: 'ada', fingerprint: ada.fingerprint });
    const names = ['ben', 'cleo', 'dora'].map((name) =>
      scene.call(null, 'administrator.add', { name, fingerprint: token().fingerprint }),
    );
    const done = await Promise.allSettled(names);
    assert.equal(done.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(scene.parts.administrators.list().length, 2);
  });

  it('fills no table: proposals of one person are bounded', async () => {
    for (let made = 0; made < 100; made++) await scene.proposed(ada, 'grant.add', WIDER);
    await assert.rejects(scene.call(ada, 'grant.add', WIDER), denied('in-use', /100 proposals/));
    await scene.proposed(ben, 'grant.add', WIDER);
  });
});

describe('a stolen token', () => {
  it('proposes at most; and what it proposed ends with it', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    const fresh = token();
    // The owner notices, and renews it alone, at once.
    await scene.call(ada, 'administrator.renew', { name: 'ada', fingerprint: fresh.fingerprint });
    await assert.rejects(scene.call(ada, 'grant.add', WIDER), denied('sign-in-refused'));
    await assert.rejects(
      scene.call(ben, 'approval.approve', { reference }),
      denied('permission-denied', /replaced since/),
    );
    assert.deepEqual(scene.grant()?.rights, ['list']);
    await assert.rejects(scene.call(fresh, 'approval.approve', { reference }), denied('permission-denied'));
  });

  it('that was replaced while its call was under way changes nothing', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    const both = await Promise.allSettled([
      scene.call(ben, 'administrator.renew', { name: 'ben', fingerprint: token().fingerprint }),
      scene.call(ben, 'approval.approve', { reference }),
    ]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    assert.deepEqual(scene.grant()?.rights, ['list']);
  });

  it('of somebody who was removed signs nobody in, and takes his proposals along', async () => {
    const cleo = token();
    const added = await scene.proposed(ada, 'administrator.add', { name: 'cleo', fingerprint: cleo.fingerprint });
    await scene.call(ben, 'approval.approve', { reference: added });
    const reference = await scene.proposed(cleo, 'grant.add', WIDER);
    await scene.call(ada, 'administrator.remove', { name: 'cleo' });
    await assert.rejects(scene.call(cleo, 'tenant.list', {}), denied('sign-in-refused'));
    await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('permission-denied', /removed/));
  });

  it('is not guessed by its form', async () => {
    const forms = ['', 'x', `${ada.token}x`, ada.token.slice(0, -1), ada.token.toUpperCase(), ada.fingerprint];
    for (const form of forms)
      await assert.rejects(
        scene.call({ token: form, fingerprint: '' }, 'tenant.list', {}),
        denied('sign-in-refused'),
        form,
      );
  });
});

describe('a proposal', () => {
  it('is carried out once, whoever asks again, also at the same moment', async () => {
    const cleo = token();
    const added = await scene.proposed(ada, 'administrator.add', { name: 'cleo', fingerprint: cleo.fingerprint });
    await scene.call(ben, 'approval.approve', { reference: added });
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    const both = await Promise.allSettled([
      scene.call(ben, 'approval.approve', { reference }),
      scene.call(cleo, 'approval.approve', { reference }),
    ]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await scene.call(ada, 'grant.add', { ...IN, rights: ['list'], policy: null });
    await assert.rejects(scene.call(cleo, 'approval.approve', { reference }), denied('not-found', /approved/));
    assert.deepEqual(scene.grant()?.rights, ['list']);
    assert.equal(scene.entries('decision').filter((one) => one.reference === reference).length, 1);
  });

  it('ends after seven days, and says so in the ledger', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    scene.world.time.offset += 7 * DAY_MS - 60_000;
    assert.equal((await scene.call(ben, 'approval.list', {})).proposals.length, 1);
    scene.world.time.offset += 60_001;
    await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('not-found', /expired/));
    assert.deepEqual((await scene.call(ben, 'approval.list', {})).proposals, []);
    const decision = scene.entries('decision').at(-1);
    assert.deepEqual([decision?.reference, decision?.outcome, decision?.actor], [reference, 'expired', '']);
  });

  const changes: Readonly<Record<string, () => Promise<unknown>>> = {
    'the grant is another by now': () =>
      scene.call(ada, 'grant.add', {
        ...IN,
        rights: ['list'],
        policy: { ...NO_POLICY, readOnce: true },
      }),
    'the grant is gone': () => scene.call(ada, 'grant.remove', IN),
    'the account is suspended': () => scene.call(ada, 'account.suspend', { login: 'anna' }),
    'the account signs in otherwise': () =>
      scene.call(ada, 'account.require', { login: 'anna', chains: [['publickey', 'totp']] }),
    'the login is somebody else': async () => {
      await scene.call(ada, 'account.remove', { login: 'anna' });
      const anna = { tenant: 'acme', login: 'anna', displayName: '', administrator: false };
      await scene.call(ada, 'account.add', anna);
    },
    'the folder is another one of that name': async () => {
      await scene.call(ada, 'folder.remove', { tenant: 'acme', name: 'in' });
      await scene.call(ada, 'folder.add', { tenant: 'acme', name: 'in' });
    },
  };
  for (const [what, change] of Object.entries(changes))
    it(`is not what was looked at once ${what}`, async () => {
      const reference = await scene.proposed(ada, 'grant.add', WIDER);
      await change();
      const before = scene.grant();
      await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('in-use', /has changed/));
      assert.deepEqual(scene.grant(), before);
      // It stays, for somebody to deny it: nobody decided.
      assert.equal((await scene.call(ben, 'approval.list', {})).proposals.length, 1);
    });

  it('whose act fails leaves neither the act nor a decision', async () => {
    const reference = await scene.proposed(ada, 'administrator.add', {
      name: 'cleo',
      fingerprint: token().fingerprint,
    });
    const taken = await scene.proposed(ada, 'administrator.add', { name: 'Cleo', fingerprint: token().fingerprint });
    await scene.call(ben, 'approval.approve', { reference });
    const decisions = scene.entries('decision').length;
    await assert.rejects(scene.call(ben, 'approval.approve', { reference: taken }), denied('already-exists'));
    assert.equal(scene.entries('decision').length, decisions);
    assert.equal((await scene.call(ben, 'approval.list', {})).proposals.length, 1);
  });
});

describe('whoever writes the database', () => {
  const tamper: Readonly<Record<string, (reference: string, other: string) => string>> = {
    'a byte more': () => `UPDATE proposals SET sealed = CAST(sealed || x'00' AS BLOB)`,
    nothing: () => `UPDATE proposals SET sealed = x''`,
    'the proposal of another reference': (reference, other) =>
      `UPDATE proposals SET sealed = (SELECT sealed FROM proposals WHERE reference = '${other}') WHERE reference = '${reference}'`,
    'a plain request': (reference) =>
      `UPDATE proposals SET sealed = CAST('{"reference":"${reference}","action":"grant.add"}' AS BLOB)`,
  };
  for (const [what, statement] of Object.entries(tamper))
    it(`puts ${what} there in vain: it is shown as altered, not carried out, and can be denied`, async () => {
      const reference = await scene.proposed(ada, 'grant.add', WIDER);
      const other = await scene.proposed(ada, 'account.require', { login: 'anna', chains: [['password']] });
      scene.world.database.sql.exec(statement(reference, other));
      const { altered } = await scene.call(ben, 'approval.list', {});
      assert.ok(altered.includes(reference));
      await assert.rejects(
        scene.call(ben, 'approval.approve', { reference }),
        denied('permission-denied', /was altered/),
      );
      assert.deepEqual(scene.grant()?.rights, ['list']);
      await scene.call(ben, 'approval.deny', { reference });
      assert.ok(!(await scene.call(ben, 'approval.list', {})).altered.includes(reference));
    });

  it('turns any one bit of it in vain', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    const { sql } = scene.world.database;
    const sealed = Buffer.from(sql.prepare('SELECT sealed FROM proposals').get()?.['sealed'] as Uint8Array);
    const write = sql.prepare('UPDATE proposals SET sealed = ?');
    for (let at = 0; at < sealed.length; at += 7) {
      const turned = Buffer.from(sealed);
      turned[at] = (turned[at] ?? 0) ^ (1 << (at & 7));
      write.run(turned);
      await assert.rejects(scene.call(ben, 'approval.approve', { reference }), denied('permission-denied', /altered/));
    }
    write.run(sealed);
    await scene.call(ben, 'approval.approve', { reference });
  });

  it('renames the proposer in vain: he is in what is sealed', async () => {
    const reference = await scene.proposed(ada, 'grant.add', WIDER);
    const benId = scene.parts.administrators.byName('ben').id;
    scene.world.database.sql.prepare('UPDATE proposals SET proposer = ?').run(benId);
    await assert.rejects(
      scene.call(ada, 'approval.approve', { reference }),
      denied('permission-denied', /proposed it/),
    );
  });
});

describe('what takes two, and what does not', () => {
  const key = publicKeyLine(publicKeyFrom(generateKeyPairSync('ed25519').publicKey), 'ca');
  const anna = { login: 'anna' };

  it('is said by every row of the table; what only reads is never guarded', () => {
    for (const [name, row] of Object.entries(ADMIN_CALLS)) {
      const eyes: unknown = row.eyes;
      assert.ok(eyes === 'one' || (eyes === 'two' && row.writes), name);
    }
  });

  it('a certificate authority, a root key, the end of a tenant, its keys back in use', async () => {
    await scene.proposed(ada, 'key.add-authority', { tenant: 'acme', line: key });
    await scene.proposed(ada, 'rootkey.rotate', {});
    const shred = await scene.proposed(ada, 'tenant.shred', { name: 'acme', confirm: 'acme' });
    await assert.rejects(scene.call(ada, 'tenant.shred', { name: 'acme', confirm: 'acne' }), denied('option-invalid'));
    await scene.call(ada, 'tenant.lock', { name: 'acme' });
    await scene.proposed(ada, 'tenant.unlock', { name: 'acme' });
    await scene.call(ben, 'approval.approve', { reference: shred });
    await scene.parts.keyActs.settled();
    assert.equal(scene.parts.keys.stateOf(scene.parts.tenants.byName('acme').id), 'shredded');
    const record = scene.entries('key').find(({ action }) => action === 'tenant.shred');
    assert.deepEqual([record?.actor, record?.approvedBy], ['ada', 'ben']);
  });

  it('a new root key, once approved, is there', async () => {
    const before = scene.parts.keyActs.overview().current;
    const reference = await scene.proposed(ada, 'rootkey.rotate', {});
    await scene.call(ben, 'approval.approve', { reference });
    assert.notEqual(scene.parts.keyActs.overview().current, before);
    assert.deepEqual(scene.world.failures, []);
  });

  it('lifting a suspension; suspending is one', async () => {
    await scene.call(ada, 'account.activate', anna);
    await scene.call(ada, 'account.suspend', anna);
    const reference = await scene.proposed(ada, 'account.activate', anna);
    assert.equal(scene.parts.accounts.get('anna').status, 'suspended');
    await scene.call(ben, 'approval.approve', { reference });
    assert.equal(scene.parts.accounts.get('anna').status, 'active');
  });

  it('a second step that is no longer demanded; one more is one', async () => {
    await scene.call(ada, 'account.require', { ...anna, chains: [['publickey', 'totp']] });
    await scene.proposed(ada, 'account.require', { ...anna, chains: [['publickey']] });
    await scene.proposed(ada, 'account.require', { ...anna, chains: [['publickey', 'totp'], ['password']] });
    await scene.call(ada, 'account.require', { ...anna, chains: [['publickey', 'password', 'totp']] });
    // Of an account that has no grant yet nothing is kept: whoever approves the grant sees how it signs in.
    const paul = { tenant: 'acme', login: 'paul', displayName: '', administrator: false };
    await scene.call(ada, 'account.add', paul);
    await scene.call(ada, 'account.require', { login: 'paul', chains: [['password']] });
    await scene.proposed(ada, 'grant.add', { ...WIDER, login: 'paul' });
    const { proposals } = await scene.call(ben, 'approval.list', {});
    assert.match(proposals.at(-1)?.summary ?? '', /signs in with password$/);
  });

  it('an administrator of a tenant; an ordinary account is one', async () => {
    const account = { tenant: 'acme', login: 'root', displayName: '', administrator: true };
    await scene.proposed(ada, 'account.add', account);
    await scene.call(ada, 'account.add', { ...account, login: 'plain', administrator: false });
  });

  it('lifting a legal hold; putting one is one, and shredding waits for it', async () => {
    const folder = { tenant: 'acme', name: 'in', reason: 'case 7' };
    await scene.call(ada, 'folder.hold', folder);
    const shredding = scene.call(ada, 'tenant.shred', { name: 'acme', confirm: 'acme' });
    await assert.rejects(shredding, denied('legal-hold'));
    const reference = await scene.proposed(ada, 'folder.unhold', folder);
    assert.equal((await scene.call(ada, 'folder.holds', { tenant: null })).holds.length, 1);
    await scene.call(ben, 'approval.approve', { reference });
    assert.equal((await scene.call(ada, 'folder.holds', { tenant: 'acme' })).holds.length, 0);
  });

  it('a hold that is put after a shredding was proposed keeps the tenant', async () => {
    const shred = await scene.proposed(ada, 'tenant.shred', { name: 'acme', confirm: 'acme' });
    await scene.call(ben, 'folder.hold', { tenant: 'acme', name: 'in', reason: '' });
    await assert.rejects(scene.call(ben, 'approval.approve', { reference: shred }), denied('legal-hold'));
    assert.equal(scene.parts.keys.stateOf(scene.parts.tenants.byName('acme').id), 'in-use');
  });

  it('a budget that is raised, or none; a lower one is one', async () => {
    const budget = { scope: 'account/anna', dimension: 'bytes' as const, window: 86_400 };
    await scene.call(ada, 'budget.set', { ...budget, limit: 1000 });
    await scene.call(ada, 'budget.set', { ...budget, limit: 500 });
    const raise = await scene.proposed(ada, 'budget.set', { ...budget, limit: 501 });
    await scene.proposed(ada, 'budget.set', { ...budget, limit: null });
    await scene.proposed(ada, 'budget.clear', { scope: 'account/anna' });
    await scene.call(ben, 'approval.approve', { reference: raise });
    const limits = await scene.call(ben, 'budget.list', {});
    assert.deepEqual(limits.limits, [{ ...budget, limit: 501 }]);
    // Where nothing bounds it, any bound is less.
    await scene.call(ada, 'budget.set', { ...budget, scope: 'installation', limit: 10 ** 15 });
    await assert.rejects(scene.call(ada, 'budget.set', { ...budget, scope: 'unconfirmed/anna', limit: 1 }));
    for (const scope of [
      '',
      'x',
      'account',
      'account/',
      'account/anna/x',
      'installation/x',
      'tenant/acme/',
      'credential/anna',
    ])
      await assert.rejects(scene.call(ada, 'budget.show', { scope }), scope);
  });

  it('what is no address and no software is not confirmed, and leaves nothing behind', async () => {
    const nothing = [
      ['address', '%3dz'],
      ['address', 'example.com'],
      ['address', '192.0.2.0/24'],
      ['client', 'SSH-2.0-'],
    ] as const;
    for (const [kind, value] of nothing)
      for (const call of ['account.confirm', 'account.forget'] as const)
        await assert.rejects(scene.call(ada, call, { login: 'anna', kind, value }), denied('option-invalid'), value);
    const { seen } = await scene.call(ada, 'account.seen', { login: 'anna' });
    assert.ok(seen.every(({ value }) => !nothing.some(([, wrong]) => wrong === value) && value !== ''));
  });
});

describe('every change names who made it', () => {
  const line = (): string => publicKeyLine(publicKeyFrom(generateKeyPairSync('ed25519').publicKey), 'k');
  const anna = { login: 'anna' };
  const acme = { name: 'acme' };
  const folder = { tenant: 'acme', name: 'two' };
  const seen = { ...anna, kind: 'address' as const, value: '192.0.2.7' };
  const [first, second] = [line(), line()];
  const apiToken = {
    ...anna,
    label: '',
    fingerprint: token().fingerprint,
    scopes: ['files:read'],
    addresses: null,
    expires: null,
  };
  const budget = { scope: 'installation', dimension: 'bytes' as const, window: 600 };
  /** In an order in which each can be made by one. What is not here has its own test. */
  const requests: readonly (readonly [AdminCallName, unknown])[] = [
    ['tenant.add', { name: 'other', displayName: '' }],
    ['tenant.set-quota', { ...acme, quota: 5 }],
    ['tenant.rotate-key', acme],
    ['tenant.lock', { name: 'other' }],
    ['tenant.remove', { name: 'other' }],
    ['folder.add', folder],
    ['folder.remove', folder],
    ['product.add', { product: 'p', tenant: 'acme', name: 'in' }],
    ['product.remove', { product: 'p', tenant: 'acme', name: 'in' }],
    ['folder.hold', { tenant: 'acme', name: 'in', reason: 'r' }],
    ['account.add', { tenant: 'acme', login: 'paul', displayName: '', administrator: false }],
    ['account.require', { ...anna, chains: [['publickey', 'totp']] }],
    ['account.password', { ...anna, password: 'correct horse battery' }],
    ['account.totp-enrol', anna],
    ['account.totp-remove', anna],
    ['account.activate', anna],
    ['token.add', apiToken],
    ['sign-in.enrol', anna],
    ['sign-in.set-kind', { ...anna, kind: 'person' }],
    ['sign-in.set-policy', { tenant: 'acme', policy: 'passkey' }],
    ['account.confirm', seen],
    ['account.forget', seen],
    ['key.add', { ...anna, line: first }],
    ['key.rotate', { key: fingerprint(readKeyLine(first).key.blob), line: line(), overlap: 60 }],
    ['key.remove', { key: fingerprint(readKeyLine(first).key.blob) }],
    ['key.revoke', { what: { kind: 'key', key: second } }],
    ['grant.add', { ...IN, rights: ['list'], policy: null }],
    ['grant.remove', IN],
    ['session.end', { session: null, login: 'anna', reason: 'enough' }],
    ['account.suspend', anna],
    ['account.remove', anna],
    ['budget.set', { ...budget, limit: 10 ** 12 }],
    ['administrator.renew', { name: 'ada', fingerprint: 'SHA256:' }],
  ];
  const elsewhere = [
    // administration-web.test.ts
    'token.remove',
    'token.renew',
    'tenant.unlock',
    'tenant.shred',
    'rootkey.rotate',
    'folder.unhold',
    'key.add-authority',
    'key.issue',
    'key.reinstate',
    'administrator.add',
    'administrator.remove',
    'approval.approve',
    'approval.deny',
    'budget.clear',
    'event.add',
    'event.remove',
    'event.retry',
    'event.rotate-secret',
    'hold.approve',
    'ledger.sign-pack',
    'hold.deny',
    // test/sso/administration.test.ts
    'sso.add',
    'sso.set',
    'sso.remove',
    'sso.link',
    'sso.unlink',
  ];

  it('for each call that changes something', async () => {
    const writing = Object.entries(ADMIN_CALLS).filter(([, row]) => row.writes);
    const covered = [...requests.map(([name]) => name), ...elsewhere].sort();
    assert.deepEqual(covered, writing.map(([name]) => name).sort());
    for (const [name, request] of requests) {
      const before = scene.world.ledger.pending().at(-1)?.seq ?? 0;
      const mine = name === 'administrator.renew' ? { name: 'ada', fingerprint: token().fingerprint } : request;
      await scene.call(ada, name, mine as never);
      const told = scene.world.ledger.pending(undefined, before).map(({ entry }) => entry);
      const changes = told.filter((entry) => entry.kind === 'changed' || entry.kind === 'key');
      assert.ok(
        changes.some(({ actor }) => actor === 'ada'),
        `${name} has no record by ada`,
      );
      // What goes on by itself afterwards is about keys alone.
      assert.ok(
        changes.every((entry) => entry.kind === 'key' || entry.actor === 'ada'),
        `${name} has a record by nobody`,
      );
    }
  });
});

describe('with fewer than two administrators', () => {
  let alone: AdministrationScene;
  before(async () => {
    alone = await AdministrationScene.open();
  });
  after(() => alone.close());

  it('everything happens at once, and the record says that nobody else agreed', async () => {
    await alone.call(null, 'tenant.add', { name: 'acme', displayName: '' });
    await alone.call(null, 'folder.add', { tenant: 'acme', name: 'in' });
    await alone.call(null, 'account.add', { tenant: 'acme', login: 'anna', displayName: '', administrator: true });
    const cleo = token();
    await alone.call(null, 'administrator.add', { name: 'cleo', fingerprint: cleo.fingerprint });
    await alone.call(cleo, 'grant.add', WIDER);
    await alone.call(null, 'account.require', { login: 'anna', chains: [['password']] });
    const changes = alone.entries('changed');
    assert.ok(changes.every(({ approvedBy }) => approvedBy === ''));
    assert.equal(changes.find(({ action }) => action === 'grant.add')?.actor, 'cleo');
    assert.equal(changes.find(({ action }) => action === 'account.require')?.actor, '');
    await alone.call(cleo, 'administrator.remove', { name: 'cleo' });
    await assert.rejects(alone.call(cleo, 'tenant.list', {}), denied('sign-in-refused'));
    await assert.rejects(alone.call(null, 'approval.approve', { reference: 'A-00000-00000' }));
  });
});

it('chains are weaker when one of them lets in without all that was asked', () => {
  const pk = ['publickey'] as const;
  const both = ['publickey', 'totp'] as const;
  assert.equal(isWeaker([pk], [both]), false);
  assert.equal(isWeaker([both], [pk]), true);
  assert.equal(isWeaker([pk, ['password', 'totp']], [['password', 'totp']]), false);
  assert.equal(isWeaker([['password', 'totp']], [both]), true);
  assert.equal(isWeaker([both], [['totp', 'publickey']]), false);
});
