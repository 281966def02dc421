/** How accounts and credentials lie in SQLite. */
import type { SQLOutputValue } from 'node:sqlite';
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
import { WaybillError } from '../../base/errors.ts';

// `single` is 1 for kinds of which an account has one at most, null for keys: NULLs do not collide in an index.
export const ACCOUNTS_SCHEMA = `
CREATE TABLE IF NOT EXISTS accounts (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, login TEXT NOT NULL COLLATE NOCASE UNIQUE, display_name TEXT NOT NULL,
  administrator INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('active', 'suspended')),
  chains TEXT NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS accounts_tenant ON accounts (tenant, login);
CREATE TABLE IF NOT EXISTS credentials (
  id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('password', 'key', 'totp')), label TEXT NOT NULL,
  created INTEGER NOT NULL, last_used INTEGER,
  single INTEGER GENERATED ALWAYS AS (CASE kind WHEN 'key' THEN NULL ELSE 1 END) STORED,
  hash TEXT, sealed BLOB, last_step INTEGER,
  algorithm TEXT, blob BLOB, fingerprint TEXT, sources TEXT, expires INTEGER,
  verify_required INTEGER, touch_required INTEGER,
  UNIQUE (account, kind, single), UNIQUE (account, blob)
) STRICT;
CREATE TABLE IF NOT EXISTS authorities (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, label TEXT NOT NULL, algorithm TEXT NOT NULL, blob BLOB NOT NULL,
  fingerprint TEXT NOT NULL, created INTEGER NOT NULL, last_used INTEGER, UNIQUE (tenant, blob)
) STRICT;
CREATE TABLE IF NOT EXISTS revocations (
  kind TEXT NOT NULL, authority TEXT NOT NULL, value TEXT NOT NULL, created INTEGER NOT NULL,
  PRIMARY KEY (kind, authority, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS credential_rests (
  credential TEXT PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE, suspended INTEGER, changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS installation (only INTEGER PRIMARY KEY CHECK (only = 1), salt BLOB NOT NULL) STRICT;`;

type Row = Record<string, SQLOutputValue>;
type Columns = (string | number | Buffer | null)[];

/** hash, sealed, last_step, algorithm, blob, fingerprint, sources, expires, verify_required, touch_required */
export function columnsOf(credential: Credential): Columns {
  const nothing: null[] = [null, null, null, null, null, null, null];
  if (credential.kind === 'password') return [credential.hash, null, null, ...nothing];
  if (credential.kind === 'totp') return [null, credential.sealed, credential.lastStep, ...nothing];
  const { algorithm, blob, fingerprint, restrictions } = credential;
  const { from, expires, verifyRequired, touchRequired } = restrictions;
  const flags = [Number(verifyRequired), Number(touchRequired)];
  return [null, null, null, algorithm, blob, fingerprint, from, expires, ...flags];
}

export function one<T>(row: Row | undefined, convert: (row: Row) => T): T | null {
  return row === undefined ? null : convert(row);
}

// Columns are typed by STRICT tables and NOT NULL where these are used.
const text = (row: Row, name: string) => row[name] as string;
const number = (row: Row, name: string) => row[name] as number;
const bytes = (row: Row, name: string) => Buffer.from(row[name] as Uint8Array);
const optionalNumber = (row: Row, name: string) => row[name] as number | null;

export function toAccount(row: Row): Account {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    login: text(row, 'login'),
    displayName: text(row, 'display_name'),
    administrator: row['administrator'] === 1,
    status: text(row, 'status') as AccountStatus,
    chains: JSON.parse(text(row, 'chains')) as Chain[],
    created: number(row, 'created'),
  };
}

function common(row: Row) {
  return {
    id: text(row, 'id'),
    label: text(row, 'label'),
    created: number(row, 'created'),
    lastUsed: optionalNumber(row, 'last_used'),
  };
}

export function toPassword(row: Row): PasswordCredential {
  return { ...common(row), account: text(row, 'account'), kind: 'password', hash: text(row, 'hash') };
}

export function toTotp(row: Row): TotpCredential {
  const secret = { sealed: bytes(row, 'sealed'), lastStep: number(row, 'last_step') };
  return { ...common(row), account: text(row, 'account'), kind: 'totp', ...secret };
}

function keyColumns(row: Row) {
  return { algorithm: text(row, 'algorithm'), blob: bytes(row, 'blob'), fingerprint: text(row, 'fingerprint') };
}

export function toKey(row: Row): KeyCredential {
  const restrictions = {
    from: row['sources'] as string | null,
    expires: optionalNumber(row, 'expires'),
    verifyRequired: row['verify_required'] === 1,
    touchRequired: row['touch_required'] === 1,
  };
  return { ...common(row), account: text(row, 'account'), kind: 'key', ...keyColumns(row), restrictions };
}

export function toAuthority(row: Row): Authority {
  return { ...common(row), tenant: text(row, 'tenant'), ...keyColumns(row) };
}

const CREDENTIALS: Readonly<Record<string, (row: Row) => Credential>> = {
  password: toPassword,
  key: toKey,
  totp: toTotp,
};

export function toCredential(row: Row): Credential {
  const convert = CREDENTIALS[text(row, 'kind')];
  if (convert === undefined) throw new WaybillError('internal', 'a credential of an unknown kind');
  return convert(row);
}

export function toRevocation(row: Row): Revocation {
  return {
    kind: text(row, 'kind') as RevocationKind,
    authority: text(row, 'authority'),
    value: text(row, 'value'),
    created: number(row, 'created'),
  };
}

export function saltOf(row: Row | undefined): Buffer {
  if (row === undefined) throw new WaybillError('internal', 'the database has no salt');
  return bytes(row, 'salt');
}
