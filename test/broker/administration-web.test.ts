import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { hashApiToken, newApiToken } from '../../src/accounts/web/api-token.ts';
import { tokenFingerprint } from '../../src/accounts/access-token.ts';
import { AdministrationScene } from './administration-scene.ts';

const print = (): string => tokenFingerprint(hashApiToken(newApiToken()) ?? Buffer.alloc(0));

describe('administration of signing in over HTTPS', () => {
  let scene: AdministrationScene;
  before(async () => {
    scene = await AdministrationScene.open();
    await scene.twoAdministrators();
    await scene.call(null, 'tenant.add', { name: 'ops', displayName: '' });
    const { ada, ben } = scene.tokens;
    const root = { tenant: 'ops', login: 'root', displayName: '', administrator: true };
    await scene.call(ben, 'approval.approve', { reference: await scene.proposed(ada, 'account.add', root) });
  });
  after(() => scene.close());
  const plain = { label: 'ci', scopes: ['files:read' as const], addresses: null, expires: null };

  it('tokens are added, renewed and removed by one, with the record', async () => {
    const { ada } = scene.tokens;
    const { id } = await scene.call(ada, 'token.add', { ...plain, login: 'anna', fingerprint: print() });
    const renewed = await scene.call(ada, 'token.renew', { token: id, fingerprint: print(), overlap: 60 });
    const { tokens } = await scene.call(ada, 'token.list', { login: 'anna' });
    assert.deepEqual(
      tokens.map((row) => [row.id, row.successor]),
      [
        [id, renewed.id],
        [renewed.id, null],
      ],
    );
    await scene.call(ada, 'token.remove', { token: id });
    const told = scene.entries('changed').filter(({ action }) => action.startsWith('token.'));
    assert.deepEqual(
      told.map(({ action, actor }) => [action, actor]),
      [
        ['token.add', 'ada'],
        ['token.renew', 'ada'],
        ['token.remove', 'ada'],
      ],
    );
  });

  it('a token that administers, a laxer policy, and a service that becomes a person, or a person a service, take two', async () => {
    const { ada, ben } = scene.tokens;
    const admin = { ...plain, login: 'root', scopes: ['admin' as const], fingerprint: print() };
    const reference = await scene.proposed(ada, 'token.add', admin);
    await scene.call(ben, 'approval.approve', { reference });
    const [token] = (await scene.call(ada, 'token.list', { login: 'root' })).tokens;
    await scene.proposed(ada, 'token.renew', { token: token?.id ?? '', fingerprint: print(), overlap: 0 });
    await scene.call(ada, 'sign-in.set-policy', { tenant: 'acme', policy: 'passkey' });
    await scene.proposed(ada, 'sign-in.set-policy', { tenant: 'acme', policy: 'mfa' });
    await scene.proposed(ada, 'sign-in.set-policy', { tenant: 'acme', policy: 'one-step' });
    const service = await scene.proposed(ada, 'sign-in.set-kind', { login: 'anna', kind: 'service' });
    await scene.call(ben, 'approval.approve', { reference: service });
    await scene.proposed(ada, 'sign-in.set-kind', { login: 'anna', kind: 'person' });
    await assert.rejects(scene.call(ada, 'sign-in.enrol', { login: 'anna' }), { code: 'option-invalid' });
  });
});
