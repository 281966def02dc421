/** Administration of accounts and what they sign in with. Changes are durable, with their record, when a promise resolves. */
import { randomBytes } from 'node:crypto';
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import type { Clock } from '../base/clock.ts';
import { WaybillError } from '../base/errors.ts';
import type { Sealer } from '../keys/sealer.ts';
import { changed } from '../ledger/changed.ts';
import type { Json } from '../ledger/core/fields.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { AuthorizedKey } from '../sshkeys/authorized-keys.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { Account, AccountStatus, Authority, Credential, KeyCredential, Revocation } from './account.ts';
import { checkChains, DEFAULT_CHAINS, spell } from './chains.ts';
import { isFingerprint, readKeyLine } from './key-lines.ts';
import { isLogin, LOGIN_RULE } from './login.ts';
import type { BreachedPasswords } from './breached-passwords.ts';
import { checkPasswordRules, hashPassword, isLongAlone } from './passwords.ts';
import type { AccountStore } from './store.ts';
import { totpPurpose } from './totp-secret.ts';
import { base32, TOTP_SECRET_BYTES, totpUri } from './totp.ts';
import type { AccountKind, WebStore } from './web/store.ts';

export interface AccountsParts {
  readonly store: AccountStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Null where no record is wanted (tests). */
  readonly ledger: Ledger | null;
  /** The name that authenticator apps show. */
  readonly issuer: string;
  /** Where it is written who is a service; without it there are only people (tests). */
  readonly kinds?: Pick<WebStore, 'setKind'>;
  /** What no new password may be among. */
  readonly breached?: BreachedPasswords;
}

export interface NewAccount {
  readonly tenant: string;
  readonly login: string;
  readonly displayName: string;
  readonly administrator: boolean;
  /** A person when left out. */
  readonly kind?: AccountKind;
}

const KEYS_MAX = 64;
/** Label of a password that may sign in alone: its length cannot be told from its hash later. */
const LONG = 'long';

export class Accounts {
  private readonly parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.parts = parts;
  }

  async create(
    { tenant, login, displayName, administrator, kind = 'person' }: NewAccount,
    by: Acting = LOCAL_OPERATOR,
  ): Promise<Account> {
    if (!isLogin(login)) throw new WaybillError('option-invalid', `a login is ${LOGIN_RULE}`);
    const common = { id: newId(), created: this.parts.clock.now() };
    const account: Account = {
      ...common,
      tenant,
      login,
      displayName,
      administrator,
      status: 'active',
      chains: DEFAULT_CHAINS,
    };
    await this.change(account, by, 'account.add', { login, administrator, kind }, () => {
      this.parts.store.addAccount(account);
      if (kind !== 'person') this.writeKind(account.id, kind);
    });
    return account;
  }

  private writeKind(account: string, kind: AccountKind): void {
    const { kinds } = this.parts;
    if (kinds === undefined) throw new WaybillError('internal', 'there is no place for kinds of accounts');
    kinds.setKind(account, kind);
  }

  /** Throws `not-found`. */
  get(login: string): Account {
    const account = this.parts.store.accountByLogin(login);
    if (account === null) throw new WaybillError('not-found', 'no account has this login');
    return account;
  }

  /** By its id; null when it is gone. */
  find(id: string): Account | null {
    return this.parts.store.account(id);
  }

  /** Null = of all tenants. */
  list(tenant: string | null): Account[] {
    return this.parts.store.accounts(tenant);
  }

  /** Sign-ins fail from here on; sessions that are open are the caller's to end. */
  suspend(login: string, by: Acting = LOCAL_OPERATOR): Promise<Account> {
    return this.setStatus(login, 'suspended', by);
  }

  activate(login: string, by: Acting = LOCAL_OPERATOR): Promise<Account> {
    return this.setStatus(login, 'active', by);
  }

  private async setStatus(login: string, status: AccountStatus, by: Acting): Promise<Account> {
    const account = this.get(login);
    await this.change(account, by, 'account.status', { status }, () => {
      present(this.parts.store.setStatus(account.id, status));
    });
    return this.get(login);
  }

  async setChains(
    login: string,
    chains: readonly (readonly string[])[],
    by: Acting = LOCAL_OPERATOR,
  ): Promise<Account> {
    const account = this.get(login);
    const checked = checkChains(chains);
    const password = this.parts.store.passwordOf(account.id);
    if (checked.some(isPasswordAlone) && password !== null && password.label !== LONG)
      throw new WaybillError(
        'option-invalid',
        'the password was set to be used with another step and may be short; take it away before, and set a new one after',
      );
    await this.change(account, by, 'account.require', { chains: checked.map(spell) }, () => {
      present(this.parts.store.setChains(account.id, checked));
    });
    return this.get(login);
  }

  /** `also` runs in the same transaction: what other rooms hold for the account goes with it or not at all. */
  async remove(
    login: string,
    also: (account: Account) => void = () => undefined,
    by: Acting = LOCAL_OPERATOR,
  ): Promise<Account> {
    const account = this.get(login);
    await this.change(account, by, 'account.remove', { login }, () => {
      present(this.parts.store.removeAccount(account.id));
      also(account);
    });
    return account;
  }

  /** Null takes the password away. Having one does not let it sign in alone: that is `setChains`. */
  async setPassword(login: string, password: string | null, by: Acting = LOCAL_OPERATOR): Promise<Account> {
    const account = this.get(login);
    if (password === null) return this.removeOfKind(account, 'password', by);
    await this.checkNewPassword(password, account);
    const hash = await hashPassword(Buffer.from(password));
    const label = isLongAlone(password) ? LONG : '';
    const credential: Credential = { ...this.fresh(account, label), kind: 'password', hash };
    await this.put(account, by, 'account.password', credential, {});
    return account;
  }

  /** Throws `option-invalid` saying which rule is not met. */
  async checkNewPassword(password: string, { login, chains }: Pick<Account, 'login' | 'chains'>): Promise<void> {
    checkPasswordRules(password, login, chains.some(isPasswordAlone));
    if ((await this.parts.breached?.contains(password)) === true)
      throw new WaybillError(
        'option-invalid',
        'the password is known from a breach; choose one that you use nowhere else',
      );
  }

  /** `line` is one of an authorized_keys file. Throws `option-invalid` with what is wrong about it. */
  async addKey(login: string, line: string, by: Acting = LOCAL_OPERATOR): Promise<KeyCredential> {
    const account = this.get(login);
    const { key, comment, certAuthority, restrictions } = this.usableKey(line);
    if (certAuthority)
      throw new WaybillError('option-invalid', 'an authority belongs to a tenant, not to an account: add it there');
    if (this.parts.store.keysOf(account.id).length >= KEYS_MAX)
      throw new WaybillError('option-invalid', `an account has at most ${KEYS_MAX} keys`);
    const print = fingerprint(key.blob);
    const material = { algorithm: key.type, blob: key.blob, fingerprint: print, restrictions };
    const credential: KeyCredential = { ...this.fresh(account, comment), kind: 'key', ...material };
    await this.put(account, by, 'key.add', credential, { fingerprint: print });
    return credential;
  }

  credentials(login: string): Credential[] {
    return this.parts.store.credentials(this.get(login).id);
  }

  /** Throws `not-found`. Answers what it was, so that its sessions can be ended. */
  async removeCredential(id: string, by: Acting = LOCAL_OPERATOR): Promise<Credential> {
    const credential = this.parts.store.credential(id);
    const account = credential === null ? null : this.parts.store.account(credential.account);
    if (credential === null || account === null) throw new WaybillError('not-found', 'no credential has this id');
    await this.change(account, by, 'credential.remove', { kind: credential.kind, credential: id }, () => {
      present(this.parts.store.removeCredential(id));
    });
    return credential;
  }

  /** A new secret takes the place of the old one at once; it is answered here and never again. */
  async enrolTotp(login: string, by: Acting = LOCAL_OPERATOR): Promise<{ secret: string; uri: string }> {
    const account = this.get(login);
    const common = this.fresh(account, '');
    const raw = randomBytes(TOTP_SECRET_BYTES);
    const sealed = this.parts.sealer.seal(totpPurpose(account.id, common.id), raw);
    const secret = base32(raw);
    raw.fill(0);
    await this.put(account, by, 'account.totp-enrol', { ...common, kind: 'totp', sealed, lastStep: 0 }, {});
    return { secret, uri: totpUri(this.parts.issuer, login, secret) };
  }

  removeTotp(login: string, by: Acting = LOCAL_OPERATOR): Promise<Account> {
    return this.removeOfKind(this.get(login), 'totp', by);
  }

  private async removeOfKind(account: Account, kind: 'password' | 'totp', by: Acting): Promise<Account> {
    const { store } = this.parts;
    const credential = kind === 'password' ? store.passwordOf(account.id) : store.totpOf(account.id);
    if (credential !== null) await this.removeCredential(credential.id, by);
    return account;
  }

  /** A key whose user certificates sign in the accounts of this tenant whose login is among the principals. */
  async addCertificateAuthority(tenant: string, line: string, by: Acting = LOCAL_OPERATOR): Promise<Authority> {
    const { key, comment, restrictions } = this.usableKey(line);
    const { from, expires, verifyRequired, touchRequired } = restrictions;
    if (from !== null || expires !== null || verifyRequired || !touchRequired)
      throw new WaybillError(
        'option-invalid',
        'options of an authority are not supported; write them in its certificates',
      );
    const common = { id: newId(), tenant, label: comment, created: this.parts.clock.now(), lastUsed: null };
    const print = fingerprint(key.blob);
    const authority: Authority = { ...common, algorithm: key.type, blob: key.blob, fingerprint: print };
    await this.change({ tenant, id: null }, by, 'key.add-authority', { fingerprint: print }, () => {
      this.parts.store.addAuthority(authority);
    });
    return authority;
  }

  /** Null = of all tenants. */
  authorities(tenant: string | null): Authority[] {
    return this.parts.store.authorities(tenant);
  }

  async removeCertificateAuthority(id: string, by: Acting = LOCAL_OPERATOR): Promise<Authority> {
    const authority = this.parts.store.authority(id);
    if (authority === null) throw new WaybillError('not-found', 'no certificate authority has this id');
    await this.change({ tenant: authority.tenant, id: null }, by, 'authority.remove', { authority: id }, () => {
      present(this.parts.store.removeAuthority(id));
    });
    return authority;
  }

  /** `what` is a key line or a fingerprint; the key never signs in again, alone, certified or as an authority. Answers its fingerprint. */
  async revoke(what: string, by: Acting = LOCAL_OPERATOR): Promise<string> {
    const value = isFingerprint(what.trim()) ? what.trim() : fingerprint(readKeyLine(what).key.blob);
    await this.addRevocation({ kind: 'fingerprint', authority: '', value }, by);
    return value;
  }

  /** Of certificates that one authority signed. `authority` is its fingerprint; serial 0 numbers nothing. */
  async revokeCertificates(
    kind: 'serial' | 'key-id',
    authority: string,
    value: string,
    by: Acting = LOCAL_OPERATOR,
  ): Promise<Revocation> {
    if (!isFingerprint(authority)) throw new WaybillError('option-invalid', 'an authority is named by its fingerprint');
    return this.addRevocation({ kind, authority, value: kind === 'serial' ? checkSerial(value) : value }, by);
  }

  revocations(): Revocation[] {
    return this.parts.store.revocations();
  }

  private async addRevocation(named: Omit<Revocation, 'created'>, by: Acting): Promise<Revocation> {
    const revocation = { ...named, created: this.parts.clock.now() };
    await this.change({ tenant: null, id: null }, by, 'key.revoke', named, () => {
      this.parts.store.addRevocation(revocation);
    });
    return revocation;
  }

  private usableKey(line: string): AuthorizedKey {
    const found = readKeyLine(line);
    if (this.parts.store.isRevoked('fingerprint', '', fingerprint(found.key.blob)))
      throw new WaybillError('option-invalid', 'this key is revoked');
    return found;
  }

  private fresh(account: Account, label: string) {
    return { id: newId(), account: account.id, label, created: this.parts.clock.now(), lastUsed: null };
  }

  private put(
    account: Account,
    by: Acting,
    action: string,
    credential: Credential,
    detail: Readonly<Record<string, Json>>,
  ): Promise<void> {
    return this.change(account, by, action, { credential: credential.id, ...detail }, () => {
      // The account may have been removed while a hash was computed.
      present(this.parts.store.account(account.id) !== null);
      this.parts.store.putCredential(credential);
    });
  }

  private change(
    target: { readonly tenant: string | null; readonly id: string | null },
    by: Acting,
    action: string,
    detail: Readonly<Record<string, Json>>,
    apply: () => void,
  ): Promise<void> {
    return this.parts.store.write(() => {
      by.within?.();
      apply();
      const { tenant, id: account } = target;
      const { credential: named, ...more } = detail;
      const credential = typeof named === 'string' ? named : '';
      const { actor, approvedBy } = by;
      const event = changed(action, { actor, approvedBy, account, credential, detail: more });
      this.parts.ledger?.append(tenant, event);
    });
  }
}

function isPasswordAlone(chain: readonly string[]): boolean {
  return chain.length === 1 && chain[0] === 'password';
}

function newId(): string {
  return randomBytes(16).toString('hex');
}

function present(found: boolean): void {
  if (!found) throw new WaybillError('not-found', 'it has been removed meanwhile');
}

/** In its one decimal form, as certificates are compared with it. */
function checkSerial(text: string): string {
  const serial = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
  if (serial < 1n || serial >= 2n ** 64n)
    throw new WaybillError('option-invalid', 'a serial is a number from 1 to 2^64 - 1');
  return serial.toString();
}
