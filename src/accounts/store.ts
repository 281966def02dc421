import type {
  Account,
  AccountStatus,
  Authority,
  Credential,
  KeyCredential,
  PasswordCredential,
  Revocation,
  RevocationKind,
  TotpCredential,
} from './account.ts';
import type { Chain } from './chains.ts';

/**
 * What accounts need of a database. Reading shows everything that is committed. Methods under "changes" are called
 * only inside the action of `write`, which is atomic, runs alone, and resolves when its effects are durable; a change
 * to what is not there answers false.
 */
export interface AccountStore {
  write<T>(action: () => T): Promise<T>;

  account(id: string): Account | null;
  accountByLogin(login: string): Account | null;
  /** In order of login; null = of all tenants. */
  accounts(tenant: string | null): Account[];
  credential(id: string): Credential | null;
  credentials(account: string): Credential[];
  passwordOf(account: string): PasswordCredential | null;
  totpOf(account: string): TotpCredential | null;
  keyOf(account: string, blob: Buffer): KeyCredential | null;
  keysOf(account: string): KeyCredential[];
  authority(id: string): Authority | null;
  /** Null = of all tenants. */
  authorities(tenant: string | null): Authority[];
  /** Since when a key that nobody used is out of use; null = it is not. */
  suspendedSince(credential: string): number | null;
  /** Keys of active accounts that were last used, added or put back into use before then, and are in use. */
  keysUnusedSince(before: number): KeyCredential[];
  isRevoked(kind: RevocationKind, authority: string, value: string): boolean;
  revocations(): Revocation[];
  /** 32 random bytes that this installation keeps for ever; made at the first start. Not secret from the operator. */
  installationSalt(): Buffer;

  // ---- changes
  /** Throws `already-exists` when the login is taken, also in other capitals. */
  addAccount(account: Account): void;
  setStatus(account: string, status: AccountStatus): boolean;
  setChains(account: string, chains: readonly Chain[]): boolean;
  setAdministrator(account: string, administrator: boolean): boolean;
  /** Credentials go with it. */
  removeAccount(account: string): boolean;
  /** A password or TOTP secret takes the place of the one before. Throws `already-exists` for a key the account has. */
  putCredential(credential: Credential): void;
  removeCredential(id: string): boolean;
  markUsed(id: string, at: number): void;
  /** True for exactly one caller per step, and never for a step at or before one that was taken. */
  spendTotpStep(credential: string, step: number): boolean;
  /** Null puts it back into use; `at` counts as a use. */
  setSuspended(credential: string, since: number | null, at: number): void;
  setKeyExpiry(credential: string, expires: number): boolean;
  addAuthority(authority: Authority): void;
  removeAuthority(id: string): boolean;
  addRevocation(revocation: Revocation): void;
}
