/**
 * Waybill's own user authority: who gets a certificate, for what, and which of them still signs in. The signature alone
 * opens nothing: a certificate counts only while the row of its issue stands, and only for the account in that row, so a
 * copy of the authority's key is worth nothing without the database.
 */
import { randomBytes } from 'node:crypto';
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import type { Clock } from '../base/clock.ts';
import { WaybillError } from '../base/errors.ts';
import { changed } from '../ledger/changed.ts';
import type { Json } from '../ledger/core/fields.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { parseAddressList } from '../sshkeys/addresses.ts';
import { signCertificate } from '../sshkeys/certificate-sign.ts';
import type { CertificateAuthority } from '../sshkeys/certificate-sign.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';
import type { Account } from './account.ts';
import type { AuthorityRole, CertificateStore, IssuedCertificate } from './certificate-store.ts';
import type { AccountStore } from './store.ts';

/** The key of one authority; it is made, durable, when it is first asked for. */
export interface AuthorityKey {
  /** Null while there is none. */
  readonly current: CertificateAuthority | null;
  take(): Promise<CertificateAuthority>;
}

export interface OwnAuthorityParts {
  readonly store: CertificateStore;
  readonly accounts: Pick<AccountStore, 'accountByLogin' | 'isRevoked'>;
  readonly key: AuthorityKey;
  readonly clock: Clock;
  readonly ledger: Ledger | null;
  /** The longest that a certificate may be good for. */
  readonly hours: number;
  /** Whether the credential with this id is still there. */
  readonly credentialStands: (id: string) => boolean;
}

export interface IssueWish {
  readonly login: string;
  readonly key: PublicKey;
  /** Null: as long as is allowed. */
  readonly hours: number | null;
  readonly addresses: string | null;
  readonly factors: readonly string[];
  readonly proofs: readonly string[];
  /** For the ledger, beside what it says of every certificate. */
  readonly about?: Readonly<Record<string, Json>>;
}

export interface Issue {
  readonly issued: IssuedCertificate;
  readonly certificate: Certificate;
}

const RSA_BITS_LEAST = 3072;
/** A client asks for one in the morning; whoever asks for more than this at once fills tables and the ledger. */
const STANDING_MOST = 64;
const HOUR = 3_600_000;
/** Rows of certificates that have ended are kept this long, for lists. */
const KEPT = 90 * 24 * HOUR;

export class OwnAuthority {
  private readonly parts: OwnAuthorityParts;

  constructor(parts: OwnAuthorityParts) {
    this.parts = parts;
  }

  /** Blob of the public key; null while nothing was ever issued. */
  get blob(): Buffer | null {
    return this.parts.key.current?.public.blob ?? null;
  }

  /** The longest that anybody may ask for. */
  get hours(): number {
    return this.parts.hours;
  }

  /** Throws `option-invalid` for a wish that is not granted to anybody, `permission-denied` for this account. */
  async issue(wish: IssueWish, by: Acting = LOCAL_OPERATOR): Promise<Issue> {
    checkWish(wish, this.parts.hours);
    const authority = await this.parts.key.take();
    return await this.parts.store.write(() => {
      by.within?.();
      const issue = this.sign(authority, wish, this.accountOf(wish));
      this.parts.store.addCertificate(issue.issued);
      this.record(issue.issued, by, wish.about ?? {});
      return issue;
    });
  }

  /** Looked at inside the write: a suspension that is durable counts. */
  private accountOf({ login, key, proofs }: IssueWish): Account {
    const { accounts, store, clock, credentialStands } = this.parts;
    const account = accounts.accountByLogin(login);
    if (account === null) throw new WaybillError('not-found', 'no account has this login');
    if (account.status !== 'active') throw new WaybillError('permission-denied', 'the account is suspended');
    if (accounts.isRevoked('fingerprint', '', fingerprint(key.blob)))
      throw new WaybillError('option-invalid', 'this key is revoked');
    if (!proofs.every(credentialStands))
      throw new WaybillError('permission-denied', 'the credential that was shown has been removed');
    if (store.standing(account.id, clock.now()) >= STANDING_MOST)
      throw new WaybillError('permission-denied', `the account has ${STANDING_MOST} certificates that have not ended`);
    return account;
  }

  private sign(authority: CertificateAuthority, wish: IssueWish, { id: account, tenant, login }: Account): Issue {
    const { store, clock, hours } = this.parts;
    useAuthority(this.parts, 'user', authority);
    const serial = store.nextSerial('user');
    const from = clock.now();
    // In whole seconds, as certificates have them.
    const until = Math.floor((from + (wish.hours ?? hours) * HOUR) / 1000) * 1000;
    const { key, addresses, factors, proofs } = wish;
    const certificate = signCertificate(authority, {
      role: 'user',
      key,
      serial,
      keyId: `waybill ${login} ${serial}`,
      principals: [login],
      from,
      until,
      addresses,
    });
    const id = randomBytes(16).toString('hex');
    const { blob } = certificate;
    const known = { id, serial, tenant, account, blob, fingerprint: fingerprint(key.blob) };
    return { certificate, issued: { ...known, addresses, factors, proofs, from, until, lastUsed: null } };
  }

  private record(
    issued: IssuedCertificate,
    { actor, approvedBy }: Acting,
    about: Readonly<Record<string, Json>>,
  ): void {
    const { account, id: credential, serial, fingerprint: key, addresses, factors, proofs, until } = issued;
    const shown = { factors: [...factors], proofs: [...proofs] };
    const what = { serial: serial.toString(), key, addresses, until: new Date(until).toISOString(), ...shown };
    const detail = { ...about, ...what };
    const event = changed('certificate.issue', { actor, approvedBy, account, credential, detail });
    this.parts.ledger?.append(issued.tenant, event);
  }

  /** The row of this very certificate. */
  find({ serial, blob }: Pick<Certificate, 'serial' | 'blob'>): IssuedCertificate | null {
    const issued = this.parts.store.certificate(serial);
    return issued?.blob.equals(blob) === true ? issued : null;
  }

  /** Whether what it was issued for and by is still there. Time, address and revocation are in checkCertificate. */
  stands({ proofs }: Pick<IssuedCertificate, 'proofs'>): boolean {
    return proofs.every(this.parts.credentialStands);
  }

  /** Once more by its number, inside the write of a sign-in. */
  standsBySerial(serial: bigint): boolean {
    const { store, clock, accounts, key } = this.parts;
    const issued = store.certificate(serial);
    if (issued === null || key.current === null || clock.now() >= issued.until || !this.stands(issued)) return false;
    return ![
      ['fingerprint', '', issued.fingerprint] as const,
      ['serial', fingerprint(key.current.public.blob), serial.toString()] as const,
    ].some(([kind, authority, value]) => accounts.isRevoked(kind, authority, value));
  }

  markUsed(serial: bigint, at: number): void {
    this.parts.store.markCertificate(serial, at);
  }

  /** Null = of all accounts. */
  list(account: string | null): IssuedCertificate[] {
    return this.parts.store.certificates(account);
  }

  bySerial(serial: bigint): IssuedCertificate | null {
    return this.parts.store.certificate(serial);
  }

  async sweep(): Promise<void> {
    const { store, clock } = this.parts;
    await store.write(() => {
      store.forgetCertificates(clock.now() - KEPT);
    });
  }
}

/** Inside the write of its first signature: from then on no start goes without this key. */
export function useAuthority(
  { store, clock, ledger }: Pick<OwnAuthorityParts, 'store' | 'clock' | 'ledger'>,
  role: AuthorityRole,
  { public: key }: CertificateAuthority,
): void {
  const used = store.authorityUsed(role);
  if (used?.equals(key.blob) === true) return;
  if (used !== null) throw new WaybillError('internal', 'an authority has another key than it had');
  store.useAuthority(role, key.blob, clock.now());
  const detail = { fingerprint: fingerprint(key.blob) };
  const said = { action: 'made', actor: '', approvedBy: '', what: `${role} certificate authority`, detail };
  ledger?.append(null, { kind: 'key', ...said });
}

function checkWish({ key, hours, addresses }: IssueWish, most: number): void {
  if (key.type === 'ssh-rsa' && key.bits < RSA_BITS_LEAST)
    throw new WaybillError('option-invalid', `an RSA key for a certificate must have ${RSA_BITS_LEAST} bits or more`);
  if (hours !== null && !(hours > 0 && hours <= most))
    throw new WaybillError('option-invalid', `a certificate is good for at most ${most} hours here`);
  if (addresses === null) return;
  try {
    parseAddressList(addresses);
  } catch (cause) {
    if (cause instanceof KeyRefused) throw new WaybillError('option-invalid', cause.message, { cause });
    throw cause;
  }
}
