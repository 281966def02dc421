import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Authenticator } from './authenticator.ts';
import type { Lies } from './authenticator.ts';
import { asSent, ORIGIN, OTHER_ORIGIN, WebScene } from './scene.ts';

const REFUSED = { result: 'failure', methods: ['passkey', 'password'], partial: false };

describe('passkeys', () => {
  let scene: WebScene;
  let own: Authenticator;
  beforeEach(async () => {
    scene = new WebScene();
    own = new Authenticator();
    await scene.enrolled('ada', own);
  });
  afterEach(() => {
    scene.close();
  });
  const faults = () => scene.base.codes();

  it('sign in, with what the ledger says of it', async () => {
    const { session, cookie } = await scene.signedIn(own);
    assert.equal(session.login, 'ada');
    assert.deepEqual(session.factors, ['passkey']);
    assert.deepEqual(session.scopes, ['files:list', 'files:read', 'files:write']);
    assert.match(cookie, /^wbs_/);
    const [entry] = scene.of('sign-in');
    assert.equal(entry?.protocol, 'https');
    assert.equal(entry.session, session.session);
    assert.deepEqual(entry.factors, ['passkey']);
    assert.equal(entry.client, 'Test (Linux)');
    // What is stored opens nothing.
    const stored = scene.store.sessions(session.account)[0];
    assert.ok(stored !== undefined && !JSON.stringify(stored).includes(cookie.slice(4)));
  });

  it('of Ed25519 as well', async () => {
    const other = new Authenticator('EdDSA');
    await scene.enrolled('ben', other);
    assert.equal((await scene.signedIn(other)).session.login, 'ben');
  });

  const attacks: readonly [string, Lies, string][] = [
    ['of another origin', { origin: 'https://files.example.com.evil.test' }, 'passkey-refused'],
    ['of another of our own origins, with another relying party', { origin: OTHER_ORIGIN }, 'passkey-refused'],
    ['without TLS', { origin: 'http://files.example.com' }, 'passkey-refused'],
    ['for another relying party', { rpId: 'evil.test' }, 'passkey-refused'],
    ['over another challenge', { challenge: Buffer.alloc(32, 7).toString('base64url') }, 'passkey-refused'],
    ['over an empty challenge', { challenge: '' }, 'passkey-refused'],
    ['meant to register', { type: 'webauthn.create' }, 'passkey-refused'],
    ['without the person being verified', { flags: 0x01 }, 'passkey-refused'],
    ['without anybody being there', { flags: 0x04 }, 'passkey-refused'],
    ["in another page's frame", { crossOrigin: true }, 'passkey-refused'],
    [
      'signed by another key',
      { signer: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      'passkey-refused',
    ],
    ["in another account's name", { userHandle: Buffer.alloc(16, 1).toString('base64url') }, 'passkey-other-account'],
    ['in nobody’s name', { userHandle: null }, 'passkey-other-account'],
  ];
  for (const [what, lies, fault] of attacks)
    it(`refuse an answer ${what}`, async () => {
      assert.deepEqual(await scene.passkey(own, lies), REFUSED);
      assert.deepEqual(faults(), [fault]);
      // The same authenticator is still good.
      await scene.signedIn(own);
    });

  it('refuse the same answer a second time, in the same sign-in and in another', async () => {
    const connection = scene.connect();
    const flow = await scene.start(connection);
    const options = await scene.call('web.passkey-options', { connection: connection.id, flow });
    const wrong = asSent(own.get(options, ORIGIN, { rpId: 'evil.test' }));
    const right = asSent(own.get(options, ORIGIN));
    assert.deepEqual(await scene.call('web.passkey', { connection: connection.id, flow, response: wrong }), REFUSED);
    // A challenge is for one answer, also for one that is wrong.
    assert.deepEqual(await scene.call('web.passkey', { connection: connection.id, flow, response: right }), REFUSED);
    const second = await scene.start(connection);
    await scene.call('web.passkey-options', { connection: connection.id, flow: second });
    assert.deepEqual(
      await scene.call('web.passkey', { connection: connection.id, flow: second, response: right }),
      REFUSED,
    );
    assert.deepEqual(faults(), ['passkey-refused', 'passkey-not-asked', 'passkey-refused']);
  });

  it('refuse an answer that comes too late', async () => {
    const connection = scene.connect();
    const flow = await scene.start(connection);
    const options = await scene.call('web.passkey-options', { connection: connection.id, flow });
    scene.base.now += 5 * 60_000;
    const response = asSent(own.get(options, ORIGIN));
    assert.deepEqual(await scene.call('web.passkey', { connection: connection.id, flow, response }), REFUSED);
    assert.deepEqual(faults(), ['passkey-expired']);
  });

  it('refuse a counter that stands still or goes back: the key was copied', async () => {
    await scene.signedIn(own);
    assert.deepEqual(await scene.passkey(own, { counter: own.counter }), REFUSED);
    own.counter = 0;
    assert.deepEqual(await scene.passkey(own, { counter: 0 }), REFUSED);
    assert.deepEqual(faults(), ['passkey-counter', 'passkey-counter']);
    own.counter = 10;
    await scene.signedIn(own);
  });

  it('take an authenticator that has no counter', async () => {
    assert.equal((await scene.passkey(own, { counter: 0 })).result, 'success');
    assert.equal((await scene.passkey(own, { counter: 0 })).result, 'success');
  });

  it('let one of two answers with the same counter in', async () => {
    const answers = await Promise.all([scene.passkey(own, { counter: 5 }), scene.passkey(own, { counter: 5 })]);
    assert.deepEqual(answers.map(({ result }) => result).sort(), ['failure', 'success']);
  });

  it('do not let a sign-in be taken on by another source or front, or a stranger finish it', async () => {
    const connection = scene.connect();
    const flow = await scene.start(connection);
    const options = await scene.call('web.passkey-options', { connection: connection.id, flow });
    const response = asSent(own.get(options, ORIGIN));
    const foreign = scene.connect('203.0.113.9');
    const answer = await scene.call('web.passkey', { connection: foreign.id, flow, response });
    assert.equal(answer.result, 'disconnect');
    const front = scene.newFront(2);
    await assert.rejects(scene.call('web.passkey', { connection: connection.id, flow, response }, front), {
      code: 'not-your-session',
    });
    // The browser itself comes by another connection, because the first was closed.
    const again = scene.connect();
    scene.connections.close(connection, 'idle');
    assert.equal((await scene.call('web.passkey', { connection: again.id, flow, response })).result, 'success');
  });

  it('are not registered from another origin, without verification, or with a statement', async () => {
    const account = await scene.base.account('eve');
    const { secret } = await scene.rooms.enrolments.issue(account, { actor: '', approvedBy: '' });
    const connection = scene.connect().id;
    const { flow } = await scene.call('web.enrol-start', { connection, origin: ORIGIN, secret });
    const bad: readonly Lies[] = [
      { origin: 'https://evil.test' },
      { rpId: 'evil.test' },
      { flags: 0x01 },
      { type: 'webauthn.get' },
      { challenge: 'AAAA' },
      { crossOrigin: true },
      { format: 'packed' },
    ];
    for (const lies of bad) {
      const options = await scene.call('web.enrol-passkey-options', { connection, flow });
      const response = asSent(new Authenticator().create(options, ORIGIN, lies));
      const answer = await scene.call('web.enrol-passkey', { connection, flow, label: '', response });
      assert.deepEqual(answer, { result: 'failure' }, JSON.stringify(lies));
    }
    // One that another account has.
    const options = await scene.call('web.enrol-passkey-options', { connection, flow });
    const response = asSent(own.create(options, ORIGIN));
    await assert.rejects(scene.call('web.enrol-passkey', { connection, flow, label: '', response }), {
      code: 'already-exists',
    });
    assert.deepEqual(scene.store.passkeys(account.id), []);
  });

  it('of a suspended account, or removed meanwhile, do not sign in', async () => {
    await scene.base.accounts.suspend('ada');
    assert.deepEqual(await scene.passkey(own), REFUSED);
    await scene.base.accounts.activate('ada');
    const id = scene.base.accounts.get('ada').id;
    scene.store.removePasskey(scene.store.passkeys(id)[0]?.id ?? '');
    assert.deepEqual(await scene.passkey(own), REFUSED);
    assert.deepEqual(faults(), ['account-suspended', 'passkey-unknown']);
  });
});
