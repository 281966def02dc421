/** Who may say who somebody is: providers and links under four eyes, and what they are refused. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AdministrationScene } from '../broker/administration-scene.ts';
import type { AdminRequest } from '../../src/broker/admin-calls.ts';

const CORP: AdminRequest<'sso.add'> = {
  ...{ tenant: 'acme', name: 'corp', title: 'Corp', issuer: 'https://id.example.org/realms/acme' },
  ...{ clientId: 'waybill', clientSecret: 'only the provider knows', claim: 'sub', ca: null },
  ...{ multiFactor: false, listed: false, requireAcr: ['gold'], requireAmr: ['mfa', 'hwk'] },
};
const UNCHANGED = {
  title: null,
  clientSecret: null,
  multiFactor: null,
  listed: null,
  requireAcr: null,
  requireAmr: null,
};
const ANNA = { login: 'anna', provider: 'corp', person: '8f3c' };

describe('identity providers under administration', () => {
  let scene: AdministrationScene;
  beforeEach(async () => {
    scene = await AdministrationScene.open();
    await scene.twoAdministrators();
  });
  afterEach(async () => {
    await scene.close();
  });

  const approve = async (reference: string) => {
    await scene.call(scene.tokens.ben, 'approval.approve', { reference });
  };
  const ada = () => scene.tokens.ada;
  const told = (action: string) => scene.entries('changed').filter((entry) => entry.action === action);

  it('are added and linked by two, and nobody is told the secret', async () => {
    await approve(await scene.proposed(ada(), 'sso.add', CORP));
    await approve(await scene.proposed(ada(), 'sso.link', ANNA));
    const { providers } = await scene.call(null, 'sso.list', { tenant: 'acme' });
    assert.equal(providers[0]?.links, 1);
    assert.equal(providers[0].callback, '/sign-in/sso-callback/corp');
    const { links } = await scene.call(null, 'sso.links', { login: 'anna', provider: null });
    assert.deepEqual([links[0]?.subject, links[0]?.expected], ['8f3c', null]);
    assert.deepEqual(
      [told('sso.add')[0]?.actor, told('sso.add')[0]?.approvedBy, told('sso.link')[0]?.approvedBy],
      ['ada', 'ben', 'ben'],
    );
    const everything = JSON.stringify([providers, links, scene.entries('changed'), scene.entries('proposal')]);
    assert.equal(everything.includes(CORP.clientSecret), false);
  });

  it('take two when they come to count for more, one when for less', async () => {
    await approve(await scene.proposed(ada(), 'sso.add', CORP));
    const set = (changed: Partial<AdminRequest<'sso.set'>>): AdminRequest<'sso.set'> => ({
      ...{ name: 'corp', ...UNCHANGED },
      ...changed,
    });
    for (const laxer of [
      { multiFactor: true },
      { requireAcr: [] },
      { requireAcr: ['gold', 'silver'] },
      { requireAmr: ['mfa'] },
      { requireAmr: [] },
    ])
      await scene.proposed(ada(), 'sso.set', set(laxer));
    for (const same of [
      { multiFactor: false },
      { title: 'Corporation', listed: true },
      { clientSecret: 'another' },
      { requireAmr: ['mfa', 'hwk', 'pin'] },
    ])
      assert.equal((await scene.call(ada(), 'sso.set', set(same))).name, 'corp');
    assert.equal(told('sso.set').length, 4);
    // What one alone may do: take away.
    await approve(await scene.proposed(ada(), 'sso.link', ANNA));
    await scene.call(ada(), 'sso.unlink', { login: 'anna', provider: 'corp' });
    await scene.call(ada(), 'sso.remove', { name: 'corp' });
    assert.deepEqual([told('sso.unlink')[0]?.actor, told('sso.remove')[0]?.actor], ['ada', 'ada']);
    assert.equal(scene.ended.length, 2);
  });

  it('are only where they may be', async () => {
    const refusedFor = async (changed: Partial<AdminRequest<'sso.add'>>, code = 'option-invalid') => {
      await assert.rejects(scene.call(ada(), 'sso.add', { ...CORP, ...changed }), { code }, JSON.stringify(changed));
    };
    for (const issuer of [
      'http://id.example.org',
      'http://localhost:8080',
      'https://localhost',
      'https://169.254.169.254',
      'https://[::1]:8443',
      'https://10.0.0.5/realms/x',
      'https://[::ffff:127.0.0.1]',
      'https://user:secret@id.example.org',
      'https://id.example.org/?x=1',
      'https://id.example.org/#x',
      'ftp://id.example.org',
      'id.example.org',
    ])
      await refusedFor({ issuer });
    for (const name of ['../x', 'a/b', 'Corp', '-x']) await refusedFor({ name });
    await refusedFor({ clientSecret: 'a\r\nb' });
    await refusedFor({ ca: 'no certificate' });
    await refusedFor({ tenant: 'nobody' }, 'not-found');
    // By name, on this machine, without TLS: as the scene's server allows.
    await scene.proposed(ada(), 'sso.add', { ...CORP, issuer: 'http://127.0.0.1:8080' });
  });

  it('sign in nobody of another tenant, and each person one account', async () => {
    await approve(await scene.proposed(ada(), 'sso.add', CORP));
    await scene.call(null, 'tenant.add', { name: 'other', displayName: '' });
    for (const [tenant, login] of [
      ['other', 'olga'],
      ['acme', 'ben2'],
    ] as const)
      await scene.call(null, 'account.add', { tenant, login, displayName: '', administrator: false });
    const link = (changed: Partial<typeof ANNA>) => scene.call(ada(), 'sso.link', { ...ANNA, ...changed });
    await assert.rejects(link({ login: 'olga' }), { code: 'option-invalid' });
    const waiting = await scene.proposed(ada(), 'sso.link', { ...ANNA, login: 'ben2' });
    await approve(await scene.proposed(ada(), 'sso.link', ANNA));
    // Meanwhile the person has become somebody else's.
    await assert.rejects(approve(waiting), { code: 'already-exists' });
    await assert.rejects(link({ login: 'ben2' }), { code: 'already-exists' });
    await assert.rejects(link({ person: 'another' }), { code: 'already-exists' });
  });
});
