/** Providers that lie, are somebody else, or are no good: over real HTTP, through a process under its real permissions. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { LyingProvider, newKey, publicPem, signed, signedWithSecret, unsigned } from './lying-provider.ts';
import type { Claims } from './lying-provider.ts';
import { CLIENT_SECRET } from './real-provider.ts';
import { BY, SsoScene } from './scene.ts';

describe('a provider that lies', { timeout: 60_000 }, () => {
  let scene: SsoScene;
  let provider: LyingProvider;
  before(async () => {
    scene = new SsoScene();
    const honest = await LyingProvider.open();
    await scene.linked(await scene.provider(honest.issuer), 'anna');
    provider = honest;
  });
  after(() => {
    scene.close();
    provider.close();
  });
  beforeEach(() => {
    // What counts tries and penalties is not what is looked at here.
    scene.base.now = Date.now();
  });
  afterEach(() => {
    provider.keys = [provider.key.jwk];
    provider.token = (claims) => signed(claims, provider.key);
    provider.answers.clear();
  });

  let address = 0;
  const signIn = async (more: Claims = {}, person = 'anna') => {
    const connection = scene.connect(`192.0.2.${++address}`);
    const { flow, address: at } = await scene.start(connection);
    return { connection, flow, answer: await scene.finish(connection, flow, provider.visit(at, person, more)) };
  };
  const refused = async (about: string, more: Claims = {}) => {
    const { answer } = await signIn(more);
    assert.equal(answer.result, 'failure', about);
    assert.match(scene.fault, /^sso-/, about);
    assert.equal(scene.of('sign-in').length, 0, about);
  };

  it('is refused for every claim that is not right', async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const [about, claims] of Object.entries({
      issuer: { iss: 'https://id.example.org' },
      'issuer with a slash more': { iss: `${provider.issuer}/` },
      audience: { aud: 'somebody else' },
      'audience of several, for another': { aud: ['waybill', 'other'], azp: 'other' },
      'audience of several, for nobody': { aud: ['waybill', 'other'] },
      'authorised party': { azp: 'other' },
      nonce: { nonce: 'of another sign-in' },
      'no nonce': { nonce: undefined },
      expired: { exp: now - 120, iat: now - 300 },
      'no end': { exp: undefined },
      'made tomorrow': { iat: now + 86_400, exp: now + 90_000 },
      'made yesterday': { iat: now - 86_400 },
      'not yet': { nbf: now + 3600 },
      'no subject': { sub: undefined },
      'a subject that is no text': { sub: ['anna'] },
    }))
      await refused(about, claims);
  });

  it('is refused for every signature that is not its own', async () => {
    const other = newKey();
    const { key } = provider;
    for (const [about, token] of Object.entries({
      'unknown key': (claims: Claims) => signed(claims, other),
      'another key under its name': (claims: Claims) => signed(claims, { ...other, kid: key.kid }),
      none: unsigned,
      'the public key as a secret': (claims: Claims) => signedWithSecret(claims, key.kid, publicPem(key)),
      'the client secret': (claims: Claims) => signedWithSecret(claims, key.kid, CLIENT_SECRET),
      'another algorithm in its head': (claims: Claims) => signed(claims, key, { alg: 'RS256' }),
      'what has to be understood': (claims: Claims) => signed(claims, key, { crit: ['b64'], b64: false }),
      'a token of another kind': (claims: Claims) => signed(claims, key, { typ: 'at+jwt' }),
      altered: (claims: Claims) => {
        const [head = '', , tail = ''] = signed(claims, key).split('.');
        const body = Buffer.from(JSON.stringify({ ...claims, sub: 'ben' })).toString('base64url');
        return `${head}.${body}.${tail}`;
      },
      'two in one': (claims: Claims) => `${signed(claims, key)}.${signed(claims, key)}`,
      empty: () => '',
    })) {
      provider.token = token;
      await refused(about);
    }
    // A key that the token itself brings is nobody's.
    provider.token = (claims) => signed(claims, other, { jwk: other.jwk, kid: undefined });
    await refused('its own key');
  });

  it('is refused for answers that are too long, no answers, and answers from elsewhere', async () => {
    const json = { 'content-type': 'application/json' };
    for (const [about, status, headers, body] of [
      ['too long', 200, json, `{"x":"${'x'.repeat(400_000)}"}`],
      ['no JSON', 200, json, 'no'],
      ['a page', 200, { 'content-type': 'text/html' }, '<p>'],
      ['an error', 500, json, '{}'],
      ['a refusal', 400, json, '{"error":"invalid_grant"}'],
      ['no token', 200, json, '{"access_token":"x","token_type":"bearer"}'],
      ['a redirect to this machine', 302, { location: `${provider.issuer}/elsewhere` }, ''],
      ['a redirect to the cloud', 307, { location: 'http://169.254.169.254/latest/meta-data' }, ''],
    ] as const) {
      provider.answers.set('/token', (response) => {
        response.writeHead(status, { ...headers }).end(body);
      });
      await refused(about);
    }
    assert.equal(provider.asked.includes('/elsewhere'), false);
    provider.answers.set('/jwks', (response) => {
      response.writeHead(302, { location: `${provider.issuer}/elsewhere` }).end();
    });
    provider.answers.delete('/token');
    await refused('keys from elsewhere');
    assert.equal(provider.asked.includes('/elsewhere'), false);
  });

  it('signs in when it tells the truth, with whatever key it has now', async () => {
    assert.equal((await signIn()).answer.result, 'success');
    const before = scene.of('changed').filter(({ action }) => action === 'sso.key').length;
    const next = newKey(undefined, 'EdDSA');
    provider.keys = [newKey().jwk, next.jwk, { kty: 'oct', k: 'x' }];
    provider.token = (claims) => signed(claims, next);
    assert.equal((await signIn()).answer.result, 'success');
    // Each key that has signed somebody in stands in the tenant's log.
    assert.equal(scene.of('changed').filter(({ action }) => action === 'sso.key').length, before + 1);
    // The one before is not taken any more.
    provider.token = (claims) => signed(claims, provider.key);
    assert.equal((await signIn()).answer.result, 'failure');
  });

  it('is asked for the strength that the administrator has named', async () => {
    const corp = scene.providers.byName('corp');
    await scene.providers.set(
      'corp',
      { ...corp, requireAmr: ['mfa', 'hwk'], requireAcr: ['gold', 'platin'] },
      null,
      BY,
    );
    const count = scene.of('sign-in').length;
    for (const weak of [{}, { amr: ['mfa'], acr: 'gold' }, { amr: ['mfa', 'hwk'] }, { amr: 'mfa hwk', acr: 'gold' }])
      assert.equal((await signIn(weak)).answer.result, 'failure', JSON.stringify(weak));
    assert.equal(scene.of('sign-in').length, count);
    assert.equal((await signIn({ amr: ['pwd', 'mfa', 'hwk'], acr: 'gold' })).answer.result, 'success');
    const told = scene.of('sign-in').at(-1)?.descriptions;
    assert.deepEqual(told, ['single sign-on by "corp" (acr gold, amr pwd, amr mfa, amr hwk)']);
    await scene.providers.set('corp', corp, null, BY);
  });

  it('does not say by an unverified address who somebody is', async () => {
    const other = await LyingProvider.open();
    const corp = await scene.provider(other.issuer, { name: 'mail', claim: 'email' });
    await scene.linked(corp, 'carla', 'carla@example.org');
    const come = async (claims: Claims) => {
      const connection = scene.connect(`192.0.2.${++address}`);
      const { flow, address: at } = await scene.start(connection, 'mail');
      return (await scene.finish(connection, flow, other.visit(at, 'mallory', claims))).result;
    };
    assert.equal(await come({ email: 'carla@example.org' }), 'failure');
    assert.equal(await come({ email: 'carla@example.org', email_verified: 'true' }), 'failure');
    assert.equal(await come({ email: 'carla@example.org', email_verified: false }), 'failure');
    assert.equal(await come({ email: 'Carla@Example.org', email_verified: true }), 'success');
    // Whoever has the address from now on is somebody else.
    const connection = scene.connect();
    const { flow, address: at } = await scene.start(connection, 'mail');
    const back = other.visit(at, 'next owner', { email: 'carla@example.org', email_verified: true });
    assert.equal((await scene.finish(connection, flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-unlinked');
    other.close();
  });

  it('binds a link to one person, also when two come by the same address at once', async () => {
    const other = await LyingProvider.open();
    const row = await scene.provider(other.issuer, { name: 'both', claim: 'preferred_username', multiFactor: false });
    await scene.linked(row, 'dora', 'dora');
    const code = await scene.withTotp('dora');
    const come = async (person: string) => {
      const connection = scene.connect(`192.0.2.${++address}`);
      const { flow, address: at } = await scene.start(connection, 'both');
      const back = other.visit(at, person, { preferred_username: 'dora' });
      const answer = await scene.finish(connection, flow, back);
      assert.deepEqual([answer.result, 'partial' in answer && answer.partial], ['failure', true]);
      return async () => (await scene.call('web.totp', { connection: connection.id, flow, code: code() })).result;
    };
    const [first, second] = [await come('the one'), await come('the other')];
    assert.equal(await first(), 'success');
    scene.base.now += 60_000;
    assert.equal(await second(), 'failure');
    assert.equal(scene.fault, 'changed-meanwhile');
    assert.equal(scene.store.links(scene.base.accounts.get('dora').id)[0]?.subject, 'the one');
    other.close();
  });

  it('cannot speak for another: not by its tokens, nor by its answers', async () => {
    const evil = await LyingProvider.open();
    await scene.provider(evil.issuer, { name: 'evil' });
    // A person of the same name at a provider that she is not linked with.
    const connection = scene.connect();
    const first = await scene.start(connection, 'evil');
    assert.equal((await scene.finish(connection, first.flow, evil.visit(first.address))).result, 'failure');
    assert.equal(scene.fault, 'sso-unlinked');
    // Evil names the other's page and keys as its own, and its issuer: it is not who it is registered as.
    evil.metadata = { ...provider.metadata };
    scene.processes.forget(scene.providers.byName('evil').id);
    await scene.providers.set('evil', scene.providers.byName('evil'), null, BY);
    const second = scene.connect();
    await assert.rejects(scene.start(second, 'evil'), { code: 'provider-refused' });
    // It sends a browser that is on the way to it to the other, and the answer back to its own address.
    const third = scene.connect();
    const { flow, address: at } = await scene.start(third);
    const back = provider.visit(at);
    back.pathname = back.pathname.replace(/corp$/, 'evil');
    assert.equal((await scene.finish(third, flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-mix-up');
    evil.close();
  });

  it('leads nowhere that is ours', async () => {
    for (const [name, at] of [
      ['token_endpoint', 'http://169.254.169.254/latest/api/token'],
      ['authorization_endpoint', 'javascript:alert(1)'],
    ] as const) {
      const liar = await LyingProvider.open();
      liar.metadata = { ...liar.metadata, [name]: at };
      const row = await scene.provider(liar.issuer, { name: `liar-${name.slice(0, 5)}` });
      const connection = scene.connect();
      const come = async () => {
        const { flow, address: on } = await scene.start(connection, row.name);
        return scene.finish(connection, flow, liar.visit(on));
      };
      if (name === 'token_endpoint') {
        assert.equal((await come()).result, 'failure');
        assert.match(scene.why, /private network|not https/);
      } else await assert.rejects(come(), { code: 'provider-refused' });
      scene.processes.forget(row.id);
      liar.close();
    }
  });
});
