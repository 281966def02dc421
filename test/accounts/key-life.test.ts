import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KeyLife } from '../../src/accounts/key-life.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { ed25519Client, Scene, TENANT } from './scene.ts';
import type { Client } from './scene.ts';

const DAY = 86_400_000;

describe('the life of keys', () => {
  let scene: Scene;
  let life: KeyLife;
  let recorded: { tenant: string | null; event: Event }[];
  let old: Client;
  beforeEach(async () => {
    scene = new Scene();
    recorded = [];
    const ledger = { append: (tenant: string | null, event: Event) => recorded.push({ tenant, event }) };
    life = new KeyLife({ store: scene.store, clock: scene.parts.clock, ledger });
    await scene.account('robot');
    old = ed25519Client();
  });
  afterEach(() => {
    scene.close();
  });
  const enters = async (client: Client, address = '192.0.2.7'): Promise<string> => {
    const { result } = await scene.connect(address).key('robot', client);
    return result === 'success' ? result : String(scene.codes().at(-1));
  };

  it('rotation: both sign in during the overlap, then the new one alone, from the same addresses', async () => {
    const { id } = await scene.accounts.addKey('robot', `from="192.0.2.0/24" ${old.line}`);
    const next = ed25519Client();
    const made = await life.rotate(id, next.line, 3600);
    assert.deepEqual(made.restrictions, {
      from: '192.0.2.0/24',
      expires: null,
      verifyRequired: false,
      touchRequired: true,
    });
    assert.deepEqual([await enters(old), await enters(next)], ['success', 'success']);
    assert.equal(await enters(next, '198.51.100.1'), 'key-address');
    scene.now += 3_600_000;
    assert.deepEqual([await enters(old), await enters(next)], ['key-expired', 'success']);
    const [first] = recorded;
    const event = first?.event;
    assert.equal(first?.tenant, TENANT);
    assert.ok(event?.kind === 'changed' && event.action === 'key.rotate' && event.credential === made.id);
  });

  it('rotation: the successor is good for as long as the old key was, and the old one never for longer', async () => {
    const expires = new Date(scene.now + 30 * DAY).toISOString().replace(/\D/g, '').slice(0, 14);
    const { id } = await scene.accounts.addKey('robot', `expiry-time="${expires}" ${old.line}`);
    scene.now += 29 * DAY;
    const made = await life.rotate(id, ed25519Client().line, 7 * 86_400);
    assert.equal(made.restrictions.expires, scene.now + 30 * DAY);
    const [, before] = [made, scene.store.credential(id)];
    assert.ok(before?.kind === 'key' && before.restrictions.expires === scene.now + DAY);
  });

  it('rotation: refuses what is no successor, and leaves the old key as it was', async () => {
    const { id } = await scene.accounts.addKey('robot', `verify-required ${old.line}`);
    const next = ed25519Client();
    const refused = (line: string, code: string, from = id): Promise<void> =>
      assert.rejects(life.rotate(from, line, 60), { code });
    await refused(next.line, 'option-invalid');
    await refused(`cert-authority ${next.line}`, 'option-invalid');
    await refused('nonsense', 'option-invalid');
    await refused(next.line, 'not-found', 'f'.repeat(32));
    const plain = await scene.accounts.addKey('robot', next.line);
    await refused(next.line, 'already-exists', plain.id);
    await scene.accounts.revoke(old.line);
    await refused(old.line, 'option-invalid', plain.id);
    assert.equal(await enters(next), 'success');
    assert.deepEqual(recorded, []);
  });

  it('unused keys: suspended when their days are over, counted from the last use, and never twice', async () => {
    await scene.accounts.addKey('robot', old.line);
    const used = ed25519Client();
    await scene.accounts.addKey('robot', used.line);
    scene.now += 20 * DAY;
    assert.equal(await enters(used), 'success');
    scene.now += 10 * DAY;
    assert.deepEqual(await life.suspendUnused(30), []);
    scene.now += 1;
    const suspended = await life.suspendUnused(30);
    assert.deepEqual(
      suspended.map(({ blob }) => blob),
      [old.public.blob],
    );
    assert.deepEqual([await enters(old), await enters(used)], ['key-suspended', 'success']);
    assert.deepEqual(await life.suspendUnused(30), []);
    const [first] = recorded;
    const event = first?.event;
    assert.equal(first?.tenant, TENANT);
    assert.ok(event?.kind === 'containment' && event.action === 'key.suspend');
    assert.equal(event.reason, 'not used for 30 days');
  });

  it('unused keys: back into use, with all their days before them', async () => {
    const { id } = await scene.accounts.addKey('robot', old.line);
    await assert.rejects(life.reinstate(id), { code: 'option-invalid' });
    scene.now += 31 * DAY;
    await life.suspendUnused(30);
    assert.equal(life.suspendedSince(id), scene.now);
    await life.reinstate(id);
    assert.equal(life.suspendedSince(id), null);
    assert.deepEqual(await life.suspendUnused(30), []);
    assert.equal(await enters(old), 'success');
    scene.now += 31 * DAY;
    assert.equal((await life.suspendUnused(30)).length, 1);
    // What is removed leaves nothing behind that a new key could inherit.
    await scene.accounts.removeCredential(id);
    await scene.accounts.addKey('robot', old.line);
    assert.equal(await enters(old), 'success');
  });

  it('unused keys: those of suspended accounts are left, and a key that goes while it signs in does not', async () => {
    await scene.accounts.addKey('robot', old.line);
    await scene.accounts.suspend('robot');
    scene.now += 31 * DAY;
    assert.deepEqual(await life.suspendUnused(30), []);
    await scene.accounts.activate('robot');
    // Queued before the sign-in's own write, which looks once more.
    const [suspended, outcome] = await Promise.all([life.suspendUnused(30), scene.connect().key('robot', old)]);
    assert.equal(suspended.length, 1);
    assert.equal(outcome.result, 'failure');
  });
});
