import type { StatementSync } from 'node:sqlite';
import type {
  AccountKind,
  ApiToken,
  Enrolment,
  Passkey,
  SignInPolicy,
  WebSession,
  WebStore,
} from '../../accounts/web/store.ts';
import { one } from './account-rows.ts';
import type { Database } from './database.ts';
import { taken } from './taken.ts';
import { proofsOf, toEnrolment, toPasskey, toToken, toWebSession, WEB_SCHEMA } from './web-schema.ts';

const STATEMENTS = {
  tokenByHash: 'SELECT * FROM api_tokens WHERE hash = ?',
  token: 'SELECT * FROM api_tokens WHERE id = ?',
  tokens: 'SELECT * FROM api_tokens WHERE ?1 IS NULL OR account = ?1 ORDER BY created, id',
  addToken: 'INSERT INTO api_tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  setToken: 'UPDATE api_tokens SET expires = ?2, last_used = ?3, suspended = ?4, successor = ?5 WHERE id = ?1',
  removeToken: 'DELETE FROM api_tokens WHERE id = ?',

  passkey: 'SELECT * FROM passkeys WHERE id = ?',
  passkeyByCredential: 'SELECT * FROM passkeys WHERE credential = ?',
  passkeys: 'SELECT * FROM passkeys WHERE account = ? ORDER BY created, id',
  addPasskey: 'INSERT INTO passkeys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  removePasskey: 'DELETE FROM passkeys WHERE id = ?',
  usePasskey: `UPDATE passkeys SET counter = ?2, last_used = ?3
    WHERE id = ?1 AND (counter < ?2 OR (counter = 0 AND ?2 = 0))`,

  recoveryCodes: 'SELECT count(*) AS left FROM recovery_codes WHERE account = ?',
  removeRecoveryCodes: 'DELETE FROM recovery_codes WHERE account = ?',
  addRecoveryCode: 'INSERT INTO recovery_codes VALUES (?, ?)',
  spendRecoveryCode: 'DELETE FROM recovery_codes WHERE account = ? AND hash = ?',

  sessionByHash: 'SELECT * FROM web_sessions WHERE hash = ?',
  session: 'SELECT * FROM web_sessions WHERE id = ?',
  sessions: 'SELECT * FROM web_sessions WHERE account = ? ORDER BY begun, id',
  addSession: 'INSERT INTO web_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  touchSession: 'UPDATE web_sessions SET last_used = max(last_used, ?2), strong = coalesce(?3, strong) WHERE id = ?1',
  removeSession: 'DELETE FROM web_sessions WHERE id = ?',
  removeSessionsBefore: 'DELETE FROM web_sessions WHERE begun < ? OR last_used < ?',

  enrolmentByHash: 'SELECT * FROM enrolments WHERE hash = ?',
  hasEnrolment: 'SELECT 1 FROM enrolments WHERE account = ?',
  putEnrolment: 'INSERT OR REPLACE INTO enrolments VALUES (?, ?, ?, ?)',
  spendEnrolment: 'DELETE FROM enrolments WHERE hash = ?',

  kind: 'SELECT kind FROM account_kinds WHERE account = ?',
  setKind: 'INSERT OR REPLACE INTO account_kinds VALUES (?, ?)',
  policy: 'SELECT policy FROM web_policies WHERE tenant = ?',
  setPolicy: 'INSERT OR REPLACE INTO web_policies VALUES (?, ?)',
} as const;

export class SqliteWeb implements WebStore {
  private readonly database: Database;
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  /** After SqliteAccounts: its tables are named here. */
  constructor(database: Database) {
    this.database = database;
    database.define(WEB_SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  tokenByHash(hash: Buffer): ApiToken | null {
    return one(this.sql.tokenByHash.get(hash), toToken);
  }

  token(id: string): ApiToken | null {
    return one(this.sql.token.get(id), toToken);
  }

  tokens(account: string | null): ApiToken[] {
    return this.sql.tokens.all(account).map(toToken);
  }

  addToken(token: ApiToken): void {
    const { id, account, label, hash, scopes, addresses, created, expires, lastUsed, suspended, successor } = token;
    const times = [created, expires, lastUsed, suspended] as const;
    taken('this token is known already', () =>
      this.sql.addToken.run(id, account, label, hash, JSON.stringify(scopes), addresses, ...times, successor),
    );
  }

  setToken(
    id: string,
    { expires, lastUsed, suspended, successor }: Pick<ApiToken, 'expires' | 'lastUsed' | 'suspended' | 'successor'>,
  ): boolean {
    return this.sql.setToken.run(id, expires, lastUsed, suspended, successor).changes === 1;
  }

  removeToken(id: string): boolean {
    return this.sql.removeToken.run(id).changes === 1;
  }

  passkey(id: string): Passkey | null {
    return one(this.sql.passkey.get(id), toPasskey);
  }

  passkeyByCredential(credential: Buffer): Passkey | null {
    return one(this.sql.passkeyByCredential.get(credential), toPasskey);
  }

  passkeys(account: string): Passkey[] {
    return this.sql.passkeys.all(account).map(toPasskey);
  }

  addPasskey(passkey: Passkey): void {
    const { id, account, label, credential, publicKey, counter, rpId, transports, created, lastUsed } = passkey;
    const rest = [counter, rpId, JSON.stringify(transports), created, lastUsed] as const;
    taken('this passkey is known already', () =>
      this.sql.addPasskey.run(id, account, label, credential, publicKey, ...rest),
    );
  }

  removePasskey(id: string): boolean {
    return this.sql.removePasskey.run(id).changes === 1;
  }

  usePasskey(id: string, counter: number, at: number): boolean {
    return this.sql.usePasskey.run(id, counter, at).changes === 1;
  }

  recoveryCodes(account: string): number {
    return Number(this.sql.recoveryCodes.get(account)?.['left']);
  }

  setRecoveryCodes(account: string, hashes: readonly Buffer[]): void {
    this.sql.removeRecoveryCodes.run(account);
    for (const hash of hashes) this.sql.addRecoveryCode.run(account, hash);
  }

  spendRecoveryCode(account: string, hash: Buffer): boolean {
    return this.sql.spendRecoveryCode.run(account, hash).changes === 1;
  }

  sessionByHash(hash: Buffer): WebSession | null {
    return one(this.sql.sessionByHash.get(hash), toWebSession);
  }

  session(id: string): WebSession | null {
    return one(this.sql.session.get(id), toWebSession);
  }

  sessions(account: string): WebSession[] {
    return this.sql.sessions.all(account).map(toWebSession);
  }

  addSession(session: WebSession): void {
    const { id, hash, account, address, client, begun, lastUsed, strong } = session;
    this.sql.addSession.run(id, hash, account, proofsOf(session), address, client, begun, lastUsed, strong);
  }

  touchSession(id: string, lastUsed: number, strong: number | null): boolean {
    return this.sql.touchSession.run(id, lastUsed, strong).changes === 1;
  }

  removeSession(id: string): boolean {
    return this.sql.removeSession.run(id).changes === 1;
  }

  removeSessionsBefore(begun: number, lastUsed: number): void {
    this.sql.removeSessionsBefore.run(begun, lastUsed);
  }

  enrolmentByHash(hash: Buffer): Enrolment | null {
    return one(this.sql.enrolmentByHash.get(hash), toEnrolment);
  }

  hasEnrolment(account: string): boolean {
    return this.sql.hasEnrolment.get(account) !== undefined;
  }

  putEnrolment({ hash, account, created, expires }: Enrolment): void {
    this.sql.putEnrolment.run(account, hash, created, expires);
  }

  spendEnrolment(hash: Buffer): boolean {
    return this.sql.spendEnrolment.run(hash).changes === 1;
  }

  kindOf(account: string): AccountKind {
    return (this.sql.kind.get(account)?.['kind'] ?? 'person') as AccountKind;
  }

  setKind(account: string, kind: AccountKind): void {
    this.sql.setKind.run(account, kind);
  }

  policyOf(tenant: string): SignInPolicy {
    return (this.sql.policy.get(tenant)?.['policy'] ?? 'mfa') as SignInPolicy;
  }

  setPolicy(tenant: string, policy: SignInPolicy): void {
    this.sql.setPolicy.run(tenant, policy);
  }
}
