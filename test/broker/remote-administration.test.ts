/** Administration by sessions over HTTPS, with the front in the hands of the test: who is let, as whom, and who is not. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tokenFingerprint } from '../../src/accounts/access-token.ts';
import type { Account } from '../../src/accounts/account.ts';
import { hashApiToken, newApiToken } from '../../src/accounts/web/api-token.ts';
import type { Scope } from '../../src/accounts/web/store.ts';
import { newId } from '../../src/base/ids.ts';
import type { Log } from '../../src/base/log.ts';
import type { AdminCallName, AdminRequest, AdminResponse } from '../../src/broker/admin-calls.ts';
import type { AdministrationParts } from '../../src/broker/administration-parts.ts';
import { administrationHandlers } from '../../src/broker/administration.ts';
import { FRONT_CALLS } from '../../src/broker/calls.ts';
import { Connections, NO_TENANT } from '../../src/broker/connections.ts';
import type { FrontEnd, LiveSession, WebIdentity } from '../../src/broker/connections.ts';
import { createDispatch } from '../../src/broker/dispatch.ts';
import { identifyFront } from '../../src/broker/front-handlers.ts';
import { OWN_TOKEN_CALLS } from '../../src/broker/own-token-calls.ts';
import { ownTokens } from '../../src/broker/own-tokens.ts';
import { RemoteAdministration } from '../../src/broker/remote-administration.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { AdministrationScene, IN, token } from './administration-scene.ts';
import type { Token } from './administration-scene.ts';

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const FILES: readonly Scope[] = ['files:list', 'files:read', 'files:write'];
const TABLE = { 'admin.call': FRONT_CALLS['admin.call'], ...OWN_TOKEN_CALLS };
const HOUR = 3_600_000;
/** Not in --admin-from. */
const ELSEWHERE = '203.0.113.9';

class Remote {
  readonly scene: AdministrationScene;
  readonly connections = new Connections(
    { startupOver: () => undefined, sessionOver: () => undefined, gone: () => undefined },
    SILENT,
  );
  readonly fronts = [1, 2].map((number) => newFront(number)) as [FrontEnd, FrontEnd];
  readonly parts: AdministrationParts;
  private readonly remote: RemoteAdministration;

  constructor(scene: AdministrationScene) {
    this.scene = scene;
    this.parts = { ...scene.parts, connections: this.connections };
    const { administrators, web } = this.parts;
    this.remote = new RemoteAdministration({
      ...{ administrators, web: web.parts.store, now: Date.now, log: SILENT },
      accounts: new SqliteAccounts(scene.world.database),
      takenFrom: (address) => address !== ELSEWHERE,
    });
    this.remote.open(administrationHandlers(this.parts));
  }

  /** Whatever a front likes to say. */
  say(front: FrontEnd, call: string, body: unknown): Promise<unknown> {
    const { web } = this.parts;
    const handlers = {
      'admin.call': ({ call: name, request }: { call: string; request?: unknown }, session: LiveSession) =>
        this.remote.call(session, name, request),
      ...ownTokens({ web: web.parts, tokens: web.tokens, connections: this.connections }),
    };
    return createDispatch(
      TABLE,
      handlers as never,
      identifyFront(front, this.connections) as never,
      SILENT,
    )(call, body);
  }

  async call<N extends AdminCallName>(by: LiveSession, call: N, request: AdminRequest<N>): Promise<AdminResponse<N>> {
    const front = by.connection.front;
    return (await this.say(front, 'admin.call', { session: by.session, call, request })) as AdminResponse<N>;
  }

  /** The reference under which an act waits. */
  async proposed<N extends AdminCallName>(by: LiveSession, call: N, request: AdminRequest<N>): Promise<string> {
    const error = await this.call(by, call, request).then(
      () => new Error(`${call} happened at once`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof Error && 'code' in error && error.code === 'approval-needed', String(error));
    return /A-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(error.message)?.[0] ?? '';
  }

  /** As web.session makes it of a browser's cookie. */
  async browser(
    account: Account,
    strong: number | null = Date.now(),
    factors = ['passkey'],
    scopes: readonly Scope[] = [...FILES, 'admin'],
  ): Promise<LiveSession> {
    const { store } = this.parts.web.parts;
    const [id, now] = [newId(), Date.now()];
    const times = { begun: now, lastUsed: now, strong };
    const about = { credentials: [], descriptions: [], address: '192.0.2.1', client: 'test' };
    await store.write(() => {
      store.addSession({ id, hash: Buffer.alloc(32, id), account: account.id, factors, ...about, ...times });
    });
    return this.session(account, { factors, webSession: id, strong, scopes }, [id]);
  }

  /** As it makes it of an API token. */
  async byToken(account: Account, scopes: readonly Scope[]): Promise<LiveSession> {
    const wish = { login: account.login, label: 'x', fingerprint: print(), addresses: null, expires: null };
    const { id } = await this.parts.web.tokens.add({ ...wish, scopes }, { actor: '', approvedBy: '' });
    return this.session(account, { scopes, factors: ['token'] }, [id]);
  }

  /** As it makes it of an administrator's token. */
  byAdministrator({ token: text }: Token, address?: string): LiveSession {
    const { id, name, tokenHash } = this.parts.administrators.byToken(text);
    const nobody = { id, login: name, tenant: NO_TENANT };
    const web = { scopes: ['admin'] as const, factors: ['token'], administrator: { id, tokenHash } };
    return this.session(nobody, web, [id], address);
  }

  private session(
    { id, login, tenant }: Pick<Account, 'id' | 'login' | 'tenant'>,
    web: Partial<WebIdentity>,
    proofs: readonly string[],
    address = '192.0.2.1',
  ): LiveSession {
    const arrival = { address, port: 1, source: address, profile: 'https' } as const;
    const none = { webSession: null, origin: null, strong: null, ends: null, idle: null, refusals: 0 };
    const scopes: readonly Scope[] = [...FILES, 'admin'];
    return this.connections.signIn(this.connections.open(this.fronts[0], arrival), {
      ...{ session: newId(), account: id, tenant, login, tenantName: 'x', credential: 'x', proofs, marks: [] },
      web: { scopes, factors: [], ...none, ...web },
    });
  }
}

function newFront(number: number): FrontEnd {
  return { number, connections: new Set(), sessionEnded: () => undefined };
}

function print(): string {
  return tokenFingerprint(hashApiToken(newApiToken()) ?? Buffer.alloc(0));
}

async function account(scene: AdministrationScene, tenant: string, login: string, administrator: boolean) {
  const { tenants, accounts } = scene.parts;
  return accounts.create({ tenant: tenants.byName(tenant).id, login, displayName: '', administrator });
}

async function open(): Promise<Remote> {
  const scene = await AdministrationScene.open();
  await scene.call(null, 'tenant.add', { name: 'operator', displayName: '' });
  await scene.call(null, 'tenant.add', { name: 'acme', displayName: '' });
  await scene.call(null, 'folder.add', { tenant: 'acme', name: 'in' });
  await account(scene, 'acme', 'anna', false);
  return new Remote(scene);
}

const GRANT = { ...IN, rights: ['list' as const], policy: null };

describe('who administers over HTTPS', () => {
  let remote: Remote;
  let olga: Account;
  before(async () => {
    remote = await open();
    olga = await account(remote.scene, 'operator', 'olga', true);
  });
  after(() => remote.scene.close());

  it("an account of the operator's administrators, by browser and by token, under one name in the records", async () => {
    const [browser, byToken] = [await remote.browser(olga), await remote.byToken(olga, ['admin'])];
    assert.deepEqual(
      (await remote.call(browser, 'administrator.list', {})).administrators.map((row) => row.name),
      ['olga'],
    );
    await remote.call(browser, 'tenant.add', { name: 'b1', displayName: '' });
    await remote.call(byToken, 'tenant.remove', { name: 'b1' });
    const told = remote.scene.entries('changed').filter(({ detail }) => detail['name'] === 'b1');
    assert.deepEqual([...new Set(told.map(({ actor }) => actor))], ['olga']);
    const { administrators } = await remote.call(byToken, 'administrator.list', {});
    assert.deepEqual(
      administrators.map(({ name, fingerprint, account: has }) => [name, fingerprint, has]),
      [['olga', null, true]],
    );
  });

  it('nobody else: no account of a tenant, not even its administrator, no token without the scope', async () => {
    const root = await account(remote.scene, 'acme', 'root', true);
    const plain = await account(remote.scene, 'operator', 'plain', false);
    const list = (session: LiveSession) => remote.call(session, 'tenant.list', {});
    await assert.rejects(list(await remote.browser(root)), { code: 'permission-denied' });
    await assert.rejects(list(await remote.byToken(root, ['admin'])), { code: 'permission-denied' });
    await assert.rejects(list(await remote.browser(plain)), { code: 'permission-denied' });
    await assert.rejects(list(await remote.byToken(olga, ['files:list'])), { code: 'scope-missing' });
    // The same for calls that are none: nobody learns which there are.
    const none = remote.say(remote.fronts[0], 'admin.call', {
      ...{ session: (await remote.browser(root)).session, call: 'no.such', request: {} },
    });
    await assert.rejects(none, { code: 'permission-denied' });
  });

  it('a front says nothing about who calls: others’ sessions, further fields, calls of fronts are refused', async () => {
    const { session } = await remote.browser(olga);
    const [front, other] = remote.fronts;
    const call = { session, call: 'tenant.list', request: {} };
    await assert.rejects(remote.say(other, 'admin.call', call), { code: 'not-your-session' });
    for (const more of [{ administrator: 'ada' }, { token: 'x' }, { actor: 'ada' }, { connection: newId() }])
      await assert.rejects(remote.say(front, 'admin.call', { ...call, ...more }), { code: 'request-invalid' });
    await assert.rejects(remote.say(front, 'admin.call', { ...call, session: newId() }), { code: 'session-ended' });
    await assert.rejects(remote.say(front, 'admin.call', { ...call, call: 'hello' }), { code: 'call-unknown' });
    await assert.rejects(remote.say(front, 'admin.call', { ...call, call: '__proto__' }), { code: 'call-unknown' });
    await assert.rejects(remote.say(front, 'admin.call', { ...call, call: 'tenant.add' }), { code: 'request-invalid' });
    // What a request says of who asks is no part of it.
    const forged = { name: 'b2', displayName: '', actor: 'ada', administrator: { id: 'x' } };
    await remote.say(front, 'admin.call', { ...call, call: 'tenant.add', request: forged });
    assert.equal(remote.scene.entries('changed').at(-1)?.actor, 'olga');
  });

  it('a browser shows a strong factor for what may weaken and for what signs in; a recovery code does not do', async () => {
    const old = await remote.browser(olga, Date.now() - HOUR);
    await remote.call(old, 'tenant.list', {});
    const login = 'anna';
    for (const [call, request] of [
      ['grant.add', GRANT],
      ['account.password', { login, password: 'correct horse battery staple' }],
      ['account.totp-enrol', { login }],
      ['sign-in.enrol', { login }],
      ['approval.approve', { reference: 'A-00000-00000' }],
      ['administrator.add', { name: 'eve', fingerprint: token().fingerprint }],
    ] as const)
      await assert.rejects(remote.call(old, call, request), { code: 'step-up-needed' }, call);
    const recovered = await remote.browser(olga, Date.now(), ['password', 'recovery']);
    await assert.rejects(remote.call(recovered, 'grant.add', GRANT), { code: 'permission-denied' });
    await remote.call(await remote.browser(olga), 'grant.add', GRANT);
  });

  it('who copies the ledger is recorded, once for a copy', async () => {
    const session = await remote.byToken(olga, ['admin']);
    for (let calls = 0; calls < 3; calls++) await remote.call(session, 'ledger.list', { folder: 'heads', after: null });
    await remote.call(session, 'ledger.read', { files: ['vkey'], offset: 0 });
    const copies = remote.scene.entries('changed').filter(({ action }) => action === 'ledger.copy');
    assert.deepEqual(
      copies.map(({ actor }) => actor),
      ['olga'],
    );
    for (const file of [
      '../keys/root.key',
      'heads/../../keys/root.key',
      '/etc/passwd',
      'heads/.p',
      'keys/root.key',
      '',
    ])
      await assert.rejects(remote.call(session, 'ledger.read', { files: [file], offset: 0 }), {
        code: 'request-invalid',
      });
    for (const folder of ['..', 'heads/..', '/', 'logs/../..'])
      await assert.rejects(remote.call(session, 'ledger.list', { folder, after: null }), { code: 'request-invalid' });
  });

  it('what ends an account or its credential ends this, before the session is told', async () => {
    const { store } = remote.parts.web.parts;
    const rita = await account(remote.scene, 'operator', 'rita', true);
    const list = (session: LiveSession) => remote.call(session, 'tenant.list', {});
    const [browser, byToken] = [await remote.browser(rita), await remote.byToken(rita, ['admin'])];
    await store.write(() => {
      store.removeSession(browser.web?.webSession ?? '');
      store.removeToken(byToken.proofs[0] ?? '');
    });
    await assert.rejects(list(browser), { code: 'session-ended' });
    await assert.rejects(list(byToken), { code: 'session-ended' });
    const again = await remote.browser(rita);
    await list(again);
    await remote.parts.accounts.suspend('rita');
    await assert.rejects(list(again), { code: 'session-ended' });
  });
});

describe('four eyes over HTTPS', () => {
  let remote: Remote;
  let ada: Account;
  const tokens = { ada: token(), ben: token() };
  before(async () => {
    remote = await open();
    ada = await account(remote.scene, 'operator', 'ada', true);
    for (const name of ['ada', 'ben'] as const)
      await remote.scene.call(null, 'administrator.add', { name, fingerprint: tokens[name].fingerprint });
  });
  after(() => remote.scene.close());

  it('whoever proposes by one credential approves by none of them', async () => {
    const mine = [remote.byAdministrator(tokens.ada), await remote.browser(ada), await remote.byToken(ada, ['admin'])];
    for (const proposer of mine) {
      const reference = await remote.proposed(proposer, 'grant.add', GRANT);
      for (const one of mine)
        await assert.rejects(remote.call(one, 'approval.approve', { reference }), { code: 'permission-denied' });
      // Nor on the machine itself.
      const local = remote.scene.call(tokens.ada, 'approval.approve', { reference });
      await assert.rejects(local, { code: 'permission-denied' });
      await remote.call(remote.byAdministrator(tokens.ben), 'approval.deny', { reference });
    }
    const reference = await remote.proposed(mine[1] as LiveSession, 'grant.add', GRANT);
    await remote.call(remote.byAdministrator(tokens.ben), 'approval.approve', { reference });
    const decided = remote.scene.entries('changed').findLast(({ action }) => action === 'grant.add');
    assert.deepEqual([decided?.actor, decided?.approvedBy], ['ada', 'ben']);
    assert.equal(
      (await remote.call(remote.byAdministrator(tokens.ada), 'administrator.list', {})).administrators.length,
      2,
    );
  });

  it('nobody becomes a third one by an account alone, nor gets the account of another one', async () => {
    const carl = await account(remote.scene, 'operator', 'carl', true);
    await assert.rejects(remote.call(await remote.browser(carl), 'tenant.list', {}), { code: 'permission-denied' });
    const byAda = await remote.browser(ada);
    const password = 'correct horse battery staple';
    for (const login of ['carl', 'CARL'])
      for (const [call, request] of [
        ['sign-in.enrol', { login }],
        ['account.password', { login, password }],
        ['account.totp-enrol', { login }],
      ] as const)
        await assert.rejects(remote.call(byAda, call, request), { code: /^(permission-denied|not-found)$/ });
    for (const by of [null, tokens.ada])
      await assert.rejects(remote.scene.call(by, 'sign-in.enrol', { login: 'carl' }), { code: 'permission-denied' });
    const admin = { label: '', scopes: ['admin' as const], addresses: null, expires: null };
    const asked = { ...admin, login: 'carl', fingerprint: print() };
    await assert.rejects(remote.call(byAda, 'token.add', asked), { code: 'permission-denied' });
    await remote.call(byAda, 'token.add', { ...asked, scopes: ['files:read'] });
    // Two have agreed to the name; then he is one, by both, and sets his own.
    const his = token();
    const adding = { name: 'carl', fingerprint: his.fingerprint };
    const reference = await remote.proposed(byAda, 'administrator.add', adding);
    await remote.call(remote.byAdministrator(tokens.ben), 'approval.approve', { reference });
    await remote.call(await remote.browser(carl), 'tenant.list', {});
    await remote.call(remote.byAdministrator(his), 'sign-in.enrol', { login: 'carl' });
    const own = await remote.proposed(remote.byAdministrator(his), 'token.add', { ...asked, fingerprint: print() });
    await remote.call(byAda, 'approval.approve', { reference: own });
    const given = remote.parts.web.tokens.list('carl').find(({ token: one }) => one.scopes.includes('admin'));
    const renewing = { token: given?.token.id ?? '', fingerprint: print(), overlap: 0 };
    await assert.rejects(remote.call(byAda, 'token.renew', renewing), { code: 'permission-denied' });
    assert.equal(remote.parts.administrators.list().length, 3);
  });

  it('one that is removed, or has a new token, is out at once, with the account of the name', async () => {
    const his = token();
    const dan = await account(remote.scene, 'operator', 'dan', true);
    const adding = { name: 'dan', fingerprint: his.fingerprint };
    const byAda = remote.byAdministrator(tokens.ada);
    const reference = await remote.proposed(byAda, 'administrator.add', adding);
    await remote.call(remote.byAdministrator(tokens.ben), 'approval.approve', { reference });
    const first = remote.byAdministrator(his);
    const newer = token();
    const asked = { name: 'dan', fingerprint: newer.fingerprint };
    const open = remote.byAdministrator(his);
    // Durable, and its sessions not ended yet.
    await remote.parts.administrators.renew('dan', token().fingerprint, { actor: '', approvedBy: '' });
    await assert.rejects(remote.call(open, 'tenant.list', {}), { code: 'session-ended' });
    await remote.parts.administrators.renew('dan', his.fingerprint, { actor: '', approvedBy: '' });
    await remote.call(first, 'administrator.renew', asked);
    assert.equal(first.ended, 'the token of this session was renewed');
    await assert.rejects(remote.call(first, 'tenant.list', {}), { code: 'session-ended' });
    const [second, browser] = [remote.byAdministrator(newer), await remote.browser(dan)];
    const proposal = await remote.proposed(browser, 'grant.add', { ...GRANT, rights: ['list', 'read'] });
    await remote.call(byAda, 'administrator.remove', { name: 'dan' });
    for (const session of [second, browser])
      await assert.rejects(remote.call(session, 'tenant.list', {}), { code: 'session-ended' });
    await assert.rejects(remote.call(await remote.browser(dan), 'tenant.list', {}), { code: 'permission-denied' });
    assert.equal(remote.parts.accounts.get('dan').administrator, false);
    await assert.rejects(remote.call(byAda, 'approval.approve', { reference: proposal }), {
      code: 'permission-denied',
    });
  });

  it('only from where administration is taken', async () => {
    const there = remote.byAdministrator(tokens.ada, ELSEWHERE);
    await assert.rejects(remote.call(there, 'tenant.list', {}), { code: 'permission-denied' });
    await remote.call(remote.byAdministrator(tokens.ada), 'tenant.list', {});
  });

  it('is judged once more where it becomes true: a session that ends meanwhile changes nothing', async () => {
    const session = remote.byAdministrator(tokens.ben);
    const { tenants } = remote.parts;
    const adding = remote.call(session, 'tenant.add', { name: 'late', displayName: '' });
    // The request is under way; nothing of it is durable yet.
    remote.connections.end((one) => one === session, 'in the middle');
    await assert.rejects(adding, { code: 'session-ended' });
    assert.equal(
      tenants.list().some(({ name }) => name === 'late'),
      false,
    );
  });
});

describe('API tokens that people make for themselves', () => {
  let remote: Remote;
  let olga: Account;
  before(async () => {
    remote = await open();
    olga = await account(remote.scene, 'operator', 'olga', true);
  });
  after(() => remote.scene.close());
  const wish = (more: object = {}) => ({
    ...{ label: 'laptop', fingerprint: print(), scopes: ['admin'], addresses: null, expires: Date.now() + HOUR },
    ...more,
  });
  const add = ({ session }: LiveSession, more: object = {}) =>
    remote.say(remote.fronts[0], 'own.add-token', { session, ...wish(more) });

  it('with an end, a strong factor, and no scope that the session has not', async () => {
    const browser = await remote.browser(olga);
    const made = (await add(browser)) as { id: string };
    const { tokens } = (await remote.say(remote.fronts[0], 'own.tokens', { session: browser.session })) as {
      tokens: { id: string }[];
    };
    assert.deepEqual(
      tokens.map(({ id }) => id),
      [made.id],
    );
    const told = remote.scene.entries('changed').at(-1);
    assert.deepEqual([told?.action, told?.actor, told?.account], ['token.add', 'olga', olga.id]);
    await assert.rejects(add(browser, { expires: Date.now() + 367 * 24 * HOUR }), { code: 'option-invalid' });
    await assert.rejects(add(browser, { expires: null }), { code: 'request-invalid' });
    await assert.rejects(add(await remote.browser(olga, Date.now() - HOUR)), { code: 'step-up-needed' });
    const recovered = await remote.browser(olga, Date.now(), ['password', 'recovery']);
    await assert.rejects(add(recovered), { code: 'permission-denied' });
    const narrow = await remote.browser(olga, Date.now(), ['passkey'], FILES);
    await assert.rejects(add(narrow), { code: 'scope-missing' });
    const anna = remote.parts.accounts.get('anna');
    await assert.rejects(add(await remote.browser(anna)), { code: /^(option-invalid|scope-missing)$/ });
    await add(await remote.browser(anna), { scopes: ['files:read'] });
  });

  it('a token makes no token, and nobody touches those of others', async () => {
    const byToken = await remote.byToken(olga, ['admin', 'files:read']);
    await assert.rejects(add(byToken), { code: 'call-forbidden' });
    const anna = await remote.browser(remote.parts.accounts.get('anna'));
    const { session } = anna;
    const removing = { session, token: byToken.proofs[0] };
    await assert.rejects(remote.say(remote.fronts[0], 'own.remove-token', removing), { code: 'not-found' });
    const own = await remote.browser(olga);
    await remote.say(remote.fronts[0], 'own.remove-token', { session: own.session, token: byToken.proofs[0] });
    assert.equal(byToken.ended, 'the token of this session was removed');
  });
});
