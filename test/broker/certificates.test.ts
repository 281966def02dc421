/** certificate.issue as the broker has it, and the same by administrators under four eyes. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Certificates } from '../../src/broker/certificates.ts';
import type { JustShown } from '../../src/broker/certificates.ts';
import type { LiveSession, Profile } from '../../src/broker/connections.ts';
import { parseCertificate } from '../../src/sshkeys/certificate.ts';
import { fingerprint, publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { AdministrationScene } from './administration-scene.ts';

describe('certificates', () => {
  let scene: AdministrationScene;
  const key = publicKeyFrom(generateKeyPairSync('ed25519').publicKey);
  const line = publicKeyLine(key, 'laptop');
  beforeEach(async () => {
    scene = await AdministrationScene.open();
    await scene.twoAdministrators();
  });
  afterEach(() => scene.close());

  const live = (changed: Partial<LiveSession> = {}, profile: Profile = 'https'): LiveSession => {
    const { id, tenant } = scene.parts.accounts.get('anna');
    const session = { session: 'c'.repeat(32), account: id, tenant, login: 'anna', address: '192.0.2.7', ended: null };
    return { ...session, connection: { profile }, ...changed } as unknown as LiveSession;
  };
  const issue = (session: LiveSession, shown: JustShown | null, request: { publicKey?: string; hours?: number } = {}) =>
    new Certificates({
      authority: scene.parts.certificates.authority,
      justShown: () => shown,
      hostKeys: [key],
      hostCa: () => '@cert-authority x',
    }).issue(session, { session: session.session, publicKey: line, ...request });
  const PASSKEY = { factors: ['passkey'], proofs: [] };

  it('over HTTPS, bound to the address of the session, with what was shown in the ledger', async () => {
    const answer = await issue(live(), PASSKEY, { hours: 2 });
    const certificate = parseCertificate(Buffer.from(answer.certificate.split(' ')[1] ?? '', 'base64'));
    assert.deepEqual(certificate.principals, ['anna']);
    assert.equal(certificate.criticalOptions.get('source-address')?.subarray(4).toString(), '192.0.2.7');
    assert.deepEqual([answer.serial, answer.login, answer.hostCa], ['1', 'anna', '@cert-authority x']);
    assert.deepEqual(answer.hostKeys, [publicKeyLine(key)]);
    const entry = scene.entries('changed').at(-1);
    assert.deepEqual([entry?.action, entry?.actor], ['certificate.issue', 'anna']);
    assert.deepEqual((entry?.detail as { factors: unknown }).factors, ['passkey']);
  });

  it('not over SSH, not without a strong factor just shown, not when the session has ended', async () => {
    const refused = { code: 'permission-denied' };
    await assert.rejects(issue(live({}, 'default'), PASSKEY), refused);
    await assert.rejects(issue(live(), null), refused);
    await assert.rejects(issue(live(), { factors: [], proofs: [] }), refused);
    await assert.rejects(issue(live(), { factors: ['password', 'recovery'], proofs: [] }), refused);
    await assert.rejects(issue(live({ ended: 'suspended' }), PASSKEY), { code: 'session-ended' });
    await assert.rejects(issue(live(), { factors: ['totp'], proofs: ['f'.repeat(32)] }), refused);
    await scene.call(null, 'account.suspend', { login: 'anna' });
    await assert.rejects(issue(live(), PASSKEY), refused);
    assert.deepEqual(scene.parts.certificates.authority.list(null), []);
  });

  it('not for what is no plain key, and not for longer than is allowed', async () => {
    for (const publicKey of ['', 'x', `from="10.0.0.0/8" ${line}`, `cert-authority ${line}`, `${line}\n${line}`])
      await assert.rejects(issue(live(), PASSKEY, { publicKey }), { code: 'option-invalid' });
    await assert.rejects(issue(live(), PASSKEY, { hours: 9 }), { code: 'option-invalid' });
  });

  it('by administrators take two, who see for whom, for which key, for how long and from where', async () => {
    const { ada, ben } = scene.tokens;
    const request = { login: 'anna', line, hours: 4, addresses: null };
    const reference = await scene.proposed(ada, 'key.issue', request);
    const [waiting] = (await scene.call(ben, 'approval.list', {})).proposals;
    for (const part of ['anna of acme', fingerprint(key.blob), '4 hours', 'from anywhere', 'publickey'])
      assert.ok(waiting?.summary.includes(part), `${part} in ${waiting?.summary ?? ''}`);
    assert.deepEqual((await scene.call(null, 'key.issued', { login: 'anna' })).certificates, []);
    await scene.call(ben, 'approval.approve', { reference });
    const [issued] = (await scene.call(null, 'key.issued', { login: 'anna' })).certificates;
    assert.equal(issued?.state, 'valid');
    const { certificate } = await scene.call(null, 'key.certificate', { serial: issued.serial });
    assert.match(certificate, /^ssh-ed25519-cert-v01@openssh\.com \S+ waybill anna$/);
    const entry = scene.entries('changed').findLast(({ action }) => action === 'certificate.issue');
    assert.deepEqual([entry?.actor, entry?.approvedBy], ['ada', 'ben']);
    await assert.rejects(scene.call(null, 'key.issue', request), { code: 'permission-denied' });
  });

  it('that are asked for stay unissued when the account has changed meanwhile', async () => {
    const { ada, ben } = scene.tokens;
    const reference = await scene.proposed(ada, 'key.issue', { login: 'anna', line, hours: null, addresses: null });
    await scene.call(null, 'account.suspend', { login: 'anna' });
    await assert.rejects(scene.call(ben, 'approval.approve', { reference }));
    assert.deepEqual(scene.parts.certificates.authority.list(null), []);
  });

  it('say in lists what became of them', async () => {
    await issue(live(), PASSKEY);
    await issue(live(), PASSKEY);
    const states = async (): Promise<string[]> =>
      (await scene.call(null, 'key.issued', { login: null })).certificates.map(({ state }) => state);
    const { userCa } = await scene.call(null, 'key.host-ca', {});
    await scene.call(null, 'key.revoke', { what: { kind: 'serial', authority: userCa ?? '', serial: '1' } });
    assert.deepEqual(await states(), ['valid', 'revoked']);
    await scene.call(null, 'account.suspend', { login: 'anna' });
    assert.deepEqual(await states(), ['account-gone', 'account-gone']);
  });

  it('a key that nobody used comes back into use by two', async () => {
    const { ada, ben } = scene.tokens;
    const { id, suspended } = await scene.call(null, 'key.add', { login: 'anna', line });
    assert.equal(suspended, null);
    scene.world.time.offset += 31 * 86_400_000;
    await scene.parts.keyLife.suspendUnused(30);
    const [listed] = (await scene.call(null, 'key.list', { login: 'anna', tenant: null })).keys;
    assert.ok(listed?.suspended);
    assert.equal(listed.lastUsed, null);
    const reference = await scene.proposed(ada, 'key.reinstate', { key: id });
    await scene.call(ben, 'approval.approve', { reference });
    assert.equal(scene.parts.keyLife.suspendedSince(id), null);
  });
});
