/**
 * Passkeys (WebAuthn level 3, sections 7.1 and 7.2): discoverable, with user verification, without attestation. A
 * challenge is 256 random bits that belong to one ceremony; it is taken out before an answer is looked at, so that no
 * answer is ever looked at twice, and a second question voids the first.
 */
import { randomBytes } from 'node:crypto';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { newId } from '../../base/ids.ts';
import type { Account } from '../account.ts';
import type { Origin, Origins } from './origins.ts';
import type { WebParts } from './parts.ts';
import type { Passkey } from './store.ts';

const CHALLENGE_BYTES = 32;
const LIFE_MILLISECONDS = 300_000;
/** EdDSA, ES256, RS256: what authenticators have. */
const ALGORITHMS = [-8, -7, -257];
export const PASSKEYS_MAX = 20;

/** What a browser sends, in WebAuthn's own JSON. The broker's schema has bounded it. */
export interface PasskeyAnswer {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly clientExtensionResults: Readonly<Record<string, unknown>>;
  readonly authenticatorAttachment?: string | undefined;
}
export interface PasskeyAssertion extends PasskeyAnswer {
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
    readonly userHandle?: string | null | undefined;
  };
}
export interface PasskeyRegistration extends PasskeyAnswer {
  readonly response: {
    readonly clientDataJSON: string;
    readonly attestationObject: string;
    readonly transports?: string[] | undefined;
  };
}

export type PasskeyFault =
  | 'passkey-not-asked'
  | 'passkey-expired'
  | 'passkey-unknown'
  | 'passkey-other-account'
  | 'passkey-refused'
  | 'passkey-counter'
  | 'account-suspended'
  | 'policy';

export type PasskeyVerdict =
  | { readonly passed: true; readonly passkey: Passkey; readonly account: Account }
  | { readonly passed: false; readonly fault: PasskeyFault; readonly account: Account | null };

/** One question at a time; of one sign-in, one session or one enrolment, and never shared between them. */
export class Challenge {
  private pending: { readonly text: string; readonly use: string; readonly until: number } | null = null;

  ask(use: 'get' | 'create', now: number): string {
    const text = randomBytes(CHALLENGE_BYTES).toString('base64url');
    this.pending = { text, use, until: now + LIFE_MILLISECONDS };
    return text;
  }

  /** For one answer, right or wrong. */
  take(
    use: 'get' | 'create',
    now: number,
  ): { readonly text: string } | { readonly text: null; readonly fault: PasskeyFault } {
    const { pending } = this;
    this.pending = null;
    if (pending?.use !== use) return { text: null, fault: 'passkey-not-asked' };
    return now < pending.until ? { text: pending.text } : { text: null, fault: 'passkey-expired' };
  }
}

export class Passkeys {
  private readonly parts: WebParts;
  readonly origins: Origins;

  constructor(parts: WebParts, origins: Origins) {
    this.parts = parts;
    this.origins = origins;
  }

  /** `only`: credentials of an account that is known already; empty lets the authenticator find its own. */
  requestOptions(rpId: string, challenge: string, only: readonly Passkey[] = []) {
    const allowCredentials = only.filter((one) => one.rpId === rpId).map(described);
    return { challenge, rpId, timeout: LIFE_MILLISECONDS, userVerification: 'required' as const, allowCredentials };
  }

  creationOptions(rpId: string, challenge: string, account: Account) {
    const known = this.parts.store.passkeys(account.id).filter((one) => one.rpId === rpId);
    return {
      challenge,
      rp: { id: rpId, name: 'Waybill' },
      user: { id: handleOf(account), name: account.login, displayName: account.displayName || account.login },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key' as const, alg })),
      timeout: LIFE_MILLISECONDS,
      attestation: 'none' as const,
      excludeCredentials: known.map(described),
      authenticatorSelection: {
        residentKey: 'required' as const,
        requireResidentKey: true,
        userVerification: 'required' as const,
      },
    };
  }

  /** `owner`: whose it must be; null is whoever it belongs to. A step that counts: its counter is durable afterwards. */
  async assert(
    challenge: Challenge,
    { rpId }: Pick<Origin, 'rpId'>,
    answer: PasskeyAssertion,
    owner: string | null,
  ): Promise<PasskeyVerdict> {
    const { store, accounts, clock } = this.parts;
    const expected = challenge.take('get', clock.now());
    if (expected.text === null) return fault(expected.fault);
    const passkey = store.passkeyByCredential(Buffer.from(answer.id, 'base64url'));
    const account = passkey === null ? null : accounts.account(passkey.account);
    if (passkey === null || account === null || rpId === null || passkey.rpId !== rpId) return fault('passkey-unknown');
    // Section 7.2 step 6: who is not known before is named by the authenticator, and named right.
    const userHandle = answer.response.userHandle ?? (owner === null ? '' : handleOf(account));
    if (userHandle !== handleOf(account) || (owner !== null && owner !== account.id))
      return fault('passkey-other-account', account);
    const found = await this.verified(expected.text, rpId, answer, passkey);
    if (found === null) return fault('passkey-refused', account);
    if (account.status !== 'active') return fault('account-suspended', account);
    const used = await store.write(() => store.usePasskey(passkey.id, found.counter, clock.now()));
    return used ? { passed: true, passkey, account } : fault('passkey-counter', account);
  }

  private async verified(expected: string, rpId: string, answer: PasskeyAssertion, passkey: Passkey) {
    if (isForeignFrame(answer.response.clientDataJSON)) return null;
    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response: answer as unknown as AuthenticationResponseJSON,
        expectedChallenge: expected,
        expectedOrigin: this.origins.of(rpId),
        expectedRPID: rpId,
        requireUserVerification: true,
        // The counter is judged in the write that moves it: two answers at once cannot both be the next one.
        credential: { id: answer.id, publicKey: new Uint8Array(passkey.publicKey), counter: 0 },
      });
      return verified && authenticationInfo.userVerified ? { counter: authenticationInfo.newCounter } : null;
    } catch {
      // It throws for whatever does not fit, also for malformed bytes.
      return null;
    }
  }

  /** A passkey that is not stored yet, or why there is none. */
  async register(
    challenge: Challenge,
    { rpId }: Pick<Origin, 'rpId'>,
    answer: PasskeyRegistration,
    account: Account,
    label: string,
  ): Promise<Passkey | PasskeyFault> {
    const now = this.parts.clock.now();
    const expected = challenge.take('create', now);
    if (expected.text === null) return expected.fault;
    if (rpId === null || isForeignFrame(answer.response.clientDataJSON)) return 'passkey-refused';
    const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
    try {
      const { verified, registrationInfo } = await verifyRegistrationResponse({
        response: answer as unknown as RegistrationResponseJSON,
        expectedChallenge: expected.text,
        expectedOrigin: this.origins.of(rpId),
        expectedRPID: rpId,
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      });
      // Other statements than none come only from who was not asked for one; nothing here could judge them.
      if (!verified || registrationInfo.fmt !== 'none' || !registrationInfo.userVerified) return 'passkey-refused';
      const { id, publicKey, counter } = registrationInfo.credential;
      const transports = (answer.response.transports ?? []).filter((one) => TRANSPORTS.has(one));
      const bytes = { credential: Buffer.from(id, 'base64url'), publicKey: Buffer.from(publicKey), counter };
      return { id: newId(), account: account.id, label, ...bytes, rpId, transports, created: now, lastUsed: null };
    } catch {
      return 'passkey-refused';
    }
  }
}

const TRANSPORTS: ReadonlySet<string> = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']);

/** Random already, and tells nothing of the person (WebAuthn section 14.6.1). */
function handleOf({ id }: Pick<Account, 'id'>): string {
  return Buffer.from(id, 'hex').toString('base64url');
}

function described({ credential, transports }: Passkey) {
  return { type: 'public-key' as const, id: credential.toString('base64url'), transports: [...transports] };
}

/** Our pages are in nobody's frame. The library allows it where a browser does not say whose frame it was. */
function isForeignFrame(clientData: string): boolean {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(clientData, 'base64url').toString('utf8'));
    return typeof parsed !== 'object' || parsed === null || ('crossOrigin' in parsed && parsed.crossOrigin !== false);
  } catch {
    return true;
  }
}

function fault(code: PasskeyFault, account: Account | null = null): PasskeyVerdict {
  return { passed: false, fault: code, account };
}
