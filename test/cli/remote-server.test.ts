/** A real server, and people elsewhere who have an address, a key to trust and a token: nothing of its data folder. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newApiToken } from '../../src/accounts/web/api-token.ts';
import { RemoteServer } from '../../src/cli/remote.ts';
import { Authenticator } from '../accounts/web/authenticator.ts';
import { fingerprintOf, ORIGIN, RealServer } from '../api/real-server.ts';
import { token } from '../broker/administration-scene.ts';
import type { Token } from '../broker/administration-scene.ts';
import { PROJECT, run } from '../interop/server.ts';

const WAYBILL = path.join(PROJECT, 'src/cli/waybill.ts');
const PAGE = { origin: ORIGIN, 'sec-fetch-site': 'same-origin' };

let real: RealServer;
let elsewhere: string;
let address: string;
let pin: string;
const opened: RemoteServer[] = [];

before(async () => {
  real = await RealServer.open();
  elsewhere = mkdtempSync(path.join(tmpdir(), 'waybill-elsewhere-'));
  address = `https://127.0.0.1:${real.port}`;
  pin = (await real.admin.call('server.status', {})).tlsKey ?? '';
});
after(async () => {
  for (const one of opened) one.close();
  await real.close();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** The command itself, in a folder and with a home of its own. */
function waybill(as: string, ...words: string[]): Promise<string> {
  const env = {
    ...{ HOME: elsewhere, XDG_CACHE_HOME: path.join(elsewhere, 'cache'), WAYBILL_SERVER: address, WAYBILL_TRUST: pin },
    WAYBILL_TOKEN_FILE: path.join(elsewhere, as),
  };
  return run(process.execPath, [WAYBILL, ...words], { cwd: elsewhere, env });
}

async function json(as: string, ...words: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await waybill(as, ...words, '--json')) as Record<string, unknown>;
}

function keep(name: string, text: string): void {
  writeFileSync(path.join(elsewhere, name), `${text}\n`, { mode: 0o600 });
}

/** The same in this process; one connection for as long as the test lives. */
function remote(text: string): RemoteServer {
  const one = new RemoteServer(
    { url: new URL(address), trust: pin },
    () => text,
    () => Promise.reject(new Error('no file')),
  );
  opened.push(one);
  return one;
}

async function page(target: string, body: unknown, cookie?: string) {
  const by = cookie === undefined ? null : { cookie };
  const answer = await real.ask('POST', `/api/v1/${target}`, { json: body, headers: PAGE, by });
  assert.ok(answer.status < 300, `${target}: ${answer.text}`);
  return { ...answer, json: JSON.parse(answer.text) as Record<string, unknown> };
}

describe('from the link of the first start to commands elsewhere', () => {
  it('the first administrator enrols, signs in, makes a token; the rest is commands with it', async () => {
    const secret = readFileSync(path.join(real.server.data, 'first', 'enrol'), 'utf8').trim();
    const phone = new Authenticator();
    const enrolment = (await page('enrolment/start', { secret })).json;
    assert.equal(enrolment['login'], 'administrator');
    const { flow } = enrolment;
    const creation = (await page('enrolment/passkey-options', { flow })).json;
    await page('enrolment/passkey', { flow, label: 'phone', response: phone.create(creation as never, ORIGIN) });

    const started = (await page('sign-in/start', {})).json;
    const request = (await page('sign-in/passkey-options', { flow: started['flow'] })).json;
    const response = phone.get(request as never, ORIGIN);
    const signedIn = await page('sign-in/passkey', { flow: started['flow'], response });
    const cookie = /^__Host-waybill=([^;]+);/.exec(signedIn.headers['set-cookie']?.[0] ?? '')?.[1];

    const made = await json('none', 'token', 'make', '--token-out', 'own');
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const wish = { label: 'laptop', fingerprint: made['fingerprint'], scopes: ['admin'], expires };
    await page('account/tokens', wish, cookie);
    const own = { cookie: cookie ?? '' };
    const spare = { ...wish, label: 'spare', fingerprint: fingerprintOf(newApiToken()), scopes: ['files:list'] };
    const { id } = (await page('account/tokens', spare, cookie)).json;
    const removed = await real.ask('DELETE', `/api/v1/account/tokens/${String(id)}`, { by: own, headers: PAGE });
    assert.equal(removed.status, 204);
    const listed = await real.ask('GET', '/api/v1/account/tokens', { by: own });
    const { tokens } = JSON.parse(listed.text) as { tokens: { label: string; expires: string }[] };
    assert.deepEqual(
      tokens.map(({ label, expires: end }) => [label, end]),
      [['laptop', expires]],
    );
    const bearer = readFileSync(path.join(elsewhere, 'own'), 'utf8').trim();
    const byToken = await real.ask('POST', '/api/v1/account/tokens', { by: { bearer }, json: spare });
    assert.match(byToken.text, /call-forbidden/);

    const status = await json('own', 'status');
    assert.deepEqual([status['pid'], status['tlsKey']], [real.server.child.pid, pin]);
    await waybill('own', 'tenant', 'add', 'acme', '--quota', '1G');
    await waybill('own', 'folder', 'add', 'acme/in');
    await waybill('own', 'account', 'add', 'anna', '--tenant', 'acme');
    await waybill('own', 'grant', 'add', 'anna', 'in', '--rights', 'list,read');
    const { administrators } = await json('own', 'administrator', 'list');
    assert.deepEqual(
      (administrators as Record<string, unknown>[]).map((row) => [row['name'], row['fingerprint'], row['account']]),
      [['administrator', null, true]],
    );
    await assert.rejects(waybill('own', 'tenant', 'remove', 'acme'), /ended with 4:[^]*directory-not-empty/);
    await assert.rejects(
      waybill('own', 'tenant', 'list', '--data', real.server.data, '--server', address),
      /ended with 2/,
    );
    await assert.rejects(
      waybill('own', 'tenant', 'list', '--trust', pin.replace('/', '/AAAA').slice(0, 51)),
      /ended with [25]/,
    );
  });

  it('investigates, makes packs and verifies there, from a copy of the ledger', async () => {
    const answer = await json('own', 'investigate', '--tenant', 'first');
    assert.ok(Array.isArray(answer['untouched']));
    const { key } = await json('own', 'ledger', 'key');
    const copy = path.join(elsewhere, 'cache', 'waybill', `127.0.0.1_${real.port}`, 'ledger');
    await waybill('own', 'verify', copy, '--key', String(key));
    await waybill('own', 'pack', 'first', '--out', 'first.pack');
    assert.match(await waybill('own', 'verify', 'first.pack', '--key', String(key)), /Verified/);
    const local = await real.admin.call('ledger.status', {});
    assert.equal(local.key, key);
  });
});

describe('who is refused elsewhere', () => {
  const newToken = (): Token => token();

  it('whoever has no scope for it, or is of a tenant; a token of nobody is answered like any other', async () => {
    await real.admin.call('tenant.add', { name: 'other', displayName: '' });
    const root = { tenant: 'other', login: 'root', displayName: '', administrator: true };
    await real.admin.call('account.add', root);
    const [plain, tenants] = [await real.token('first'), await real.token('root', ['files:list', 'admin'])];
    await assert.rejects(remote(plain.bearer).call('tenant.list', {}), { code: 'scope-missing' });
    await assert.rejects(remote(tenants.bearer).call('tenant.list', {}), { code: 'permission-denied' });
    const cookie = (await real.signIn('root')).cookie;
    const asked = await real.ask('POST', '/api/v1/admin/tenant.list', { json: {}, by: { cookie } });
    assert.equal(asked.status, 403);
    const cross = { 'sec-fetch-site': 'cross-site' };
    const forged = await real.ask('POST', '/api/v1/admin/tenant.list', { json: {}, by: { cookie }, headers: cross });
    assert.match(forged.text, /origin-refused/);
    const bodies = [newToken().token, `wbt_${'0'.repeat(43)}`].map(async (bearer) => {
      const { status, text } = await real.ask('POST', '/api/v1/admin/tenant.list', { json: {}, by: { bearer } });
      return [status, text];
    });
    const [one, other] = await Promise.all(bodies);
    assert.deepEqual(one, other);
    assert.equal(one?.[0], 401);
    // An administrator's token opens administration, and no files.
    const ada = newToken();
    await real.admin.call('administrator.add', { name: 'ada', fingerprint: ada.fingerprint });
    await remote(ada.token).call('tenant.list', {});
    const files = await real.ask('GET', '/api/v1/files/', { by: { bearer: ada.token } });
    assert.equal(files.status, 403);
    const mine = await real.ask('GET', '/api/v1/account', { by: { bearer: ada.token } });
    assert.equal((JSON.parse(mine.text) as { login: string }).login, 'ada');
    keep('ada', ada.token);
  });

  it('four eyes hold there as they do here, and the proposer has only two of them', async () => {
    const ben = newToken();
    // Two are there: ada, and the first administrator.
    const adding = waybill('ada', 'administrator', 'add', 'ben', '--fingerprint', ben.fingerprint);
    const reference = await adding.then(
      () => assert.fail('it happened at once'),
      (error: unknown) => /A-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(String(error))?.[0] ?? assert.fail(String(error)),
    );
    await assert.rejects(waybill('ada', 'approve', reference), /ended with 5/);
    await waybill('own', 'approve', reference);
    keep('ben', ben.token);
    const removed = remote(ben.token);
    await removed.call('tenant.list', {});
    const { sessions } = await real.admin.call('session.list', { login: null });
    assert.ok(sessions.some(({ login, protocol }) => login === 'ben' && protocol === 'https'));
    await remote(readFileSync(path.join(elsewhere, 'ada'), 'utf8').trim()).call('administrator.remove', {
      name: 'ben',
    });
    await assert.rejects(removed.call('tenant.list', {}), { code: 'sign-in-refused' });
    await assert.rejects(waybill('ben', 'tenant', 'list'), /ended with 5/);
    const after = (await real.admin.call('session.list', { login: null })).sessions;
    assert.ok(!after.some(({ login }) => login === 'ben'));
    // That he was there stands in the ledger, by the token that he showed.
    while ((await real.admin.call('ledger.status', {})).waiting > 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const told = JSON.stringify(await json('own', 'investigate', '--account', 'ben'));
    assert.match(told, /"login":"ben"[^}]*"factors":\["token"\]/);
    assert.ok(told.includes(ben.fingerprint));
  });

  it('an own token that is removed is out at once', async () => {
    const text = readFileSync(path.join(elsewhere, 'own'), 'utf8').trim();
    const one = remote(text);
    await one.call('tenant.list', {});
    const { tokens } = await real.admin.call('token.list', { login: 'administrator' });
    const own = tokens.find(({ fingerprint }) => fingerprint === fingerprintOf(text));
    await real.admin.call('token.remove', { token: own?.id ?? '' });
    await assert.rejects(one.call('tenant.list', {}), { code: 'sign-in-refused' });
  });
});
