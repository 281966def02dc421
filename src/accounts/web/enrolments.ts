/**
 * Enrolment: a secret that an account gets once, to set up what it signs in with. It opens no session; it is spent in
 * the transaction that stores what was set up, so two who hold it cannot both use it.
 */
import { randomBytes } from 'node:crypto';
import type { Acting } from '../../base/acting.ts';
import { WaybillError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { Sealer } from '../../keys/sealer.ts';
import type { Account } from '../account.ts';
import type { Accounts } from '../accounts.ts';
import { hashPassword, isLongAlone } from '../passwords.ts';
import type { AccountStore } from '../store.ts';
import { totpPurpose } from '../totp-secret.ts';
import { base32, matchTotp, TOTP_SECRET_BYTES, totpUri } from '../totp.ts';
import type { Origin } from './origins.ts';
import { change, oneself } from './parts.ts';
import type { WebParts } from './parts.ts';
import { Challenge, PASSKEYS_MAX } from './passkeys.ts';
import type { PasskeyFault, PasskeyRegistration, Passkeys } from './passkeys.ts';
import { webChains } from './policy.ts';
import { hashRecoveryCode, newRecoveryCodes } from './recovery-codes.ts';
import { hashSecret, newSecret, sameHash } from './secret.ts';
import type { Enrolment, Passkey } from './store.ts';

const SECRET = 'wbe_';
export const ENROLMENT_MILLISECONDS = 24 * 3_600_000;

export interface EnrolmentParts extends WebParts {
  readonly accounts: AccountStore;
  readonly administration: Pick<Accounts, 'checkNewPassword'>;
  readonly passkeys: Passkeys;
  readonly sealer: Sealer;
  readonly issuer: string;
}

export class Enrolments {
  private readonly parts: EnrolmentParts;

  constructor(parts: EnrolmentParts) {
    this.parts = parts;
  }

  /** Takes the place of the one before. */
  async issue(account: Account, by: Acting): Promise<{ secret: string; expires: number }> {
    const { store, clock } = this.parts;
    if (webChains(store, account).length === 0)
      throw new WaybillError('option-invalid', 'a service signs in with tokens and keys: there is nothing to enrol');
    const { text: secret, hash } = newSecret(SECRET);
    const created = clock.now();
    const expires = created + ENROLMENT_MILLISECONDS;
    await change(this.parts, account, by, 'account.enrol', { detail: { expires } }, () => {
      store.putEnrolment({ hash, account: account.id, created, expires });
    });
    return { secret, expires };
  }

  /** Null for what is none, not any more, or of an account that may not sign in. */
  find(secret: string): { enrolment: Enrolment; account: Account } | null {
    const hash = hashSecret(SECRET, secret);
    const enrolment = hash === null ? null : this.parts.store.enrolmentByHash(hash);
    if (hash === null || enrolment === null || !sameHash(hash, enrolment.hash)) return null;
    return this.stands(enrolment);
  }

  begin(secret: string, origin: Origin): Enrolling | null {
    const found = this.find(secret);
    return found === null ? null : new Enrolling(this.parts, this, found, origin);
  }

  stands(enrolment: Enrolment): { enrolment: Enrolment; account: Account } | null {
    const { accounts, clock } = this.parts;
    const account = accounts.account(enrolment.account);
    const good = account?.status === 'active' && clock.now() < enrolment.expires;
    return good ? { enrolment, account } : null;
  }
}

/** One browser that has shown the secret. */
export class Enrolling {
  readonly account: Account;
  private readonly parts: EnrolmentParts;
  private readonly enrolments: Enrolments;
  private readonly enrolment: Enrolment;
  private readonly origin: Origin;
  private readonly challenge = new Challenge();
  private pending: { readonly hash: string; readonly label: string; readonly secret: Buffer } | null = null;

  constructor(
    parts: EnrolmentParts,
    enrolments: Enrolments,
    { enrolment, account }: { readonly enrolment: Enrolment; readonly account: Account },
    origin: Origin,
  ) {
    this.parts = parts;
    this.enrolments = enrolments;
    this.enrolment = enrolment;
    this.account = account;
    this.origin = origin;
  }

  /** What can be set up here. */
  get methods(): ('passkey' | 'password')[] {
    const first = new Set(webChains(this.parts.store, this.account).map(([factor]) => factor));
    return (['passkey', 'password'] as const).filter(
      (method) => first.has(method) && (method === 'password' || this.origin.rpId !== null),
    );
  }

  passkeyOptions() {
    const { rpId } = this.origin;
    if (rpId === null) throw new WaybillError('unsupported', 'passkeys need a host name: serve with --https-origin');
    return this.parts.passkeys.creationOptions(
      rpId,
      this.challenge.ask('create', this.parts.clock.now()),
      this.account,
    );
  }

  /** Answers the recovery codes, or why the passkey is refused. */
  async passkey(answer: PasskeyRegistration, label: string): Promise<string[] | PasskeyFault> {
    const made = await this.parts.passkeys.register(this.challenge, this.origin, answer, this.account, label);
    if (typeof made === 'string') return made;
    return this.complete('passkey', made.id, () => {
      addPasskey(this.parts, made);
    });
  }

  /** The secret of the codes is shown here once; nothing is stored before a code of it comes back. */
  async password(password: string): Promise<{ secret: string; uri: string }> {
    if (!this.methods.includes('password'))
      throw new WaybillError('unsupported', 'this account signs in with passkeys');
    await this.parts.administration.checkNewPassword(password, this.account);
    const label = isLongAlone(password) ? 'long' : '';
    const secret = randomBytes(TOTP_SECRET_BYTES);
    this.pending = { hash: await hashPassword(Buffer.from(password)), label, secret };
    const text = base32(secret);
    return { secret: text, uri: totpUri(this.parts.issuer, this.account.login, text) };
  }

  /** Answers the recovery codes; null when the code is wrong. */
  async totp(code: Buffer): Promise<string[] | null> {
    const { clock, accounts, sealer } = this.parts;
    const { pending, account } = this;
    if (pending === null) throw new WaybillError('call-forbidden', 'a code before the password');
    const lastStep = matchTotp(pending.secret, code, clock.now());
    if (lastStep === null) return null;
    const common = () => ({ id: newId(), account: account.id, created: clock.now(), lastUsed: null });
    const [password, totp] = [common(), common()];
    const sealed = sealer.seal(totpPurpose(account.id, totp.id), pending.secret);
    return this.complete('password+totp', password.id, () => {
      accounts.putCredential({ ...password, label: pending.label, kind: 'password', hash: pending.hash });
      accounts.putCredential({ ...totp, label: '', kind: 'totp', sealed, lastStep });
    });
  }

  private async complete(factors: string, credential: string, apply: () => void): Promise<string[]> {
    const codes = newRecoveryCodes();
    const { store } = this.parts;
    await change(
      this.parts,
      this.account,
      oneself(this.account),
      'account.enrolled',
      { credential, detail: { factors } },
      () => {
        if (this.enrolments.stands(this.enrolment) === null || !store.spendEnrolment(this.enrolment.hash))
          throw new WaybillError('sign-in-refused', 'the enrolment was used, replaced or is too old');
        apply();
        setRecoveryCodes(this.parts, this.account, codes);
      },
    );
    this.pending?.secret.fill(0);
    this.pending = null;
    return codes;
  }
}

/** Inside a write. */
export function addPasskey({ store }: Pick<WebParts, 'store'>, passkey: Passkey): void {
  if (store.passkeys(passkey.account).length >= PASSKEYS_MAX)
    throw new WaybillError('option-invalid', `an account has at most ${PASSKEYS_MAX} passkeys`);
  store.addPasskey(passkey);
}

/** Inside a write; the ones before are gone with it. */
export function setRecoveryCodes({ store }: Pick<WebParts, 'store'>, { id }: Account, codes: readonly string[]): void {
  store.setRecoveryCodes(
    id,
    codes.map((code) => hashRecoveryCode(id, code)),
  );
}
