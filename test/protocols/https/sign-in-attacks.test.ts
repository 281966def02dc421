/** What somebody tries who is not the person: from other pages, with planted cookies, with answers that were seen before. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import type { Operation } from '../../../src/api/operation.ts';
import { OPERATIONS } from '../../../src/api/operations.ts';
import { newApiToken, hashApiToken } from '../../../src/accounts/web/api-token.ts';
import { newId } from '../../../src/base/ids.ts';
import { nextPage } from '../../../src/portal/next.js';
import { Authenticator } from '../../accounts/web/authenticator.ts';
import type { Lies } from '../../accounts/web/authenticator.ts';
import { ORIGIN, OTHER_ORIGIN } from '../../accounts/web/scene.ts';
import { cookieIn, DoorScene } from './web-scene.ts';
import type { Browser } from './web-scene.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const CHANGING = Object.entries<Operation>(OPERATIONS).filter(([, { method }]) => !SAFE.has(method));
const at = (path: string): string => path.replace('{path}', 'in/x').replace('{id}', 'a'.repeat(32));
/** Nobody is signed in by these, and no cookie counts: a program asks, and gets nothing that is anybody's. */
const FOR_PROGRAMS = /^login\./;

const FOREIGN: readonly Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
  { 'sec-fetch-site': 'same-site', origin: 'https://sub.files.example.com' },
  { 'sec-fetch-site': 'none' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
  {},
];

suite('attacks on signing in over HTTPS', () => {
  let scene: DoorScene;
  let anna: Authenticator;
  let browser: Browser;
  before(async () => {
    scene = await DoorScene.open();
    ({ authenticator: anna } = await scene.web.enrolled('anna'));
    browser = scene.browser();
  });
  after(() => scene.close());

  const foreign = (headers: Record<string, string>): Browser => scene.browser(headers);
  const account = (cookie: string) => scene.browser().ask('GET', '/api/v1/account', { cookie });

  test('no page of another origin changes anything by the cookie, on any address', async () => {
    const cookie = await browser.signedIn(anna);
    // Every operation with the main ways to be foreign; all ways are below, and in parsers.test.ts.
    const pages = [FOREIGN[0], FOREIGN[5], FOREIGN[6]].map((headers) => foreign(headers ?? {}));
    const asked = CHANGING.filter(([, { scope }]) => scope !== null);
    assert.ok(asked.length > 15);
    for (const [id, { method, path: where }] of asked)
      for (const page of pages) {
        const answer = await page.ask(method, at(where), { cookie, json: {} });
        assert.deepEqual([answer.status, answer.json()['code']], [403, 'origin-refused'], id);
      }
    assert.equal((await account(cookie)).status, 200);
  });

  test('what needs nobody signed in and changes something is for our own pages, whatever it is', async () => {
    const open = CHANGING.filter(([id, { scope }]) => scope === null && !FOR_PROGRAMS.test(id));
    assert.ok(open.length > 10);
    for (const [id, { page, path: where, method }] of open) {
      assert.equal(page, true, id);
      for (const headers of FOREIGN)
        assert.equal((await foreign(headers).ask(method, at(where), { json: {} })).status, 403, id);
    }
  });

  test('forms and other bodies that a page may send anywhere without asking are not read', async () => {
    const flow = await browser.start();
    const text = JSON.stringify({ flow, login: 'anna', password: 'x' });
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonx',
    ]) {
      const answer = await browser.post('sign-in/password', JSON.parse(text), { headers: { 'content-type': type } });
      assert.equal(answer.json()['code'], 'request-invalid', type);
    }
  });

  test('a planted cookie stays what it was: signing in makes another', async () => {
    const mallory = await scene.web.enrolled('mallory');
    const planted = await scene.browser().signedIn(mallory.authenticator);
    for (const cookie of [planted, 'wbs_'.padEnd(47, 'A')]) {
      const flow = (await browser.post('sign-in/start', undefined, { cookie })).json<{ flow: string }>().flow;
      const asked = await browser.post('sign-in/passkey-options', { flow }, { cookie });
      const response = anna.get(asked.json(), ORIGIN);
      const made = cookieIn(await browser.post('sign-in/passkey', { flow, response }, { cookie }));
      assert.ok(made !== null && made !== cookie);
      assert.equal((await account(made)).json()['login'], 'anna');
      const before = await account(cookie);
      if (cookie === planted) assert.equal(before.json()['login'], 'mallory');
      else assert.equal(before.status, 401);
    }
    const both = `__Host-waybill=${planted}; __Host-waybill=${await browser.signedIn(anna)}`;
    for (const cookie of [both, both.split('; ').reverse().join('; ')])
      assert.equal((await scene.browser().ask('GET', '/api/v1/account', { headers: { cookie } })).status, 401);
    const flow = await browser.start();
    for (const text of [`__Host-waybill=${flow}`, `__Secure-waybill=${planted}`, `waybill=${planted}`])
      assert.equal((await scene.browser().ask('GET', '/api/v1/account', { headers: { cookie: text } })).status, 401);
  });

  test('an answer of a passkey counts once, for its own question, sign-in, origin and host name', async () => {
    const options = async (flow: string) =>
      (await browser.post('sign-in/passkey-options', { flow })).json<{ challenge: string; rpId: string }>();
    const send = async (flow: string, response: unknown) =>
      (await browser.post('sign-in/passkey', { flow, response })).json()['result'];
    const flow = await browser.start();
    const seen = anna.get(await options(flow), ORIGIN);
    assert.equal(await send(flow, seen), 'success');
    assert.equal(await send(flow, seen), 'over');
    const [one, two] = [await browser.start(), await browser.start()];
    assert.equal(await send(one, seen), 'failure');
    const [asked] = [await options(one), await options(two)];
    assert.equal(await send(two, anna.get(asked, ORIGIN)), 'failure');
    const lies: Lies[] = [
      { origin: 'https://evil.example' },
      { origin: `${ORIGIN}:8443` },
      { origin: ORIGIN.replace('https', 'http') },
      { rpId: 'evil.example' },
      { rpId: 'example.com' },
      { type: 'webauthn.create' },
      { crossOrigin: true },
      { flags: 0x01 },
    ];
    for (const lie of lies) {
      const other = await scene.browser().start();
      assert.equal(await send(other, anna.get(await options(other), ORIGIN, lie)), 'failure', JSON.stringify(lie));
    }
    assert.equal(await send(two, anna.get(await options(two), ORIGIN)), 'success');
  });

  test('a sign-in under way is of the source that began it, and of the steps it is made of', async () => {
    const flow = await browser.start();
    scene.from = '198.51.100.9';
    const elsewhere = scene.browser();
    const refused = await elsewhere.post('sign-in/passkey-options', { flow });
    assert.equal(refused.json()['code'], 'sign-in-refused');
    const guess = { flow, login: 'anna', password: 'x' };
    assert.equal((await elsewhere.post('sign-in/password', guess)).json()['result'], 'over');
    scene.from = '192.0.2.7';
    assert.equal((await scene.browser().post('sign-in/passkey-options', { flow })).status, 200);
    // A flow of the one kind is none of the other.
    assert.equal((await browser.post('enrolment/passkey-options', { flow })).status, 401);
    assert.equal((await browser.post('enrolment/password', { flow, password: 'vivid pelican drum' })).status, 401);
    const created = await scene.web.base.account('erin', [['password', 'totp']]);
    const { secret } = await scene.web.rooms.enrolments.issue(created, { actor: '', approvedBy: '' });
    const enrolling = (await browser.post('enrolment/start', { secret })).json<{ flow: string }>().flow;
    assert.equal((await browser.post('sign-in/passkey-options', { flow: enrolling })).status, 401);
    const step = { flow: enrolling, login: 'erin', password: 'x' };
    assert.equal((await browser.post('sign-in/password', step)).json()['result'], 'over');
  });

  test('at a host that is not ours nobody begins anything', async () => {
    for (const host of ['evil.example', 'files.example.com:444', 'files.example.com.evil.example', '192.0.2.1']) {
      const there = scene.browser({ 'sec-fetch-site': 'same-origin', origin: `https://${host}` });
      const answer = await there.post('sign-in/start', undefined, { headers: { host } });
      assert.equal(answer.json()['code'], 'origin-refused', host);
      const enrol = await there.post('enrolment/start', { secret: 'x' }, { headers: { host } });
      assert.equal(enrol.json()['code'], 'origin-refused', host);
      const cookie = await browser.signedIn(anna);
      assert.equal((await there.ask('GET', '/api/v1/account', { cookie, headers: { host } })).status, 403);
    }
    // Another of ours has other passkeys: the answer of one host name opens nothing at the other.
    const { host } = new URL(OTHER_ORIGIN);
    const other = scene.browser({ 'sec-fetch-site': 'same-origin', origin: OTHER_ORIGIN, host });
    const flow = await other.start();
    const options = (await other.post('sign-in/passkey-options', { flow })).json<{ challenge: string; rpId: string }>();
    const response = anna.get(options, ORIGIN);
    assert.equal((await other.post('sign-in/passkey', { flow, response })).json()['result'], 'failure');
  });

  test('five minutes after the factor was shown, what signs in cannot be changed without showing it again', async () => {
    const cookie = await browser.signedIn(anna);
    const changes: [string, string, unknown?][] = [
      ['POST', '/api/v1/account/passkey-options'],
      ['POST', '/api/v1/account/recovery-codes'],
      ['DELETE', `/api/v1/account/passkeys/${'a'.repeat(32)}`],
      ['POST', '/api/v1/account/passkeys', { label: 'x', response: new Authenticator().create(FAKE, ORIGIN) }],
    ];
    scene.web.base.now += 5 * 60_000;
    for (const [method, where, json] of changes) {
      const answer = await browser.ask(method, where, { cookie, json });
      assert.deepEqual([answer.status, answer.json()['code']], [403, 'step-up-needed'], where);
    }
    const asked = (await browser.post('account/step-up-options', undefined, { cookie })).json<{
      challenge: string;
      rpId: string;
    }>();
    const mallory = new Authenticator();
    for (const wrong of [mallory.get(asked, ORIGIN), anna.get({ ...asked, challenge: 'AAAA' }, ORIGIN)])
      assert.deepEqual((await browser.post('account/step-up', { passkey: wrong }, { cookie })).json(), {
        result: 'failure',
      });
    const again = (await browser.post('account/step-up-options', undefined, { cookie })).json<{
      challenge: string;
      rpId: string;
    }>();
    const shown = { passkey: anna.get(again, ORIGIN) };
    assert.equal((await browser.post('account/step-up', shown, { cookie })).json()['result'], 'success');
    assert.equal((await browser.post('account/step-up', shown, { cookie })).json()['result'], 'failure');
    assert.equal((await browser.post('account/passkey-options', undefined, { cookie })).status, 200);
  });

  test('whoever removes the passkey of a session loses the session, and another account has none of it', async () => {
    const { authenticator } = await scene.web.enrolled('frank');
    const cookie = await browser.signedIn(authenticator);
    const annas = await browser.signedIn(anna);
    const { passkeys } = (await browser.ask('GET', '/api/v1/account/credentials', { cookie })).json<{
      passkeys: { id: string }[];
    }>();
    const { sessions } = (await browser.ask('GET', '/api/v1/account/sessions', { cookie })).json<{
      sessions: { id: string }[];
    }>();
    const passkey = `/api/v1/account/passkeys/${passkeys[0]?.id ?? ''}`;
    const session = `/api/v1/account/sessions/${sessions[0]?.id ?? ''}`;
    for (const where of [passkey, session])
      assert.equal((await browser.ask('DELETE', where, { cookie: annas })).status, 404, where);
    assert.equal((await browser.ask('DELETE', passkey, { cookie })).status, 204);
    assert.equal((await browser.ask('GET', '/api/v1/account', { cookie })).status, 401);
  });

  test('a token is nobody who could change how a person signs in', async () => {
    const id = scene.web.base.store.accountByLogin('anna')?.id ?? '';
    const token = newApiToken();
    await scene.web.store.write(() => {
      scene.web.store.addToken({
        ...{ id: newId(), account: id, label: 'x', hash: hashApiToken(token) ?? Buffer.alloc(0) },
        ...{ scopes: ['files:read'], addresses: null, created: scene.web.base.now, expires: null },
        ...{ lastUsed: null, suspended: null, successor: null },
      });
    });
    const headers = { authorization: `Bearer ${token}` };
    const mine = await browser.ask('GET', '/api/v1/account', { headers });
    assert.deepEqual([mine.json()['login'], mine.json()['factors'], mine.json()['strong']], ['anna', ['token'], null]);
    for (const [method, where] of [
      ['POST', 'sign-out'],
      ['GET', 'sessions'],
      ['GET', 'credentials'],
      ['DELETE', `sessions/${'a'.repeat(32)}`],
      ['POST', 'step-up-options'],
      ['POST', 'passkey-options'],
      ['POST', 'recovery-codes'],
    ] as const) {
      const answer = await browser.ask(method, `/api/v1/account/${where}`, { headers });
      assert.deepEqual([answer.status, answer.json()['code']], [403, 'call-forbidden'], where);
    }
  });

  test('pages are in no frame, run no script but their own, and hold nothing of a request', async () => {
    const pages = Object.entries<Operation>(OPERATIONS).filter(([, { answers }]) =>
      answers.some(({ type }) => type === 'text/html'),
    );
    assert.ok(pages.length >= 4);
    for (const [id, { path: where }] of pages) {
      const { headers, status, text } = await browser.ask('GET', where);
      const policy = String(headers['content-security-policy']);
      assert.equal(status, 200);
      assert.match(policy, /default-src 'none'.*frame-ancestors 'none'/, id);
      assert.doesNotMatch(policy, /unsafe|\*|data:|http/, id);
      assert.deepEqual([headers['x-frame-options'], headers['referrer-policy']], ['DENY', 'no-referrer'], id);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      if (id.startsWith('page.')) assert.match(policy, /require-trusted-types-for 'script'/, id);
      assert.doesNotMatch(text, /<script(?! type="module" src="\/portal\/)|\son\w+=|style=|"javascript:/i, id);
      assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /(src|href)="(https?:)?\/\//, id);
    }
    for (const where of ['%2e%2e%2fapi.js', '..', '.', 'sign-in.html', 'tsconfig.json', 'constructor', '__proto__'])
      assert.equal((await browser.ask('GET', `/portal/${where}`)).status, 404, where);
    assert.equal((await browser.ask('GET', '/')).headers.location, '/sign-in');
    const planted = await browser.ask('GET', '/sign-in?next=%22%3E%3Cscript%3Eplanted%3C/script%3E');
    assert.doesNotMatch(planted.text, /planted/);
  });

  test('scripts of pages make no markup of text', () => {
    const folder = path.join(import.meta.dirname, '..', '..', '..', 'src', 'portal');
    for (const file of globSync('*.js', { cwd: folder }))
      assert.doesNotMatch(
        readFileSync(path.join(folder, file), 'utf8'),
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|localStorage/,
        file,
      );
  });

  test('nothing that signs in is in the log', () => {
    assert.doesNotMatch(scene.log.join('\n'), /wb[fset]_|vivid pelican/);
  });
});

const FAKE = { challenge: 'AAAA', rp: { id: 'files.example.com' }, user: { id: 'AAAA' } };

suite('where to after signing in', () => {
  const origin = 'https://files.example.com';
  const next = (wish: string): string => nextPage(`?next=${encodeURIComponent(wish)}`, origin);

  test('only to pages that are named', () => {
    assert.equal(nextPage('', origin), '/account');
    assert.equal(next('/device?code=ABCD-EFGH'), '/device?code=ABCD-EFGH');
    assert.equal(next(`${origin}/account`), '/account');
    for (const wish of [
      'https://evil.example/account',
      '//evil.example/account',
      '/\\evil.example/account',
      '\\\\evil.example/account',
      '/\t/evil.example/account',
      'https:evil.example',
      'javascript:alert(1)',
      'data:text/html,x',
      'blob:https://files.example.com/account',
      'https://files.example.com@evil.example/account',
      'https://files.example.com:8443/account',
      'http://files.example.com/account',
      '/api/v1/content/in/evil.html',
      '/account/../api/v1/files/',
      '/enrol',
      '/sign-in?next=/sign-in',
      '',
      '://',
    ])
      assert.equal(next(wish), '/account', wish);
  });

  test('whatever is asked for, it is a path of ours', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.webPath()), (wish) => {
        assert.match(next(wish), /^\/(account|device|api)(\?|$)/);
        assert.equal(new URL(next(wish), origin).origin, origin);
      }),
    );
  });
});
