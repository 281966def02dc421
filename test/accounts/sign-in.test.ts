import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { fingerprint } from '../../src/sshkeys/public-key.ts';
import { ed25519Client, PASSWORD, Scene } from './scene.ts';
import type { Client } from './scene.ts';
import { fromBase32 } from './base32.ts';

const failure = (methods: string[], partial = false) => ({ result: 'failure', methods, partial });

describe('signing in', () => {
  let scene: Scene;
  let client: Client;
  beforeEach(() => {
    scene = new Scene();
    client = ed25519Client();
  });
  afterEach(() => {
    scene.close();
  });

  /** An account with a key, a password and TOTP; answers what makes codes. */
  async function full(login: string, chains: string[][]): Promise<() => string> {
    await scene.account(login, chains);
    await scene.accounts.addKey(login, client.line);
    await scene.accounts.setPassword(login, PASSWORD);
    const { secret } = await scene.accounts.enrolTotp(login);
    return () => totpCode(fromBase32(secret), totpStep(scene.now));
  }

  it('by key alone, and notes when it was used', async () => {
    await full('ada', [['publickey']]);
    const visit = scene.connect();
    assert.deepEqual(await visit.signIn.none('ada'), failure(['publickey']));
    const query = await visit.signIn.publickeyQuery('ada', 'ssh-ed25519', client.public.blob);
    assert.equal(query.acceptable, true);
    const outcome = await visit.key('ada', client);
    assert.equal(outcome.result, 'success');
    assert.equal(outcome.account.login, 'ada');
    assert.deepEqual(
      outcome.credentials.map(({ description }) => description),
      [`publickey ${fingerprint(client.public.blob)}`],
    );
    const key = scene.accounts.credentials('ada').find(({ kind }) => kind === 'key');
    assert.equal(key?.lastUsed, scene.now);
    assert.equal((await visit.key('ada', client)).result, 'disconnect');
  });

  it('by password only where an administrator said so', async () => {
    await full('ada', [['publickey']]);
    assert.deepEqual(await scene.connect().password('ada', PASSWORD), failure(['publickey']));
    await scene.accounts.setChains('ada', [['password']]);
    assert.equal((await scene.connect().password('ada', PASSWORD)).result, 'success');
    assert.deepEqual(await scene.connect().password('ada', 'wrong'), failure(['password', 'keyboard-interactive']));
    assert.equal((await scene.connect().password('ada', '')).result, 'failure');
  });

  it('by password and code over keyboard-interactive in one dialogue', async () => {
    const code = await full('ada', [['password', 'totp']]);
    const visit = scene.connect();
    const prompt = (text: string) => ({ result: 'prompt', instruction: '', prompts: [{ text, echo: false }] });
    assert.deepEqual(await visit.signIn.interactive('ada'), prompt('Password: '));
    assert.deepEqual(await visit.answers(PASSWORD), prompt('Verification code: '));
    assert.equal((await visit.answers(code())).result, 'success');
  });

  it('by password method, then the code', async () => {
    const code = await full('ada', [['password', 'totp']]);
    const visit = scene.connect();
    assert.deepEqual(await visit.password('ada', PASSWORD), failure(['keyboard-interactive'], true));
    assert.equal((await visit.signIn.interactive('ada')).result, 'prompt');
    assert.deepEqual(await visit.answers('000000'), failure(['keyboard-interactive']));
    assert.equal((await visit.signIn.interactive('ada')).result, 'prompt');
    assert.equal((await visit.answers(code())).result, 'success');
  });

  it('by key and code; a key alone is not enough', async () => {
    const code = await full('ada', [['publickey', 'totp']]);
    const visit = scene.connect();
    assert.deepEqual(await visit.key('ada', client), failure(['keyboard-interactive'], true));
    assert.deepEqual(await visit.key('ada', client), failure(['keyboard-interactive']));
    await visit.signIn.interactive('ada');
    const outcome = await visit.answers(code());
    assert.equal(outcome.result, 'success');
    assert.deepEqual(outcome.factors, ['publickey', 'totp']);
  });

  it('takes each code once, also by another connection, and none older than the last', async () => {
    const code = await full('ada', [['publickey', 'totp']]);
    const attempt = async (text: string) => {
      const visit = scene.connect();
      await visit.key('ada', client);
      await visit.signIn.interactive('ada');
      return (await visit.answers(text)).result;
    };
    const first = code();
    scene.now += 30_000;
    const second = code();
    assert.equal(await attempt(second), 'success');
    assert.equal(await attempt(second), 'failure');
    assert.equal(await attempt(first), 'failure');
    assert.ok(scene.codes().includes('totp-reused'));
  });

  it('lets one of two concurrent uses of a code through', async () => {
    const code = await full('ada', [['publickey', 'totp']]);
    const visits = [scene.connect('192.0.2.1'), scene.connect('192.0.2.2')];
    for (const visit of visits) {
      await visit.key('ada', client);
      await visit.signIn.interactive('ada');
    }
    const results = await Promise.all(visits.map((visit) => visit.answers(code())));
    assert.deepEqual(results.map(({ result }) => result).sort(), ['failure', 'success']);
  });

  it('forgets what was reached when the user name changes', async () => {
    const code = await full('ada', [['publickey', 'totp']]);
    await full('bob', [['publickey', 'totp']]);
    const visit = scene.connect();
    await visit.key('ada', client);
    assert.deepEqual(await visit.signIn.interactive('bob'), failure(['publickey']));
    assert.deepEqual(await visit.signIn.interactive('ada'), failure(['publickey']));
    const other = scene.connect();
    await other.key('ada', client);
    await other.signIn.interactive('ada');
    await other.signIn.none('bob');
    assert.equal((await other.answers(code())).result, 'disconnect');
  });

  it('refuses a signature that is by another key, over another session, user, algorithm or blob', async () => {
    await full('ada', [['publickey']]);
    await scene.account('eve');
    const second = ed25519Client();
    await scene.accounts.addKey('ada', second.line);
    const { blob } = client.public;
    const bad = [
      (visit: ReturnType<Scene['connect']>) => visit.sign('ada', second),
      (visit: ReturnType<Scene['connect']>) => visit.sign('eve', client),
      (visit: ReturnType<Scene['connect']>) => visit.sign('ada', client, { sessionId: Buffer.alloc(32) }),
      (visit: ReturnType<Scene['connect']>) => visit.sign('ada', client, { blob: second.public.blob }),
      (visit: ReturnType<Scene['connect']>) => visit.sign('ada', client, { algorithm: 'rsa-sha2-256' }),
      (visit: ReturnType<Scene['connect']>) => visit.sign('ada', client, { hostKey: Buffer.from('host') }),
      () => Buffer.alloc(0),
      () => Buffer.alloc(83, 0xff),
    ];
    for (const sign of bad) {
      const visit = scene.connect();
      await visit.signIn.publickeyQuery('ada', 'ssh-ed25519', blob);
      assert.deepEqual(await visit.signIn.publickey('ada', 'ssh-ed25519', blob, sign(visit)), failure(['publickey']));
    }
    const visit = scene.connect();
    const unknown = ed25519Client();
    await visit.signIn.publickeyQuery('ada', 'ssh-ed25519', blob);
    assert.equal((await visit.key('ada', unknown)).result, 'failure');
  });

  it('binds to the host key that the broker itself signed with', async () => {
    await full('ada', [['publickey']]);
    const own = Buffer.from('own host key');
    for (const [claimed, result] of [
      [own, 'success'],
      [Buffer.from('mitm host key'), 'failure'],
    ] as const) {
      const visit = scene.connect('192.0.2.7', own);
      const signature = visit.sign('ada', client, { hostKey: claimed });
      const outcome = await visit.signIn.publickey('ada', 'ssh-ed25519', client.public.blob, signature, claimed);
      assert.equal(outcome.result, result);
    }
  });

  it('treats a suspended account like a wrong credential', async () => {
    await full('ada', [['publickey'], ['password']]);
    await scene.accounts.suspend('ada');
    const methods = ['publickey', 'password', 'keyboard-interactive'];
    const visit = scene.connect();
    assert.deepEqual(await visit.signIn.none('ada'), failure(methods));
    assert.equal((await visit.signIn.publickeyQuery('ada', 'ssh-ed25519', client.public.blob)).acceptable, false);
    assert.deepEqual(await visit.key('ada', client), failure(methods));
    assert.deepEqual(await visit.password('ada', PASSWORD), failure(methods));
    await scene.accounts.activate('ada');
    assert.equal((await visit.key('ada', client)).result, 'success');
  });

  it('shows unknown logins stable method lists that real accounts have too', async () => {
    const seen = new Map<string, number>();
    for (let index = 0; index < 300; index++) {
      const [one, two] = [scene.connect(), scene.connect()];
      const outcome = await one.signIn.none(`nobody${index}`);
      assert.deepEqual(await two.signIn.none(`nobody${index}`), outcome);
      assert.equal(outcome.result, 'failure');
      const list = outcome.methods.join(' ');
      seen.set(list, (seen.get(list) ?? 0) + 1);
    }
    assert.ok((seen.get('publickey') ?? 0) > 150);
    assert.equal(seen.size, 3);
  });

  it('ends the connection after its tries, counting over user names', async () => {
    for (let index = 1; index < 6; index++) {
      const visit = scene.connect();
      for (let tries = 1; tries < 6; tries++)
        assert.equal((await visit.key(`nobody${tries}`, client)).result, 'failure');
      assert.equal((await visit.key('nobody', client)).result, 'disconnect');
      assert.equal((await visit.signIn.none('nobody')).result, 'disconnect');
    }
  });

  it('bounds requests that prove nothing', async () => {
    const visit = scene.connect();
    for (let index = 0; index < scene.parts.limits.queries; index++)
      assert.equal((await visit.signIn.none('ada')).result, 'failure');
    const { acceptable, answer } = await visit.signIn.publickeyQuery('ada', 'ssh-ed25519', client.public.blob);
    assert.deepEqual([acceptable, answer.result], [false, 'disconnect']);
  });

  it('ends the connection when two requests come at once, and neither succeeds', async () => {
    await full('ada', [['password']]);
    const visit = scene.connect();
    const both = await Promise.all([visit.password('ada', PASSWORD), visit.password('ada', PASSWORD)]);
    assert.deepEqual(
      both.map(({ result }) => result),
      ['disconnect', 'disconnect'],
    );
  });

  it('does not complete what was closed, suspended or removed while it waited', async () => {
    await full('ada', [['password']]);
    const closed = scene.connect();
    const closing = closed.password('ada', PASSWORD);
    closed.signIn.close();
    assert.equal((await closing).result, 'disconnect');

    await scene.accounts.setChains('ada', [['publickey', 'password']]);
    const visit = scene.connect();
    assert.equal((await visit.key('ada', client)).result, 'failure');
    const key = scene.accounts.credentials('ada').find(({ kind }) => kind === 'key');
    await scene.accounts.removeCredential(key?.id ?? '');
    assert.deepEqual(await visit.password('ada', PASSWORD), failure(['publickey']));
    assert.ok(scene.codes().includes('changed-meanwhile'));
  });

  it('writes down codes, never what was typed', async () => {
    await full('ada', [['password', 'totp']]);
    const visit = scene.connect();
    await visit.password('ada', 'my secret guess');
    await visit.password('typed my password here!', 'x');
    await visit.password('ada', PASSWORD);
    await visit.signIn.interactive('ada');
    await visit.answers('123456');
    const text = JSON.stringify(scene.logged);
    for (const secret of ['my secret guess', 'typed my', PASSWORD, '123456']) assert.ok(!text.includes(secret));
    assert.ok(scene.codes().includes('password-wrong'));
  });
});
