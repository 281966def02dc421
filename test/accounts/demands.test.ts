/** What people are asked for beyond the chains of their account, by the policy of their tenant. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { FACTORS } from '../../src/accounts/chains.ts';
import { askedChains, demandOf, isWhole, satisfies } from '../../src/accounts/demands.ts';
import type { UsedCredential } from '../../src/accounts/publickey-step.ts';
import { signedBytes } from '../../src/accounts/publickey-step.ts';
import { SignIn } from '../../src/accounts/sign-in.ts';
import type { SignInOutcome } from '../../src/accounts/sign-in.ts';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import type { AccountKind, SignInPolicy } from '../../src/accounts/web/store.ts';
import { publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { press, softSecurityKey } from '../sshkeys/soft-security-key.ts';
import type { SoftSecurityKey } from '../sshkeys/soft-security-key.ts';
import { fromBase32 } from './base32.ts';
import { ed25519Client, PASSWORD, Visit } from './scene.ts';
import { WebScene } from './web/scene.ts';

const failed = (methods: string[], partial = false): SignInOutcome => ({ result: 'failure', methods, partial });

describe('what people are asked for over SSH', () => {
  let web: WebScene;
  let kind: AccountKind;
  let policy: SignInPolicy;
  const client = ed25519Client();
  beforeEach(async () => {
    web = new WebScene();
    [kind, policy] = ['person', 'mfa'];
    await web.base.account('ada');
    await web.base.accounts.addKey('ada', client.line);
  });
  afterEach(() => {
    web.close();
  });

  /** One connection, with the demands of the moment. */
  function visit(): Visit {
    const parts = { ...web.base.parts, demand: () => demandOf(kind, policy) };
    const made = new Visit(web.base, '192.0.2.7', null);
    const signIn = new SignIn(parts, { address: '192.0.2.7', sessionId: made.sessionId, hostKey: null });
    return Object.assign(made, { signIn });
  }
  async function codes(): Promise<() => string> {
    const { secret } = await web.base.accounts.enrolTotp('ada');
    return () => totpCode(fromBase32(secret), totpStep(web.base.now));
  }
  function pressed({ signIn, sessionId }: Visit, key: SoftSecurityKey): Promise<SignInOutcome> {
    const { type, blob } = key.public;
    const signed = signedBytes({ sessionId, user: 'ada', algorithm: type, blob, hostKey: null });
    return signIn.publickey('ada', type, blob, press(key, signed, { flags: 5 }));
  }

  it('a key alone is not enough: a code besides, by default', async () => {
    const code = await codes();
    const user = visit();
    assert.deepEqual(await user.key('ada', client), failed(['keyboard-interactive'], true));
    assert.equal((await user.signIn.interactive('ada')).result, 'prompt');
    assert.equal((await user.answers(code())).result, 'success');
  });

  it('nor is a password, though the account says so', async () => {
    const code = await codes();
    await web.base.accounts.setChains('ada', [['password']]);
    await web.base.accounts.setPassword('ada', PASSWORD);
    const user = visit();
    assert.deepEqual(await user.password('ada', PASSWORD), failed(['keyboard-interactive'], true));
    await user.signIn.interactive('ada');
    assert.deepEqual(await user.answers('000000'), failed(['keyboard-interactive']));
    await user.signIn.interactive('ada');
    assert.equal((await user.answers(code())).result, 'success');
  });

  it('who has no codes stays out', async () => {
    const user = visit();
    await user.key('ada', client);
    await user.signIn.interactive('ada');
    assert.equal((await user.answers('000000')).result, 'failure');
    assert.deepEqual(web.base.codes(), ['totp-absent']);
  });

  it('services, and people of a tenant with one-step, sign in as their account says', async () => {
    policy = 'one-step';
    assert.equal((await visit().key('ada', client)).result, 'success');
    [kind, policy] = ['service', 'passkey'];
    assert.equal((await visit().key('ada', client)).result, 'success');
  });

  it('a security key that must verify its owner is enough, one that need not is a key', async () => {
    const [verifying, touching] = [softSecurityKey('ed25519'), softSecurityKey('ecdsa')];
    await web.base.accounts.addKey('ada', `verify-required ${publicKeyLine(verifying.public)}`);
    await web.base.accounts.addKey('ada', publicKeyLine(touching.public));
    for (const asked of ['mfa', 'passkey'] as const) {
      policy = asked;
      assert.equal((await pressed(visit(), verifying)).result, 'success', String(web.base.codes()));
      assert.equal((await pressed(visit(), touching)).result, 'failure', asked);
    }
  });

  it('with passkeys asked for, a plain key is not even acceptable, and passwords with codes are not taken', async () => {
    const code = await codes();
    await web.base.accounts.setChains('ada', [
      ['publickey', 'totp'],
      ['password', 'totp'],
    ]);
    await web.base.accounts.setPassword('ada', PASSWORD);
    policy = 'passkey';
    const user = visit();
    const query = await user.signIn.publickeyQuery('ada', 'ssh-ed25519', client.public.blob);
    assert.deepEqual(query, { acceptable: false, answer: failed(['publickey']) });
    assert.deepEqual(await user.key('ada', client), failed(['publickey']));
    assert.deepEqual(await user.password('ada', PASSWORD), failed(['publickey']));
    await user.signIn.interactive('ada');
    assert.equal((await user.answers(code())).result, 'disconnect');
  });

  it('a policy that becomes stricter between two steps holds for the sign-in that is under way', async () => {
    const code = await codes();
    const user = visit();
    await user.key('ada', client);
    await user.signIn.interactive('ada');
    policy = 'passkey';
    assert.equal((await user.answers(code())).result, 'failure');
  });

  it('a code counts once over both doors, in either order', async () => {
    const code = await codes();
    await web.base.accounts.setPassword('ada', PASSWORD);
    const overSsh = async (): Promise<string> => {
      const user = visit();
      await user.key('ada', client);
      await user.signIn.interactive('ada');
      return (await user.answers(code())).result;
    };
    const overHttps = async (): Promise<string> => {
      const connection = web.connect();
      const flow = await web.start(connection);
      await web.password(connection, flow, 'ada');
      return (await web.call('web.totp', { connection: connection.id, flow, code: Buffer.from(code()) })).result;
    };
    assert.deepEqual([await overSsh(), await overHttps()], ['success', 'failure']);
    web.base.now += 30_000;
    assert.deepEqual([await overHttps(), await overSsh()], ['success', 'failure']);
    web.base.now += 30_000;
    // At once, from both: the store lets one of them have it.
    const both = await Promise.all([overSsh(), overHttps()]);
    assert.equal(both.filter((result) => result === 'success').length, 1);
    assert.deepEqual(
      web.base.codes().filter((found) => found === 'totp-reused'),
      ['totp-reused', 'totp-reused', 'totp-reused'],
    );
  });
});

describe('demands, whatever the chains', () => {
  const chain = fc.uniqueArray(fc.constantFrom(...FACTORS), { minLength: 1, maxLength: 3 });
  const chains = fc.array(chain, { minLength: 1, maxLength: 4 });
  const used = (factor: UsedCredential['factor'], verified: boolean): UsedCredential => ({
    ...{ factor, id: factor, source: 'credential', description: factor, key: null, verified },
  });
  const certificate = (factors: readonly string[]): UsedCredential =>
    ({ ...used('publickey', false), source: 'certificate', issued: { factors } }) as unknown as UsedCredential;

  it('one thing alone never signs in a person, unless it verifies or rests on a whole sign-in', () => {
    fc.assert(
      fc.property(chains, fc.constantFrom(...FACTORS), (all, factor) => {
        for (const demand of ['mfa', 'passkey'] as const) {
          assert.equal(satisfies(all, demand, [used(factor, false)]), false);
          assert.equal(isWhole(all, demand, [certificate([])]), false);
        }
        assert.equal(isWhole(all, 'passkey', [certificate(['password', 'totp'])]), false);
        assert.equal(isWhole(all, 'passkey', [certificate(['passkey'])]), true);
      }),
    );
  });

  it('nothing that was not enough becomes enough', () => {
    const shown = fc.array(fc.tuple(fc.constantFrom(...FACTORS), fc.boolean()), { maxLength: 4 });
    fc.assert(
      fc.property(chains, shown, (all, steps) => {
        const proofs = steps.map(([factor, verified]) => used(factor, verified && factor === 'publickey'));
        if (!satisfies(all, 'chains', proofs) && proofs.length < 2)
          for (const demand of ['mfa', 'passkey'] as const)
            // A tenant that asks for passkeys takes a verifying key where the account names other first steps.
            if (satisfies(all, demand, proofs)) assert.ok(proofs[0]?.verified === true && demand === 'passkey');
        if (satisfies(all, 'passkey', proofs)) assert.ok(proofs.some(({ verified }) => verified === true));
      }),
    );
  });

  it('the first step stays the one that is shown for every login', () => {
    fc.assert(
      fc.property(chains, (all) => {
        assert.deepEqual(
          askedChains(all, 'mfa').map(([first]) => first),
          all.map(([first]) => first),
        );
        assert.ok(askedChains(all, 'passkey').every(([first]) => first === 'publickey'));
      }),
    );
  });
});
