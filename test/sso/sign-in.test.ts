/** Signing in at a real OpenID provider, with a browser that fills in its forms. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { TENANT } from '../accounts/scene.ts';
import { Browser, startRealProvider } from './real-provider.ts';
import type { RealProvider } from './real-provider.ts';
import { BY, ORIGIN, SsoScene } from './scene.ts';

const CALLBACKS = ['corp', 'other'].map((name) => `${ORIGIN}/sign-in/sso-callback/${name}`);

describe('single sign-on', { timeout: 60_000 }, () => {
  let real: RealProvider;
  let scene: SsoScene;
  before(async () => {
    real = await startRealProvider(CALLBACKS);
  });
  after(() => {
    real.close();
  });
  beforeEach(() => {
    scene = new SsoScene();
  });
  afterEach(() => {
    scene.close();
  });

  const signIn = async (person: string, browser = new Browser()) => {
    const connection = scene.connect();
    const { flow, address } = await scene.start(connection);
    const back = await browser.signIn(address, person);
    return { connection, flow, back, answer: await scene.finish(connection, flow, back) };
  };

  it('signs in whom the provider names, and records how', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    const { answer } = await signIn('anna');
    assert.equal(answer.result, 'success');
    assert.equal(answer.session.login, 'anna');
    assert.deepEqual(answer.session.factors, ['sso-mfa']);
    // When she signed in there, nobody said.
    assert.equal(answer.session.strong, null);
    const [entry] = scene.of('sign-in');
    assert.deepEqual([entry?.login, entry?.protocol, entry?.tenant], ['anna', 'https', TENANT]);
    assert.deepEqual(entry?.factors, ['sso-mfa']);
    assert.deepEqual(entry.descriptions, ['single sign-on by "corp"']);
    assert.equal(scene.of('changed').filter(({ action }) => action === 'sso.key').length, 1);
    // The cookie is good on another connection, as any is.
    const again = await scene.call('web.session', { connection: scene.connect().id, cookie: answer.cookie });
    assert.deepEqual([again.login, again.factors], ['anna', ['sso-mfa']]);
  });

  it('takes nobody whom an administrator has not linked, and says the same to all of them', async () => {
    const provider = await scene.provider(real.issuer);
    await scene.linked(provider, 'anna');
    await scene.base.account('ben', [['publickey']]);
    const stranger = await signIn('ben');
    assert.equal(scene.fault, 'sso-unlinked');
    await scene.base.accounts.suspend('anna');
    const suspended = await signIn('anna');
    assert.equal(scene.fault, 'account-suspended');
    assert.deepEqual(suspended.answer, stranger.answer);
    assert.deepEqual(stranger.answer, { result: 'failure', methods: ['passkey', 'password'], partial: false });
    assert.equal(scene.of('sign-in').length, 0);
  });

  it('takes a code, a state and a flow once, and only together', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    const { connection, flow, back, answer } = await signIn('anna');
    assert.equal(answer.result, 'success');
    // The flow is over.
    assert.equal((await scene.finish(connection, flow, back)).result, 'disconnect');
    // The code of one browser, brought by another: its flow has a state of its own.
    const other = await scene.start(connection);
    assert.equal((await scene.finish(connection, other.flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-state');
    // With the state exchanged, too: the code is used up, and bound to another verifier.
    const third = await scene.start(connection);
    const forged = new URL(back);
    forged.searchParams.set('state', new URL(third.address).searchParams.get('state') ?? '');
    assert.equal((await scene.finish(connection, third.flow, forged)).result, 'failure');
    assert.deepEqual([scene.fault, /invalid_grant/.test(scene.why)], ['sso-refused', true]);
    // What was begun was used up by that, whatever it brings next.
    assert.equal((await scene.finish(connection, third.flow, forged)).result, 'failure');
    assert.equal(scene.fault, 'sso-not-begun');
  });

  it('takes one of two answers that come at once, or none', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    const connection = scene.connect();
    const { flow, address } = await scene.start(connection);
    const back = await new Browser().signIn(address, 'anna');
    const answers = await Promise.all([1, 2, 3].map(() => scene.finish(connection, flow, back)));
    assert.ok(answers.filter(({ result }) => result === 'success').length <= 1);
    assert.ok(scene.of('sign-in').length <= 1);
  });

  it('has no memory of what took too long', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    const connection = scene.connect();
    const { flow, address } = await scene.start(connection);
    const back = await new Browser().signIn(address, 'anna');
    scene.base.now += 11 * 60_000;
    assert.equal((await scene.finish(connection, flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-late');
  });

  it('signs in nobody whose link, account or provider went while the browser was away', async () => {
    const provider = await scene.provider(real.issuer);
    await scene.linked(provider, 'anna');
    const away = async () => {
      const connection = scene.connect();
      const { flow, address } = await scene.start(connection);
      const back = await new Browser().signIn(address, 'anna');
      return async () => (await scene.finish(connection, flow, back)).result;
    };
    const account = scene.base.accounts.get('anna');
    const first = await away();
    await scene.providers.unlink(provider, account, BY);
    assert.equal(await first(), 'failure');
    await scene.providers.link(provider, account, 'anna', BY);
    const second = await away();
    scene.web.setKind(account.id, 'service');
    assert.equal(await second(), 'failure');
    assert.equal(scene.fault, 'policy');
    scene.web.setKind(account.id, 'person');
    const third = await away();
    await scene.providers.remove('corp', BY);
    assert.equal(await third(), 'failure');
    assert.equal(scene.fault, 'sso-provider-gone');
    assert.equal(scene.of('sign-in').length, 0);
  });

  it('does not take a fresh code of one flow in another', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    const [attacker, victim] = [scene.connect('198.51.100.9'), scene.connect()];
    const his = await scene.start(attacker);
    const back = await new Browser().signIn(his.address, 'anna');
    const hers = await scene.start(victim);
    back.searchParams.set('state', new URL(hers.address).searchParams.get('state') ?? '');
    assert.equal((await scene.finish(victim, hers.flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-refused');
    // Nor does anybody else find the flow.
    assert.equal((await scene.finish(victim, his.flow, back)).result, 'disconnect');
    assert.equal(scene.of('sign-in').length, 0);
  });

  it('does not take the answer of one provider for another', async () => {
    await scene.linked(await scene.provider(real.issuer), 'anna');
    await scene.provider(real.issuer, { name: 'other' });
    const connection = scene.connect();
    const { flow, address } = await scene.start(connection);
    const back = await new Browser().signIn(address, 'anna');
    back.pathname = back.pathname.replace(/corp$/, 'other');
    assert.equal((await scene.finish(connection, flow, back)).result, 'failure');
    assert.equal(scene.fault, 'sso-mix-up');
    // The right address, and another issuer in it (RFC 9207).
    const again = await scene.start(connection);
    const second = await new Browser().signIn(again.address, 'anna');
    second.searchParams.set('iss', 'https://evil.example.com');
    assert.equal((await scene.finish(connection, again.flow, second)).result, 'failure');
    assert.equal(scene.fault, 'sso-refused');
    const third = await scene.start(connection);
    const without = await new Browser().signIn(third.address, 'anna');
    without.searchParams.delete('iss');
    assert.equal((await scene.finish(connection, third.flow, without)).result, 'failure');
    assert.match(scene.why, /iss/);
  });

  it('asks for a code where the provider is not known to have asked for a second factor', async () => {
    await scene.linked(await scene.provider(real.issuer, { multiFactor: false }), 'anna');
    const code = await scene.withTotp('anna');
    const { connection, flow, answer } = await signIn('anna');
    assert.deepEqual(answer, { result: 'failure', methods: ['totp', 'recovery'], partial: true });
    const done = await scene.call('web.totp', { connection: connection.id, flow, code: code() });
    assert.equal(done.result, 'success');
    assert.deepEqual(scene.of('sign-in')[0]?.factors, ['sso', 'totp']);
    // Where passkeys are asked for, a code after it is not enough.
    scene.web.setPolicy(TENANT, 'passkey');
    scene.base.now += 60_000;
    const later = await signIn('anna');
    const refused = await scene.call('web.totp', { connection: later.connection.id, flow: later.flow, code: code() });
    assert.equal(refused.result, 'failure');
    assert.equal(scene.fault, 'policy');
  });

  it('learns the subject by a verified address once, and then looks at the subject alone', async () => {
    const provider = await scene.provider(real.issuer, { claim: 'email' });
    await scene.linked(provider, 'anna', 'Anna@example.org');
    assert.equal((await signIn('anna')).answer.result, 'success');
    const [link] = scene.store.links(null);
    assert.deepEqual([link?.subject, link?.expected], ['anna', 'anna@example.org']);
    const bound = scene.of('changed').find(({ action }) => action === 'sso.bind');
    assert.deepEqual(bound?.detail, { provider: 'corp', email: 'anna@example.org', sub: 'anna' });
    assert.equal((await signIn('anna')).answer.result, 'success');
  });

  it('ends what it has opened when the link, the mark or the provider goes', async () => {
    const provider = await scene.provider(real.issuer);
    await scene.linked(provider, 'anna');
    const open = async () => {
      const { answer } = await signIn('anna');
      if (answer.result !== 'success') throw new Error(scene.fault);
      return answer.cookie;
    };
    const stands = (cookie: string) =>
      scene.call('web.session', { connection: scene.connect().id, cookie }).then(
        () => true,
        () => false,
      );
    const account = scene.base.accounts.get('anna');
    const first = await open();
    await scene.providers.unlink(provider, account, BY);
    assert.equal(await stands(first), false);
    await scene.providers.link(provider, account, 'anna', BY);
    assert.equal(await stands(first), false);
    const second = await open();
    assert.equal(await stands(second), true);
    await scene.providers.set('corp', { ...provider, multiFactor: false }, null, BY);
    assert.equal(await stands(second), false);
    await scene.providers.set('corp', provider, null, BY);
    const third = await open();
    await scene.providers.remove('corp', BY);
    assert.equal(await stands(third), false);
    assert.equal(scene.store.links(null).length, 0);
  });

  it('shows a strong factor again by a new sign-in of the same person alone', async () => {
    const provider = await scene.provider(real.issuer);
    for (const login of ['anna', 'ben']) await scene.linked(provider, login);
    const browser = new Browser();
    const { answer } = await signIn('anna', browser);
    assert.equal(answer.result, 'success');
    const { session } = answer.session;
    await assert.rejects(scene.call('web.recovery-codes', { session }), { code: 'step-up-needed' });
    const { flow, address } = await scene.call('sso.step-up', { session });
    assert.equal(new URL(address).searchParams.get('prompt'), 'login');
    const back = await browser.signIn(address, 'anna');
    // By another connection: the answer comes from another site, without the cookie of the session.
    assert.deepEqual(await scene.finish(scene.connect(), flow, back), { result: 'stepped-up' });
    assert.equal((await scene.call('web.recovery-codes', { session })).recovery.length, 10);
    // Nor does it bring back a session that has ended meanwhile.
    const late = await scene.call('sso.step-up', { session });
    const arrived = await browser.signIn(late.address, 'anna');
    const shown = scene.of('changed').filter(({ action }) => action === 'web-session.step-up').length;
    // Somebody else's sign-in, and an old one, show nothing.
    const second = await scene.call('sso.step-up', { session });
    const foreign = await new Browser().signIn(second.address, 'ben');
    assert.equal((await scene.finish(scene.connect(), second.flow, foreign)).result, 'failure');
    const third = await scene.call('sso.step-up', { session });
    const lenient = new URL(third.address);
    for (const name of ['prompt', 'max_age']) lenient.searchParams.delete(name);
    const old = await browser.signIn(lenient.href, 'anna');
    assert.equal((await scene.finish(scene.connect(), third.flow, old)).result, 'failure');
    await scene.call('web.sign-out', { session });
    await assert.rejects(scene.finish(scene.connect(), late.flow, arrived), { code: 'session-ended' });
    assert.equal(scene.of('changed').filter(({ action }) => action === 'web-session.step-up').length, shown);
  });
});
