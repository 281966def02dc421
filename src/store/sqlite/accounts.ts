import { randomBytes } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
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
} from '../../accounts/account.ts';
import type { Chain } from '../../accounts/chains.ts';
import type { AccountStore } from '../../accounts/store.ts';
import {
  ACCOUNTS_SCHEMA,
  columnsOf,
  one,
  saltOf,
  toAccount,
  toAuthority,
  toCredential,
  toKey,
  toPassword,
  toRevocation,
  toTotp,
} from './account-rows.ts';
import type { Database } from './database.ts';
import { taken } from './taken.ts';

const STATEMENTS = {
  account: 'SELECT * FROM accounts WHERE id = ?',
  // Logins are told apart in bytes; only taking a second one that differs in capitals is refused.
  accountByLogin: 'SELECT * FROM accounts WHERE login = ?1 AND login COLLATE BINARY = ?1',
  accounts: 'SELECT * FROM accounts WHERE ?1 IS NULL OR tenant = ?1 ORDER BY login',
  addAccount: 'INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  setStatus: 'UPDATE accounts SET status = ?2 WHERE id = ?1',
  setChains: 'UPDATE accounts SET chains = ?2 WHERE id = ?1',
  setAdministrator: 'UPDATE accounts SET administrator = ?2 WHERE id = ?1',
  removeAccount: 'DELETE FROM accounts WHERE id = ?',

  credential: 'SELECT * FROM credentials WHERE id = ?',
  credentials: 'SELECT * FROM credentials WHERE account = ? ORDER BY created, id',
  ofKind: 'SELECT * FROM credentials WHERE account = ? AND kind = ? ORDER BY created, id',
  key: 'SELECT * FROM credentials WHERE account = ? AND blob = ?',
  removeSingle: 'DELETE FROM credentials WHERE account = ? AND kind = ? AND single = 1',
  addCredential: `INSERT INTO credentials (id, account, kind, label, created, last_used, hash, sealed, last_step, algorithm,
    blob, fingerprint, sources, expires, verify_required, touch_required) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
  removeCredential: 'DELETE FROM credentials WHERE id = ?',
  markCredential: 'UPDATE credentials SET last_used = ?2 WHERE id = ?1',
  markAuthority: 'UPDATE authorities SET last_used = ?2 WHERE id = ?1',
  spendStep: "UPDATE credentials SET last_step = ?2 WHERE id = ?1 AND kind = 'totp' AND last_step < ?2",

  suspended: 'SELECT suspended FROM credential_rests WHERE credential = ?',
  setSuspended: `INSERT INTO credential_rests VALUES (?1, ?2, ?3)
    ON CONFLICT (credential) DO UPDATE SET suspended = ?2, changed = ?3`,
  unused: `SELECT c.* FROM credentials c JOIN accounts a ON a.id = c.account
    LEFT JOIN credential_rests r ON r.credential = c.id
    WHERE c.kind = 'key' AND a.status = 'active' AND r.suspended IS NULL
    AND max(c.created, coalesce(c.last_used, 0), coalesce(r.changed, 0)) < ?`,
  setExpiry: "UPDATE credentials SET expires = ?2 WHERE id = ?1 AND kind = 'key'",

  authority: 'SELECT * FROM authorities WHERE id = ?',
  authorities: 'SELECT * FROM authorities WHERE ?1 IS NULL OR tenant = ?1 ORDER BY created, id',
  addAuthority: 'INSERT INTO authorities VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  removeAuthority: 'DELETE FROM authorities WHERE id = ?',
  isRevoked: 'SELECT 1 FROM revocations WHERE kind = ? AND authority = ? AND value = ?',
  revocations: 'SELECT * FROM revocations ORDER BY created, value',
  addRevocation: 'INSERT INTO revocations (kind, authority, value, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',

  salt: 'SELECT salt FROM installation',
  addSalt: 'INSERT INTO installation (only, salt) VALUES (1, ?) ON CONFLICT DO NOTHING',
} as const;

export class SqliteAccounts implements AccountStore {
  private readonly database: Database;
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;
  private salt: Buffer | null = null;

  constructor(database: Database) {
    this.database = database;
    database.define(ACCOUNTS_SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
    if (!database.readOnly) this.sql.addSalt.run(randomBytes(32));
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  account(id: string): Account | null {
    return one(this.sql.account.get(id), toAccount);
  }

  accountByLogin(login: string): Account | null {
    return one(this.sql.accountByLogin.get(login), toAccount);
  }

  accounts(tenant: string | null): Account[] {
    return this.sql.accounts.all(tenant).map(toAccount);
  }

  credential(id: string): Credential | null {
    return one(this.sql.credential.get(id), toCredential);
  }

  credentials(account: string): Credential[] {
    return this.sql.credentials.all(account).map(toCredential);
  }

  passwordOf(account: string): PasswordCredential | null {
    return one(this.sql.ofKind.get(account, 'password'), toPassword);
  }

  totpOf(account: string): TotpCredential | null {
    return one(this.sql.ofKind.get(account, 'totp'), toTotp);
  }

  keyOf(account: string, blob: Buffer): KeyCredential | null {
    return one(this.sql.key.get(account, blob), toKey);
  }

  keysOf(account: string): KeyCredential[] {
    return this.sql.ofKind.all(account, 'key').map(toKey);
  }

  suspendedSince(credential: string): number | null {
    return (this.sql.suspended.get(credential)?.['suspended'] as number | null | undefined) ?? null;
  }

  keysUnusedSince(before: number): KeyCredential[] {
    return this.sql.unused.all(before).map(toKey);
  }

  authority(id: string): Authority | null {
    return one(this.sql.authority.get(id), toAuthority);
  }

  authorities(tenant: string | null): Authority[] {
    return this.sql.authorities.all(tenant).map(toAuthority);
  }

  isRevoked(kind: RevocationKind, authority: string, value: string): boolean {
    return this.sql.isRevoked.get(kind, authority, value) !== undefined;
  }

  revocations(): Revocation[] {
    return this.sql.revocations.all().map(toRevocation);
  }

  installationSalt(): Buffer {
    return (this.salt ??= saltOf(this.sql.salt.get()));
  }

  addAccount({ id, tenant, login, displayName, administrator, status, chains, created }: Account): void {
    taken('the login is taken', () =>
      this.sql.addAccount.run(
        id,
        tenant,
        login,
        displayName,
        Number(administrator),
        status,
        JSON.stringify(chains),
        created,
      ),
    );
  }

  setStatus(account: string, status: AccountStatus): boolean {
    return this.sql.setStatus.run(account, status).changes === 1;
  }

  setChains(account: string, chains: readonly Chain[]): boolean {
    return this.sql.setChains.run(account, JSON.stringify(chains)).changes === 1;
  }

  setAdministrator(account: string, administrator: boolean): boolean {
    return this.sql.setAdministrator.run(account, Number(administrator)).changes === 1;
  }

  removeAccount(account: string): boolean {
    return this.sql.removeAccount.run(account).changes === 1;
  }

  putCredential(credential: Credential): void {
    const { id, account, kind, label, created, lastUsed } = credential;
    if (kind !== 'key') this.sql.removeSingle.run(account, kind);
    const own = columnsOf(credential);
    taken('the account has this key already', () =>
      this.sql.addCredential.run(id, account, kind, label, created, lastUsed, ...own),
    );
  }

  removeCredential(id: string): boolean {
    return this.sql.removeCredential.run(id).changes === 1;
  }

  markUsed(id: string, at: number): void {
    if (this.sql.markCredential.run(id, at).changes === 0) this.sql.markAuthority.run(id, at);
  }

  spendTotpStep(credential: string, step: number): boolean {
    return this.sql.spendStep.run(credential, step).changes === 1;
  }

  setSuspended(credential: string, since: number | null, at: number): void {
    this.sql.setSuspended.run(credential, since, at);
  }

  setKeyExpiry(credential: string, expires: number): boolean {
    return this.sql.setExpiry.run(credential, expires).changes === 1;
  }

  addAuthority({ id, tenant, label, algorithm, blob, fingerprint, created, lastUsed }: Authority): void {
    taken('the tenant has this authority already', () =>
      this.sql.addAuthority.run(id, tenant, label, algorithm, blob, fingerprint, created, lastUsed),
    );
  }

  removeAuthority(id: string): boolean {
    return this.sql.removeAuthority.run(id).changes === 1;
  }

  addRevocation({ kind, authority, value, created }: Revocation): void {
    this.sql.addRevocation.run(kind, authority, value, created);
  }
}
