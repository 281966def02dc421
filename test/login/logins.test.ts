/** `waybill login` in the broker: what it gives to whom, and what it gives to nobody. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { hashApiToken, newApiToken } from '../../src/accounts/web/api-token.ts';
import { newId } from '../../src/base/ids.ts';
import { callsOf } from '../../src/broker/calls.ts';
import { ed25519Client } from '../accounts/scene.ts';
import { asSent, ORIGIN } from '../accounts/web/scene.ts';
import { certificateOf, HERE, LoginScene } from './scene.ts';

const PENDING = { code: 'login-pending' };
const EXPIRED = { code: 'login-expired' };
const TOO_FAST = { code: 'login-too-fast' };

describe('waybill login', () => {
  let scene: LoginScene;
  const open = (...elsewhere: string[]): LoginScene => (scene = new LoginScene(elsewhere));
  afterEach(() => {
    scene.close();
  });

  it('gives a certificate for the key that asked, of whoever confirms, good from the address that asked', async () => {
    open();
    const asked = await scene.ask({ hours: 3 });
    assert.match(asked.userCode, /^[B-Z]{4}-[B-Z]{4}$/);
    assert.equal(asked.origin, ORIGIN);
    await assert.rejects(scene.token(asked), PENDING);
    const session = await scene.person('anna');
    const shown = await scene.call('login.show', { session, userCode: asked.userCode.toLowerCase() });
    assert.deepEqual(
      [shown.address, shown.browser, shown.elsewhere, shown.allowed, shown.client, shown.fingerprint, shown.hours],
      [HERE, HERE, false, true, 'waybill', asked.fingerprint, 3],
    );
    const { serial } = await scene.confirm(session, shown);
    const answer = await scene.token(asked);
    const certificate = certificateOf(answer);
    assert.ok(certificate.key.blob.equals(scene.laptop.public.blob));
    assert.deepEqual(certificate.principals, ['anna']);
    assert.equal(certificate.criticalOptions.get('source-address')?.subarray(4).toString(), HERE);
    assert.deepEqual([answer.serial, answer.login, answer.tenant, answer.sftpPort], [serial, 'anna', 'acme', 2022]);
    assert.equal(Date.parse(answer.until), scene.web.base.now - 2000 + 3 * 3_600_000);
    const [entry] = scene.changes('certificate.issue');
    assert.deepEqual([entry?.actor, entry?.account], ['anna', scene.web.base.accounts.get('anna').id]);
    const detail = entry?.detail as Record<string, unknown>;
    assert.deepEqual([detail['factors'], detail['browser'], detail['client']], [['passkey'], HERE, 'waybill']);
  });

  it('answers once, to who asked, from where it was asked', async () => {
    open();
    const asked = await scene.ask();
    await scene.confirm(await scene.person('anna'), asked);
    const other = scene.web.connect('192.0.2.8').id;
    await assert.rejects(scene.token({ ...asked, connection: other }), EXPIRED);
    await assert.rejects(scene.token({ ...asked, deviceCode: `wbd_${'A'.repeat(43)}` }), EXPIRED);
    await assert.rejects(scene.token({ ...asked, deviceCode: asked.userCode }), EXPIRED);
    // Another connection of the same machine is fine: connections are closed between two questions.
    await scene.token({ ...asked, connection: scene.web.connect(HERE).id });
    await assert.rejects(scene.token(asked), EXPIRED);
  });

  it('is over after ten minutes, confirmed or not', async () => {
    open();
    const [one, two] = [await scene.ask(), await scene.ask()];
    const session = await scene.person('anna');
    await scene.confirm(session, one);
    scene.pass(600);
    for (const asked of [one, two]) await assert.rejects(scene.token(asked), EXPIRED);
    await assert.rejects(scene.confirm(session, two), EXPIRED);
    assert.equal(scene.issued.length, 1);
  });

  it('is confirmed once, and not after it was refused', async () => {
    open();
    const [one, two] = [await scene.ask(), await scene.ask()];
    const session = await scene.person('anna');
    const both = await Promise.allSettled([scene.confirm(session, one), scene.confirm(session, one)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    assert.equal(scene.issued.length, 1);
    await scene.call('login.refuse', { session, userCode: two.userCode });
    await assert.rejects(scene.confirm(session, two), EXPIRED);
    await assert.rejects(scene.token(two), { code: 'login-denied' });
    await assert.rejects(scene.token(two), EXPIRED);
    const [entry] = scene.changes('login.refuse');
    assert.deepEqual((entry?.detail as Record<string, unknown>)['address'], HERE);
  });

  it('asks too early are slowed down', async () => {
    open();
    const asked = await scene.ask();
    const at = { connection: asked.connection, deviceCode: asked.deviceCode };
    await assert.rejects(scene.call('login.token', at), TOO_FAST);
    scene.pass(3);
    await assert.rejects(scene.call('login.token', at), TOO_FAST);
    scene.pass(12);
    await assert.rejects(scene.call('login.token', at), PENDING);
  });

  it('takes a strong factor that was shown after the request was made', async () => {
    open();
    const { authenticator } = await scene.web.enrolled('anna');
    const { session: live } = await scene.web.signedIn(authenticator);
    const { session } = live;
    scene.pass(60);
    const asked = await scene.ask();
    await assert.rejects(scene.confirm(session, asked), { code: 'step-up-needed' });
    const stepUp = async (): Promise<void> => {
      const options = await scene.web.call('web.step-up-options', { session });
      const passkey = asSent(authenticator.get(options, ORIGIN));
      assert.equal((await scene.web.call('web.step-up', { session, passkey })).result, 'success');
    };
    await stepUp();
    scene.pass(301);
    await assert.rejects(scene.confirm(session, asked), { code: 'permission-denied' });
    await stepUp();
    await scene.confirm(session, asked);
    await scene.token(asked);
  });

  it('is nothing that a token, a recovery code or a stranger confirms', async () => {
    open();
    const asked = await scene.ask();
    const account = await scene.web.base.account('robot');
    const text = newApiToken();
    const hash = hashApiToken(text);
    assert.ok(hash !== null);
    const times = { created: scene.web.base.now, expires: null, lastUsed: null, suspended: null, successor: null };
    const scopes = ['files:list', 'files:read', 'files:write', 'admin'] as const;
    await scene.web.store.write(() => {
      const made = { id: newId(), account: account.id, label: 't', hash, scopes, addresses: null, ...times };
      scene.web.store.addToken(made);
    });
    const { session } = await scene.web.call('web.session', { connection: scene.web.connect(HERE).id, bearer: text });
    for (const call of ['login.show', 'login.refuse', 'login.confirm'] as const)
      await assert.rejects(scene.call(call, { session, userCode: asked.userCode, fingerprint: asked.fingerprint }), {
        code: 'call-forbidden',
      });
    await assert.rejects(scene.confirm('f'.repeat(32), asked), { code: 'session-ended' });
    await assert.rejects(scene.token(asked), PENDING);
    assert.equal(scene.issued.length, 0);
  });

  it('with a recovery code nothing is confirmed', async () => {
    open();
    const code = await scene.web.withPassword('rita');
    const connection = scene.web.connect(HERE);
    const flow = await scene.web.start(connection);
    await scene.web.password(connection, flow, 'rita');
    const first = await scene.web.call('web.totp', { connection: connection.id, flow, code: code() });
    assert.ok(first.result === 'success');
    const { recovery } = await scene.web.call('web.recovery-codes', { session: first.session.session });
    const again = await scene.web.start(connection);
    await scene.web.password(connection, again, 'rita');
    const used = Buffer.from(recovery[0] ?? '');
    const second = await scene.web.call('web.recovery', { connection: connection.id, flow: again, code: used });
    assert.ok(second.result === 'success');
    const asked = await scene.ask();
    await assert.rejects(scene.confirm(second.session.session, asked));
    assert.equal(scene.issued.length, 0);
  });

  it('sent to somebody else as a link, it is refused, recorded, and over for who asked', async () => {
    open('198.51.100.0/24');
    const thief = await scene.ask({}, scene.web.connect('203.0.113.66'));
    const session = await scene.person('anna');
    const shown = await scene.call('login.show', { session, userCode: thief.userCode });
    assert.deepEqual([shown.elsewhere, shown.allowed, shown.address], [true, false, '203.0.113.66']);
    await assert.rejects(scene.confirm(session, thief), { code: 'login-elsewhere' });
    await assert.rejects(scene.confirm(session, thief), EXPIRED);
    await assert.rejects(scene.token(thief), { code: 'login-elsewhere' });
    assert.equal(scene.issued.length, 0);
    const detail = scene.changes('login.refuse')[0]?.detail as Record<string, unknown>;
    assert.deepEqual([detail['why'], detail['address'], detail['browser']], ['elsewhere', '203.0.113.66', HERE]);
    // The operator has named the machines of the computing centre.
    const server = await scene.ask({}, scene.web.connect('198.51.100.20'));
    await scene.confirm(await scene.person('bert'), server);
    const certificate = certificateOf(await scene.token(server));
    assert.equal(certificate.criticalOptions.get('source-address')?.subarray(4).toString(), '198.51.100.20');
  });

  it('asked for one person it is confirmed by no other; and it is always of who confirms', async () => {
    open();
    const asked = await scene.ask({ login: 'anna' });
    const [anna, otto] = [await scene.person('anna'), await scene.person('otto')];
    // For him it is not there at all: from where somebody else works is not his to read.
    await assert.rejects(scene.confirm(otto, asked), EXPIRED);
    await assert.rejects(scene.call('login.show', { session: otto, userCode: asked.userCode }), EXPIRED);
    await assert.rejects(scene.call('login.refuse', { session: otto, userCode: asked.userCode }), EXPIRED);
    await scene.confirm(anna, asked);
    assert.equal((await scene.token(asked)).login, 'anna');
    const open_ = await scene.ask();
    await scene.confirm(await scene.person('ida'), open_);
    assert.equal((await scene.token(open_)).login, 'ida');
  });

  it('codes cannot be guessed: an account has ten wrong ones in ten minutes, and that is recorded', async () => {
    open();
    const asked = await scene.ask();
    const [mallory, anna] = [await scene.person('mallory'), await scene.person('anna')];
    for (let count = 0; count < 10; count++)
      await assert.rejects(scene.call('login.show', { session: mallory, userCode: 'BBBB-BBBB' }), EXPIRED);
    // Now the right one is no better, and a new session of the same account neither.
    await assert.rejects(scene.call('login.show', { session: mallory, userCode: asked.userCode }), TOO_FAST);
    await assert.rejects(scene.confirm(mallory, asked), TOO_FAST);
    assert.equal(scene.changes('login.guessed').length, 1);
    await scene.confirm(anna, asked);
  });

  it('what the page has shown is what is confirmed', async () => {
    open();
    const asked = await scene.ask();
    const other = await scene.ask({ publicKey: ed25519Client().line });
    const session = await scene.person('anna');
    await assert.rejects(scene.confirm(session, { userCode: asked.userCode, fingerprint: other.fingerprint }), {
      code: 'request-invalid',
    });
    assert.equal(scene.issued.length, 0);
  });

  it('what is refused while the certificate is made is not lost: it waits on', async () => {
    open();
    const asked = await scene.ask();
    const session = await scene.person('anna');
    await scene.web.base.accounts.suspend('anna');
    await assert.rejects(scene.confirm(session, asked), { code: 'permission-denied' });
    assert.equal(scene.issued.length, 0);
    await assert.rejects(scene.token(asked), PENDING);
    await scene.web.base.accounts.activate('anna');
    await scene.confirm(session, asked);
    await scene.token(asked);
  });

  it('fronts name no connection and no session of another front', async () => {
    open();
    const foreign = scene.web.newFront(2);
    const connection = scene.web.connect(HERE).id;
    const start = { connection, publicKey: scene.laptop.line, client: '' };
    await assert.rejects(scene.call('login.start', start, foreign), { code: 'not-your-session' });
    const asked = await scene.ask();
    const session = await scene.person('anna');
    const { userCode, fingerprint, deviceCode } = asked;
    for (const ask of [
      scene.call('login.confirm', { session, userCode, fingerprint }, foreign),
      scene.call('login.show', { session, userCode }, foreign),
      scene.call('login.token', { connection: asked.connection, deviceCode }, foreign),
    ])
      await assert.rejects(ask, { code: 'not-your-session' });
    assert.deepEqual(
      Object.keys(callsOf('ssh')).filter((call) => call.startsWith('login.')),
      [],
    );
  });

  it('keys with options, no keys at all, times that nobody gets, and floods are refused at once', async () => {
    scene = new LoginScene([], { all: 10, network: 4, source: 2 });
    for (const publicKey of ['', 'ssh-ed25519 AAAA', `from="10.0.0.0/8" ${scene.laptop.line}`])
      await assert.rejects(scene.ask({ publicKey }), { code: 'option-invalid' });
    await assert.rejects(scene.ask({ hours: 9 }), { code: 'option-invalid' });
    await scene.ask({ hours: 8 });
    await scene.ask();
    await assert.rejects(scene.ask(), TOO_FAST);
    await scene.ask({}, scene.web.connect('198.51.100.1'));
  });
});
