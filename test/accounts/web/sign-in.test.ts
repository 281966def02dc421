import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { newApiToken, hashApiToken } from '../../../src/accounts/web/api-token.ts';
import { tokenFingerprint } from '../../../src/accounts/access-token.ts';
import { PASSWORD } from '../scene.ts';
import { ORIGIN, WebScene } from './scene.ts';

const BY = { actor: 'root', approvedBy: '' };
const methods = (...names: string[]) => ({ result: 'failure', methods: names, partial: false });
const START = methods('passkey', 'password');

describe('signing in over HTTPS', () => {
  let scene: WebScene;
  beforeEach(() => {
    scene = new WebScene();
  });
  afterEach(() => {
    scene.close();
  });

  it('takes a password and a code, never a password alone', async () => {
    const code = await scene.withPassword('ada');
    const connection = scene.connect();
    const flow = await scene.start(connection);
    const id = connection.id;
    const next = { ...methods('totp', 'recovery'), partial: true };
    assert.deepEqual(await scene.password(connection, flow, 'ada'), next);
    assert.deepEqual(
      await scene.call('web.totp', { connection: id, flow, code: Buffer.from('000000') }),
      methods('totp', 'recovery'),
    );
    const given = code();
    assert.equal((await scene.call('web.totp', { connection: id, flow, code: given })).result, 'success');
    // The same code counts once, whoever brings it.
    const again = await scene.start(connection);
    await scene.password(connection, again, 'ada');
    assert.equal((await scene.call('web.totp', { connection: id, flow: again, code: given })).result, 'failure');
    assert.deepEqual(scene.base.codes(), ['totp-wrong', 'totp-reused']);
  });

  it('does not take a password alone, though the account may sign in so over SSH', async () => {
    await scene.withPassword('ada');
    await scene.base.accounts.setChains('ada', [['password']]);
    const connection = scene.connect();
    const answer = await scene.password(connection, await scene.start(connection), 'ada');
    assert.equal(answer.result, 'failure');
    assert.equal(scene.of('sign-in').length, 0);
  });

  it('answers unknown, known, passkey-only and service logins alike', async () => {
    await scene.withPassword('ada');
    await scene.withPassword('bot');
    scene.store.setKind(scene.base.accounts.get('bot').id, 'service');
    for (const user of ['ada', 'nobody', 'bot', 'no login!']) {
      const connection = scene.connect(`192.0.2.${user.length + 20}`);
      const flow = await scene.start(connection);
      const wrong = user === 'bot' ? PASSWORD : 'wrong and wrong';
      assert.deepEqual(await scene.password(connection, flow, user, wrong), START, user);
      const early = await scene.call('web.totp', { connection: connection.id, flow, code: Buffer.from('123456') });
      assert.deepEqual(early, START, user);
    }
    assert.equal(scene.of('sign-in').length, 0);
  });

  it('takes as long for a login that does not exist as for one that does', async () => {
    await scene.withPassword('ada');
    const time = async (user: string): Promise<number> => {
      const connection = scene.connect('192.0.2.77');
      const flow = await scene.start(connection);
      const from = performance.now();
      for (let at = 0; at < 3; at++) await scene.password(connection, flow, user, 'wrong and wrong');
      return performance.now() - from;
    };
    await time('nobody');
    const ratio = (await time('nobodyelse')) / (await time('ada'));
    assert.ok(ratio > 0.3 && ratio < 3, `ratio ${ratio}`);
  });

  it('keeps the policy of a tenant: passkeys alone', async () => {
    const code = await scene.withPassword('ada');
    scene.store.setPolicy('a'.repeat(32), 'passkey');
    const connection = scene.connect();
    const flow = await scene.start(connection);
    assert.deepEqual(await scene.password(connection, flow, 'ada'), START);
    assert.equal((await scene.call('web.totp', { connection: connection.id, flow, code: code() })).result, 'failure');
  });

  it('takes each recovery code once, beside a password', async () => {
    await scene.enrolled('ada');
    const account = scene.base.accounts.get('ada');
    await scene.base.accounts.setPassword('ada', PASSWORD);
    const { newRecoveryCodes } = await import('../../../src/accounts/web/recovery-codes.ts');
    const { setRecoveryCodes } = await import('../../../src/accounts/web/enrolments.ts');
    const codes = newRecoveryCodes();
    assert.equal(new Set(codes).size, 10);
    await scene.store.write(() => {
      setRecoveryCodes({ store: scene.store }, account, codes);
    });
    const [first = ''] = codes;
    const attempt = async (code: string, password = PASSWORD) => {
      const connection = scene.connect();
      const flow = await scene.start(connection);
      await scene.password(connection, flow, 'ada', password);
      return (await scene.call('web.recovery', { connection: connection.id, flow, code: Buffer.from(code) })).result;
    };
    assert.equal(await attempt(first, 'wrong and wrong'), 'failure');
    assert.equal(await attempt('abcdef-abcdef-abcdef-abcdef'), 'failure');
    assert.equal(await attempt(first.toUpperCase().replaceAll('-', ' ')), 'success');
    assert.equal(await attempt(first), 'failure');
    assert.equal(scene.store.recoveryCodes(account.id), 9);
  });

  it('ends a sign-in after six refusals, records them, and the source pays', async () => {
    await scene.withPassword('ada');
    const connection = scene.connect();
    const flow = await scene.start(connection);
    for (let at = 0; at < 5; at++)
      assert.equal((await scene.password(connection, flow, 'ada', 'wrong one')).result, 'failure');
    assert.equal((await scene.password(connection, flow, 'ada', 'wrong one')).result, 'disconnect');
    assert.equal((await scene.password(connection, flow, 'ada')).result, 'disconnect');
    assert.deepEqual(scene.penalties, ['192.0.2.7']);
    const [failed] = scene.of('sign-in-failed');
    assert.equal(failed?.tries, 6);
    assert.equal(failed.login, 'ada');
    assert.equal(failed.protocol, 'https');
    assert.equal(failed.reason, 'password-wrong');
    assert.ok(!JSON.stringify(scene.base.logged).includes('wrong one'));
  });

  it('records what was refused on a connection that is gone, once', async () => {
    await scene.withPassword('ada');
    const connection = scene.connect();
    const flow = await scene.start(connection);
    await scene.password(connection, flow, 'ada', 'wrong one');
    scene.connections.close(connection, 'gone');
    assert.deepEqual(
      scene.of('sign-in-failed').map(({ tries }) => tries),
      [1],
    );
    const other = scene.connect();
    await scene.password(other, flow, 'ada', 'wrong one');
    scene.connections.close(other, 'gone');
    assert.deepEqual(
      scene.of('sign-in-failed').map(({ tries }) => tries),
      [1, 1],
    );
  });

  it('is refused at an origin that is not ours', async () => {
    const { id: connection } = scene.connect();
    await assert.rejects(scene.call('web.start', { connection, origin: 'https://evil.test', client: '' }), {
      code: 'origin-refused',
    });
  });
});

describe('web sessions', () => {
  let scene: WebScene;
  beforeEach(() => {
    scene = new WebScene();
  });
  afterEach(() => {
    scene.close();
  });
  const open = (cookie: string, connection = scene.connect()) =>
    scene.call('web.session', { connection: connection.id, cookie, origin: ORIGIN });

  it('open a session on each connection, and end with idleness and after twelve hours', async () => {
    const { authenticator } = await scene.enrolled('ada');
    const { cookie } = await scene.signedIn(authenticator);
    for (let at = 0; at < 25; at++) {
      scene.base.now += 29 * 60_000;
      if (at < 24) assert.equal((await open(cookie)).login, 'ada');
      else await assert.rejects(open(cookie), { code: 'not-signed-in' });
    }
    const second = await scene.signedIn(authenticator);
    scene.base.now += 30 * 60_000;
    await assert.rejects(open(second.cookie), { code: 'not-signed-in' });
  });

  it('are kept in use by what their connections do', async () => {
    const { authenticator } = await scene.enrolled('ada');
    const { cookie, session } = await scene.signedIn(authenticator);
    scene.base.now += 20 * 60_000;
    await scene.call('web.sessions', { session: session.session });
    scene.signIns.sweep();
    await scene.rooms.sessions.noted();
    scene.base.now += 20 * 60_000;
    assert.equal((await open(cookie)).login, 'ada');
    // The one that was idle is over, though its web session is not.
    scene.base.now += 15 * 60_000;
    await assert.rejects(scene.call('web.sessions', { session: session.session }), { code: 'session-ended' });
  });

  it('end by their owner with every session made from them, and by nobody else', async () => {
    const { authenticator } = await scene.enrolled('ada');
    const { authenticator: other } = await scene.enrolled('ben');
    const { cookie, session } = await scene.signedIn(authenticator);
    const second = await open(cookie);
    const stranger = (await scene.signedIn(other)).session;
    const { sessions } = await scene.call('web.sessions', { session: session.session });
    const [own] = sessions;
    assert.equal(sessions.length, 1);
    await assert.rejects(scene.call('web.end-session', { session: stranger.session, id: own?.id ?? '' }), {
      code: 'not-found',
    });
    assert.equal(scene.connections.list().length, 3);
    await scene.call('web.sign-out', { session: second.session });
    await assert.rejects(scene.call('web.sessions', { session: session.session }), { code: 'session-ended' });
    await assert.rejects(open(cookie), { code: 'not-signed-in' });
    assert.equal((await scene.call('web.sessions', { session: stranger.session })).sessions.length, 1);
    const [entry] = scene.of('changed').filter(({ action }) => action === 'web-session.end');
    assert.equal(entry?.actor, 'ada');
  });

  it('stop with the account, its credential and its kind', async () => {
    const { authenticator } = await scene.enrolled('ada');
    const { cookie } = await scene.signedIn(authenticator);
    const { id } = scene.base.accounts.get('ada');
    await scene.base.accounts.suspend('ada');
    await assert.rejects(open(cookie), { code: 'not-signed-in' });
    await scene.base.accounts.activate('ada');
    scene.store.setKind(id, 'service');
    await assert.rejects(open(cookie), { code: 'not-signed-in' });
    scene.store.setKind(id, 'person');
    assert.equal((await open(cookie)).login, 'ada');
    scene.store.removePasskey(scene.store.passkeys(id)[0]?.id ?? '');
    await assert.rejects(open(cookie), { code: 'not-signed-in' });
  });

  it('need a strong factor again before credentials change', async () => {
    const { authenticator } = await scene.enrolled('ada');
    const { session } = await scene.signedIn(authenticator);
    const by = { session: session.session };
    assert.equal((await scene.call('web.recovery-codes', by)).recovery.length, 10);
    scene.base.now += 5 * 60_000;
    for (const call of ['web.recovery-codes', 'web.register-options'] as const)
      await assert.rejects(scene.call(call, by), { code: 'step-up-needed' });
    const options = await scene.call('web.step-up-options', by);
    const { authenticator: other } = await scene.enrolled('ben');
    // Ben's passkey does not step up Ada's session.
    const foreign = structuredClone(other.get(options, ORIGIN)) as never;
    assert.deepEqual(await scene.call('web.step-up', { ...by, passkey: foreign }), { result: 'failure' });
    const again = await scene.call('web.step-up-options', by);
    const answer = structuredClone(authenticator.get(again, ORIGIN)) as never;
    assert.equal((await scene.call('web.step-up', { ...by, passkey: answer })).result, 'success');
    assert.deepEqual(await scene.call('web.step-up', { ...by, passkey: answer }), { result: 'failure' });
    assert.equal((await scene.call('web.recovery-codes', by)).recovery.length, 10);
  });

  it('end when step-up is guessed at', async () => {
    const { authenticator } = await scene.enrolled('ada');
    await scene.base.accounts.enrolTotp('ada');
    const { session, cookie } = await scene.signedIn(authenticator);
    for (let at = 0; at < 6; at++)
      assert.equal(
        (await scene.call('web.step-up', { session: session.session, totp: Buffer.from('000000') })).result,
        'failure',
      );
    await assert.rejects(open(cookie), { code: 'not-signed-in' });
  });
});

describe('enrolment', () => {
  let scene: WebScene;
  beforeEach(() => {
    scene = new WebScene();
  });
  afterEach(() => {
    scene.close();
  });

  it('by password and code; its secret works once, for a day, and only the last one', async () => {
    const account = await scene.base.account('ada', [['password', 'totp']]);
    const old = await scene.rooms.enrolments.issue(account, BY);
    const { secret } = await scene.rooms.enrolments.issue(account, BY);
    const { id: connection } = scene.connect();
    const begin = (text: string) => scene.call('web.enrol-start', { connection, origin: ORIGIN, secret: text });
    await assert.rejects(begin(old.secret), { code: 'sign-in-refused' });
    await assert.rejects(begin('wbe_'), { code: 'sign-in-refused' });
    const first = await begin(secret);
    const second = await begin(secret);
    assert.deepEqual(first.methods, ['passkey', 'password']);
    await assert.rejects(scene.call('web.enrol-password', { connection, flow: first.flow, password: 'short' }), {
      code: 'option-invalid',
    });
    const { fromBase32 } = await import('../base32.ts');
    const { totpCode, totpStep } = await import('../../../src/accounts/totp.ts');
    const shown = await scene.call('web.enrol-password', { connection, flow: first.flow, password: PASSWORD });
    const code = Buffer.from(totpCode(fromBase32(shown.secret), totpStep(scene.base.now)));
    assert.deepEqual(
      await scene.call('web.enrol-totp', { connection, flow: first.flow, code: Buffer.from('000000') }),
      { result: 'failure' },
    );
    // Nothing is stored before it is complete.
    assert.deepEqual(scene.base.accounts.credentials('ada'), []);
    const answer = await scene.call('web.enrol-totp', { connection, flow: first.flow, code });
    assert.ok(answer.result === 'enrolled' && answer.recovery.length === 10);
    const other = await scene.call('web.enrol-password', {
      connection,
      flow: second.flow,
      password: `${PASSWORD} other`,
    });
    const otherCode = Buffer.from(totpCode(fromBase32(other.secret), totpStep(scene.base.now)));
    await assert.rejects(scene.call('web.enrol-totp', { connection, flow: second.flow, code: otherCode }), {
      code: 'sign-in-refused',
    });
    const enrolled = scene.of('changed').filter(({ action }) => action === 'account.enrolled');
    assert.equal(enrolled.length, 1);
    const late = await scene.rooms.enrolments.issue(account, BY);
    scene.base.now += 24 * 3_600_000;
    await assert.rejects(begin(late.secret), { code: 'sign-in-refused' });
  });
});

describe('API tokens', () => {
  let scene: WebScene;
  beforeEach(async () => {
    scene = new WebScene(90);
    await scene.base.account('ada');
  });
  afterEach(() => {
    scene.close();
  });

  const print = (text: string): string => tokenFingerprint(hashApiToken(text) ?? Buffer.alloc(0));
  async function make(more: object = {}) {
    const text = newApiToken();
    const wish = {
      login: 'ada',
      label: 'ci',
      fingerprint: print(text),
      scopes: ['files:read'],
      addresses: null,
      expires: null,
    };
    return { text, token: await scene.rooms.tokens.add({ ...wish, ...more }, BY) };
  }
  const open = (bearer: string, connection = scene.connect()) =>
    scene.call('web.session', { connection: connection.id, bearer });
  const refused = { code: 'sign-in-refused' };

  it('have one form, and sign in with their scopes', async () => {
    for (let at = 0; at < 50; at++) assert.match(newApiToken(), /^wbt_[0-9A-Za-z]{43}$/);
    const { text, token } = await make();
    const session = await open(text);
    assert.deepEqual([session.login, session.scopes, session.factors], ['ada', ['files:read'], ['token']]);
    assert.equal(scene.store.token(token.id)?.lastUsed, scene.base.now);
    const [entry] = scene.of('sign-in');
    assert.deepEqual(
      [entry?.factors, entry?.credentials, entry?.descriptions],
      [['token'], [token.id], ['token "ci"']],
    );
    const [added] = scene.of('changed').filter(({ action }) => action === 'token.add');
    assert.deepEqual([added?.actor, added?.credential], ['root', token.id]);
    assert.ok(!JSON.stringify(scene.entries).includes(text));
  });

  it('are refused when unknown, expired, suspended, removed, from elsewhere or of a suspended account', async () => {
    await assert.rejects(open(newApiToken()), refused);
    await assert.rejects(open('wbt_x'), refused);
    const bound = await make({ addresses: '203.0.113.0/24' });
    await assert.rejects(open(bound.text), refused);
    assert.equal((await open(bound.text, scene.connect('203.0.113.8'))).login, 'ada');
    const dated = await make({ expires: scene.base.now + 1000 });
    const { session } = await open(dated.text);
    scene.base.now += 1000;
    await assert.rejects(open(dated.text), refused);
    // What it opened ends with it.
    await assert.rejects(scene.call('web.sessions', { session }), { code: 'session-ended' });
    const { text, token } = await make();
    await scene.base.accounts.suspend('ada');
    await assert.rejects(open(text), refused);
    await scene.base.accounts.activate('ada');
    await scene.rooms.tokens.remove(token.id, BY);
    await assert.rejects(open(text), refused);
    const reasons = scene.of('sign-in-failed').map(({ reason }) => reason);
    assert.deepEqual(reasons, [
      'token-unknown',
      'token-unknown',
      'token-address',
      'token-expired',
      'account-suspended',
      'token-unknown',
    ]);
  });

  it('are suspended after long without use', async () => {
    const { text, token } = await make();
    const used = await make();
    scene.base.now += 60 * 86_400_000;
    await open(used.text);
    scene.base.now += 31 * 86_400_000;
    await assert.rejects(open(text), refused);
    assert.equal(await scene.rooms.tokens.suspendIdle(), 1);
    assert.equal(await scene.rooms.tokens.suspendIdle(), 0);
    assert.notEqual(scene.store.token(token.id)?.suspended, null);
    assert.equal(scene.of('containment')[0]?.action, 'token.suspend');
    assert.equal((await open(used.text)).login, 'ada');
  });

  it('overlap while one takes the place of the other, and never three', async () => {
    const first = await make();
    const next = newApiToken();
    const { token } = await scene.rooms.tokens.renew(first.token.id, print(next), 3600, BY);
    assert.equal((await open(first.text)).login, 'ada');
    assert.equal((await open(next)).login, 'ada');
    await assert.rejects(scene.rooms.tokens.renew(first.token.id, print(newApiToken()), 3600, BY), {
      code: 'already-exists',
    });
    const last = newApiToken();
    const { ended } = await scene.rooms.tokens.renew(token.id, print(last), 3600, BY);
    assert.deepEqual(ended, [first.token.id]);
    await assert.rejects(open(first.text), refused);
    assert.equal((await open(next)).login, 'ada');
    scene.base.now += 3_600_000;
    await assert.rejects(open(next), refused);
    assert.equal((await open(last)).login, 'ada');
  });

  it('cannot be given what they may not have', async () => {
    const invalid = { code: 'option-invalid' };
    await assert.rejects(make({ scopes: ['admin'] }), invalid);
    await assert.rejects(make({ scopes: [] }), invalid);
    await assert.rejects(make({ scopes: ['files:all'] }), invalid);
    await assert.rejects(make({ addresses: 'example.com' }), invalid);
    await assert.rejects(make({ fingerprint: 'SHA256:short' }), invalid);
    await assert.rejects(make({ expires: scene.base.now }), invalid);
    const { text } = await make();
    await assert.rejects(make({ fingerprint: print(text) }), { code: 'already-exists' });
  });

  it('change nothing about how people sign in', async () => {
    const { text } = await make();
    const { session } = await open(text);
    for (const call of [
      'web.sessions',
      'web.sign-out',
      'web.recovery-codes',
      'web.register-options',
      'web.step-up-options',
    ] as const)
      await assert.rejects(scene.call(call, { session }), { code: 'call-forbidden' });
  });

  it('of several people come over one connection, each with a session of its own', async () => {
    await scene.base.account('ben');
    const [one, two] = [await make(), await make({ login: 'ben' })];
    const connection = scene.connect();
    const [first, second] = [await open(one.text, connection), await open(two.text, connection)];
    assert.equal(connection.sessions.size, 2);
    scene.connections.end(({ account }) => account === first.account, 'suspended');
    assert.deepEqual(scene.told.at(-1), { connection: connection.id, reason: 'suspended', session: first.session });
    assert.deepEqual(
      [...connection.sessions].map(({ login }) => login),
      ['ben'],
    );
    scene.connections.close(connection, 'gone');
    assert.equal(scene.connections.list().length, 0);
    assert.equal(second.login, 'ben');
  });
});
