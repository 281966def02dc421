/** Signing in over the door, as pages do it; and what other pages must not be able to do with it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { after, before, suite, test } from 'node:test';
import { Authenticator } from '../../accounts/web/authenticator.ts';
import { ORIGIN } from '../../accounts/web/scene.ts';
import { cookieIn, DoorScene } from './web-scene.ts';

suite('signing in over HTTPS', () => {
  let scene: DoorScene;
  let authenticator: Authenticator;
  before(async () => {
    scene = await DoorScene.open();
    ({ authenticator } = await scene.web.enrolled('anna'));
  });
  after(() => scene.close());

  test('by passkey: a new cookie with every attribute, and a session that is asked for once', async () => {
    const browser = scene.browser();
    const answer = await browser.passkey(authenticator);
    assert.equal(answer.status, 200);
    const { result, account } = answer.json<{ result: string; account: Record<string, unknown> }>();
    assert.deepEqual([result, account['login'], account['factors']], ['success', 'anna', ['passkey']]);
    assert.match(
      answer.headers['set-cookie']?.[0] ?? '',
      /^__Host-waybill=wbs_[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const cookie = cookieIn(answer) ?? '';
    assert.ok(!answer.text.includes(cookie));
    const signIns = scene.web.of('sign-in').length;
    const mine = await browser.ask('GET', '/api/v1/account', { cookie });
    assert.deepEqual(mine.json(), account);
    assert.equal(scene.web.of('sign-in').length, signIns);
    await scene.browser().ask('GET', '/api/v1/account', { cookie });
    assert.equal(scene.web.of('sign-in').length, signIns + 1);
  });

  test('password and code; the answers for somebody who is not there are the same', async () => {
    const code = await scene.web.withPassword('carl');
    const tries = async (login: string, password: string) => {
      const browser = scene.browser();
      const flow = await browser.start();
      const first = await browser.post('sign-in/password', { flow, login, password });
      return { browser, flow, first };
    };
    const [wrong, nobody] = [await tries('carl', 'a wrong one'), await tries('nobody', 'a wrong one')];
    const ofDate = (of: typeof wrong) => ({ ...of.first.headers, date: '' });
    assert.deepEqual([wrong.first.text, ofDate(wrong)], [nobody.first.text, ofDate(nobody)]);
    const { browser, flow, first } = await tries('carl', 'correct horse battery staple');
    assert.deepEqual(first.json(), { result: 'failure', methods: ['totp', 'recovery'], partial: true });
    assert.equal(cookieIn(first), null);
    const done = await browser.post('sign-in/totp', { flow, code: code().toString() });
    assert.equal(done.json()['result'], 'success');
    assert.deepEqual((await browser.post('sign-in/totp', { flow, code: '123456' })).json()['result'], 'over');
  });

  test('an enrolment: its secret, a passkey, ten codes, and no session', async () => {
    const account = await scene.web.base.account('dora', [['password', 'totp']]);
    const { secret } = await scene.web.rooms.enrolments.issue(account, { actor: '', approvedBy: '' });
    const browser = scene.browser();
    const started = await browser.post('enrolment/start', { secret });
    const { flow, login } = started.json<{ flow: string; login: string }>();
    assert.equal(login, 'dora');
    const options = await browser.post('enrolment/passkey-options', { flow });
    const response = new Authenticator().create(options.json(), ORIGIN);
    const done = await browser.post('enrolment/passkey', { flow, label: 'phone', response });
    assert.equal(done.json<{ recovery: string[] }>().recovery.length, 10);
    assert.equal(cookieIn(done), null);
    assert.equal((await browser.post('enrolment/start', { secret })).status, 401);
  });

  test('signing out takes the cookie back, and it is worth nothing from then on', async () => {
    const browser = scene.browser();
    const cookie = await browser.signedIn(authenticator);
    const out = await browser.post('account/sign-out', undefined, { cookie });
    assert.equal(out.status, 204);
    assert.match(out.headers['set-cookie']?.[0] ?? '', /^__Host-waybill=; Max-Age=0; Path=\/; Secure; HttpOnly/);
    assert.equal((await browser.ask('GET', '/api/v1/account', { cookie })).status, 401);
    assert.equal((await scene.browser().ask('GET', '/api/v1/account', { cookie })).status, 401);
  });

  test('a page stands for longer than a connection may without signing in, and a step under way is answered', async (t) => {
    const hasty = await DoorScene.open({ graceMilliseconds: 200 });
    t.after(() => hasty.close());
    const { authenticator: hers } = await hasty.web.enrolled('anna');
    const slow = connect({ host: '127.0.0.1', port: hasty.port, ca: hasty.certificate, servername: 'localhost' });
    slow.setEncoding('utf8');
    await once(slow, 'secureConnect');
    const fields = `Host: ${new URL(ORIGIN).host}\r\nOrigin: ${ORIGIN}\r\nContent-Type: application/json`;
    slow.write(`POST /api/v1/enrolment/start HTTP/1.1\r\n${fields}\r\nContent-Length: 15\r\n\r\n{"secret"`);
    const idle = connect({ host: '127.0.0.1', port: hasty.port, ca: hasty.certificate, servername: 'localhost' });
    // Two looks after it was due the other one is gone; this one is still to be answered.
    await once(idle.resume(), 'close');
    slow.write(':"no"');
    let answer = '';
    slow.on('data', (text: string) => (answer += text)).write('}');
    await once(slow, 'close');
    assert.match(answer, /^HTTP\/1\.1 401 [\s\S]*sign-in-refused/);
    assert.equal((await hasty.browser().passkey(hers)).json()['result'], 'success');
  });

  test('nobody is signed in, or enrolled, by a page of somebody else', async () => {
    const browser = scene.browser();
    const flow = await browser.start();
    const pages = ['cross-site', 'same-site', 'none'].map((site) => ({ 'sec-fetch-site': site, origin: ORIGIN }));
    const origins = ['https://evil.example', 'null'].map((origin) => ({ origin }));
    for (const path of ['sign-in/start', 'sign-in/password', 'sign-in/passkey', 'sign-in/totp', 'enrolment/start'])
      for (const headers of [...pages, ...origins, {}]) {
        const answer = await scene.browser(headers).post(path, { flow });
        assert.deepEqual(
          [answer.status, answer.json()['code']],
          [403, 'origin-refused'],
          `${path} ${JSON.stringify(headers)}`,
        );
      }
  });
});
