/** Certificates of our own authority: who gets one, for what it counts, and when it stops. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { OwnAuthority } from '../../src/accounts/authority-own.ts';
import type { IssueWish } from '../../src/accounts/authority-own.ts';
import { SignIn } from '../../src/accounts/sign-in.ts';
import type { SignInOutcome } from '../../src/accounts/sign-in.ts';
import { signedBytes } from '../../src/accounts/publickey-step.ts';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { signCertificate } from '../../src/sshkeys/certificate-sign.ts';
import type { CertificateAuthority } from '../../src/sshkeys/certificate-sign.ts';
import type { Certificate } from '../../src/sshkeys/certificate.ts';
import { signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { fingerprint, parsePublicKey, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { SqliteCertificates } from '../../src/store/sqlite/certificates.ts';
import { fromBase32 } from './base32.ts';
import { ed25519Client, PASSWORD, Scene, TENANT } from './scene.ts';
import type { Client } from './scene.ts';

const CERTIFIED = 'ssh-ed25519-cert-v01@openssh.com';

describe('certificates of our own authority', () => {
  let scene: Scene;
  let store: SqliteCertificates;
  let own: OwnAuthority;
  let authority: CertificateAuthority;
  let laptop: Client;
  let recorded: { tenant: string | null; event: Event }[];
  beforeEach(() => {
    scene = new Scene();
    store = new SqliteCertificates(scene.database);
    const { private: key, public: half } = ed25519Client();
    authority = { key, public: half };
    laptop = ed25519Client();
    recorded = [];
    const made = { current: null as CertificateAuthority | null };
    own = new OwnAuthority({
      store,
      accounts: scene.store,
      clock: scene.parts.clock,
      hours: 8,
      ledger: { append: (tenant, event) => recorded.push({ tenant, event }) },
      credentialStands: (id) => scene.store.credential(id) !== null,
      key: {
        get current() {
          return made.current;
        },
        take: () => Promise.resolve((made.current ??= authority)),
      },
    });
  });
  afterEach(() => {
    scene.close();
  });

  const wish = (changed: Partial<IssueWish> = {}): IssueWish => ({
    login: 'anna',
    key: laptop.public,
    hours: null,
    addresses: '192.0.2.7',
    factors: [],
    proofs: [],
    ...changed,
  });
  const issue = async (changed: Partial<IssueWish> = {}): Promise<Certificate> =>
    (await own.issue(wish(changed))).certificate;

  function visit(address = '192.0.2.7') {
    const sessionId = randomBytes(32);
    const signIn = new SignIn({ ...scene.parts, certificates: own }, { address, sessionId, hostKey: null });
    const by = (blob: Buffer, user = 'anna', algorithm = CERTIFIED, key = laptop): Promise<SignInOutcome> => {
      const signed = signedBytes({ sessionId, user, algorithm, blob, hostKey: null });
      return signIn.publickey(user, algorithm, blob, signWithHostKey(key.private, algorithm, signed));
    };
    return { signIn, by };
  }
  const result = async (certificate: Certificate, user = 'anna', address = '192.0.2.7'): Promise<string> => {
    const { result: found } = await visit(address).by(certificate.blob, user);
    return found === 'success' ? found : String(scene.codes().at(-1));
  };

  it('sign in, say their serial, are durable in the ledger, and count from 1 on', async () => {
    const { id } = await scene.account('anna');
    const first = await own.issue(wish());
    const second = await own.issue(wish({ hours: 1 }));
    assert.deepEqual([first.issued.serial, second.issued.serial], [1n, 2n]);
    assert.equal(second.issued.until - scene.now, 3_600_000);
    const [made, ...issues] = recorded;
    assert.equal(made?.event.kind, 'key');
    const print = fingerprint(laptop.public.blob);
    assert.deepEqual(
      issues.map(
        ({ tenant, event }) => event.kind === 'changed' && [tenant, event.action, event.account, event.detail],
      ),
      [first, second].map(({ issued }) => [
        TENANT,
        'certificate.issue',
        id,
        {
          serial: String(issued.serial),
          key: print,
          addresses: '192.0.2.7',
          until: new Date(issued.until).toISOString(),
          factors: [],
          proofs: [],
        },
      ]),
    );
    const outcome = await visit().by(second.certificate.blob);
    assert.ok(outcome.result === 'success');
    assert.deepEqual(outcome.factors, ['certificate']);
    assert.match(outcome.credentials[0]?.description ?? '', /serial 2 for SHA256:.*issued by an administrator/);
    assert.equal(own.bySerial(2n)?.lastUsed, scene.now);
    assert.equal(own.bySerial(1n)?.lastUsed, null);
  });

  it('hold for their account, address and hours only', async () => {
    await scene.account('anna');
    await scene.account('otto');
    const certificate = await issue();
    assert.equal(await result(certificate, 'otto'), 'certificate-principal');
    assert.equal(await result(certificate, 'nobody'), 'certificate-principal');
    assert.equal(await result(certificate, 'anna', '192.0.2.8'), 'certificate-address');
    scene.now += 8 * 3_600_000 - 1;
    assert.equal(await result(certificate), 'success');
    scene.now += 1;
    assert.equal(await result(certificate), 'certificate-expired');
  });

  it('that our key signed, but nobody issued, sign in nowhere', async () => {
    await scene.account('anna');
    await scene.account('otto');
    const { issued } = await own.issue(wish());
    const base = { role: 'user', key: laptop.public, keyId: 'waybill anna 1', principals: ['anna'] } as const;
    const times = { from: scene.now, until: issued.until, addresses: null };
    for (const serial of [issued.serial, 2n, 2n ** 64n - 1n]) {
      const forged = signCertificate(authority, { ...base, ...times, serial });
      assert.equal(await result(forged), 'certificate-unknown');
    }
    // The name in the certificate alone is worth nothing: the row says for whom it is.
    const twoNames = signCertificate(authority, { ...base, ...times, serial: issued.serial, principals: ['otto'] });
    await store.write(() => {
      store.addCertificate({ ...issued, serial: 9n, id: 'f'.repeat(32) });
    });
    assert.equal(await result(twoNames, 'otto'), 'certificate-unknown');
  });

  it('of an account that was removed do not sign in a new one of the same name', async () => {
    await scene.account('anna');
    const certificate = await issue();
    await scene.accounts.remove('anna');
    await scene.account('anna');
    assert.equal(await result(certificate), 'certificate-principal');
  });

  it('also when the tenant trusts our key as an authority of its own', async () => {
    await scene.account('anna');
    await issue();
    await scene.accounts.addCertificateAuthority(TENANT, publicKeyLine(authority.public));
    const base = { role: 'user', key: laptop.public, keyId: 'x', principals: ['anna'], serial: 77n } as const;
    const forged = signCertificate(authority, { ...base, from: scene.now, until: scene.now + 60_000, addresses: null });
    assert.equal(await result(forged), 'certificate-unknown');
  });

  it('stop when the account is suspended, and when they, their key or their authority are revoked', async () => {
    await scene.account('anna');
    const certificate = await issue();
    await scene.accounts.suspend('anna');
    assert.equal(await result(certificate), 'account-suspended');
    await scene.accounts.activate('anna');
    assert.equal(await result(certificate), 'success');
    const ca = fingerprint(authority.public.blob);
    await scene.accounts.revokeCertificates('serial', ca, '1');
    assert.equal(await result(certificate), 'certificate-revoked');
    const other = await issue();
    assert.equal(await result(other), 'success');
    await scene.accounts.revoke(fingerprint(laptop.public.blob));
    assert.equal(await result(other), 'certificate-revoked');
    laptop = ed25519Client();
    const last = await issue();
    await scene.accounts.revoke(ca);
    assert.equal(await result(last), 'certificate-revoked');
  });

  it('stop when a credential that they were issued by is removed or replaced', async () => {
    await scene.account('anna', [['password']]);
    await scene.accounts.setPassword('anna', PASSWORD);
    const [password] = scene.accounts.credentials('anna');
    const certificate = await issue({ factors: ['password'], proofs: [password?.id ?? ''] });
    assert.equal(await result(certificate), 'success');
    await scene.accounts.setPassword('anna', `${PASSWORD} new`);
    assert.equal(await result(certificate), 'certificate-withdrawn');
    await assert.rejects(issue({ factors: ['password'], proofs: [password?.id ?? ''] }), { code: 'permission-denied' });
  });

  for (const [chain, factors, expected] of [
    ['publickey', [], 'success'],
    ['publickey+totp', [], 'failure'],
    ['publickey+totp', ['passkey'], 'success'],
    ['publickey+totp', ['password', 'totp'], 'success'],
    ['publickey+totp', ['password'], 'failure'],
    ['password', [], 'failure'],
    ['password', ['totp'], 'failure'],
    ['password+totp', ['password', 'totp'], 'success'],
    ['password+totp', ['passkey'], 'success'],
    ['password+totp', ['oidc'], 'failure'],
  ] as const) {
    it(`after ${factors.join('+') || 'nothing'}: ${expected} where ${chain} is required`, async () => {
      await scene.account('anna', [chain.split('+')]);
      const { by } = visit();
      const certificate = await issue({ factors });
      const offered = await visit().signIn.none('anna');
      assert.ok(offered.result === 'failure' && offered.methods.includes('publickey'));
      assert.equal((await by(certificate.blob)).result, expected);
    });
  }

  it('go on to a code where one is still required, and a code is not asked where it was shown', async () => {
    await scene.account('anna', [['publickey', 'totp']]);
    const { secret } = await scene.accounts.enrolTotp('anna');
    const { signIn, by } = visit();
    const partial = await by((await issue()).blob);
    assert.deepEqual(partial, { result: 'failure', methods: ['keyboard-interactive'], partial: true });
    await signIn.interactive('anna');
    const outcome = await signIn.answers([Buffer.from(totpCode(fromBase32(secret), totpStep(scene.now)))]);
    assert.ok(outcome.result === 'success');
    assert.deepEqual(outcome.factors, ['certificate', 'totp']);
  });

  it('are no second step: after a password they count as the key that the chain asks for, or not at all', async () => {
    await scene.account('anna', [['password', 'totp']]);
    await scene.accounts.setPassword('anna', PASSWORD);
    const certificate = await issue({ factors: ['passkey'] });
    const { signIn, by } = visit();
    assert.equal((await signIn.password('anna', Buffer.from(PASSWORD))).result, 'failure');
    assert.equal((await by(certificate.blob)).result, 'failure');
    assert.equal(scene.codes().at(-1), 'method-not-allowed');
  });

  it('are asked about like keys, and need the signature of their key', async () => {
    await scene.account('anna', [['password', 'totp']]);
    const good = await issue({ factors: ['passkey'] });
    const asked = async (blob: Buffer, user = 'anna') =>
      (await visit().signIn.publickeyQuery(user, CERTIFIED, blob)).acceptable;
    assert.equal(await asked(good.blob), true);
    assert.equal(await asked((await issue()).blob), false);
    assert.equal(await asked(good.blob, 'otto'), false);
    const { by } = visit();
    assert.equal((await by(good.blob, 'anna', CERTIFIED, ed25519Client())).result, 'failure');
    assert.equal(scene.codes().at(-1), 'signature-wrong');
  });

  it('are not issued to a suspended account, for a weak or revoked key, for too long, or in heaps', async () => {
    await scene.account('anna');
    const refused = (changed: Partial<IssueWish>, code: string): Promise<void> =>
      assert.rejects(issue(changed), { code });
    await refused({ login: 'nobody' }, 'not-found');
    for (const hours of [8.1, 0, -1, Number.NaN]) await refused({ hours }, 'option-invalid');
    for (const addresses of ['', 'example.com', '192.0.2.0/99']) await refused({ addresses }, 'option-invalid');
    const bits = { type: 'ssh-rsa', bits: 2048 } as const;
    await refused({ key: { ...parsePublicKey(laptop.public.blob), ...bits } }, 'option-invalid');
    await scene.accounts.suspend('anna');
    await refused({}, 'permission-denied');
    await scene.accounts.activate('anna');
    for (let count = 0; count < 64; count++) await issue();
    await refused({}, 'permission-denied');
    scene.now += 9 * 3_600_000;
    assert.equal((await issue()).serial, 65n);
    await scene.accounts.revoke(fingerprint(laptop.public.blob));
    await refused({}, 'option-invalid');
  });

  it('leave their numbers used when their rows are forgotten', async () => {
    await scene.account('anna');
    await issue();
    scene.now += 91 * 24 * 3_600_000;
    await own.sweep();
    assert.deepEqual(own.list(null), []);
    assert.equal((await issue()).serial, 2n);
  });
});
