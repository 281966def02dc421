/** How what signs in over HTTPS lies in SQLite. */
import type { SQLOutputValue } from 'node:sqlite';
import type { ApiToken, Enrolment, Passkey, Scope, WebSession } from '../../accounts/web/store.ts';

const ACCOUNT = 'account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE';

export const WEB_SCHEMA = `
CREATE TABLE IF NOT EXISTS api_tokens (
  id TEXT PRIMARY KEY, ${ACCOUNT}, label TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, scopes TEXT NOT NULL,
  addresses TEXT, created INTEGER NOT NULL, expires INTEGER, last_used INTEGER, suspended INTEGER, successor TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS api_tokens_account ON api_tokens (account);
CREATE TABLE IF NOT EXISTS passkeys (
  id TEXT PRIMARY KEY, ${ACCOUNT}, label TEXT NOT NULL, credential BLOB NOT NULL UNIQUE, public_key BLOB NOT NULL,
  counter INTEGER NOT NULL, rp_id TEXT NOT NULL, transports TEXT NOT NULL, created INTEGER NOT NULL, last_used INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS passkeys_account ON passkeys (account);
CREATE TABLE IF NOT EXISTS recovery_codes (${ACCOUNT}, hash BLOB NOT NULL, PRIMARY KEY (account, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS web_sessions (
  id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, ${ACCOUNT}, proofs TEXT NOT NULL, address TEXT NOT NULL,
  client TEXT NOT NULL, begun INTEGER NOT NULL, last_used INTEGER NOT NULL, strong INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS web_sessions_account ON web_sessions (account);
CREATE TABLE IF NOT EXISTS enrolments (
  account TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE, hash BLOB NOT NULL UNIQUE,
  created INTEGER NOT NULL, expires INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS account_kinds (
  account TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE, kind TEXT NOT NULL CHECK (kind IN ('person', 'service'))
) STRICT;
CREATE TABLE IF NOT EXISTS web_policies (tenant TEXT PRIMARY KEY, policy TEXT NOT NULL CHECK (policy IN ('one-step', 'mfa', 'passkey'))) STRICT;`;

type Row = Record<string, SQLOutputValue>;

// Columns are typed by STRICT tables and NOT NULL where these are used.
const text = (row: Row, name: string) => row[name] as string;
const number = (row: Row, name: string) => row[name] as number;
const bytes = (row: Row, name: string) => Buffer.from(row[name] as Uint8Array);
const optional = (row: Row, name: string) => row[name] as number | null;

export function toToken(row: Row): ApiToken {
  return {
    id: text(row, 'id'),
    account: text(row, 'account'),
    label: text(row, 'label'),
    hash: bytes(row, 'hash'),
    scopes: JSON.parse(text(row, 'scopes')) as Scope[],
    addresses: row['addresses'] as string | null,
    created: number(row, 'created'),
    expires: optional(row, 'expires'),
    lastUsed: optional(row, 'last_used'),
    suspended: optional(row, 'suspended'),
    successor: row['successor'] as string | null,
  };
}

export function toPasskey(row: Row): Passkey {
  return {
    id: text(row, 'id'),
    account: text(row, 'account'),
    label: text(row, 'label'),
    credential: bytes(row, 'credential'),
    publicKey: bytes(row, 'public_key'),
    counter: number(row, 'counter'),
    rpId: text(row, 'rp_id'),
    transports: JSON.parse(text(row, 'transports')) as string[],
    created: number(row, 'created'),
    lastUsed: optional(row, 'last_used'),
  };
}

type Proofs = Pick<WebSession, 'factors' | 'credentials' | 'descriptions'>;

export function proofsOf({ factors, credentials, descriptions }: WebSession): string {
  return JSON.stringify({ factors, credentials, descriptions } satisfies Proofs);
}

export function toWebSession(row: Row): WebSession {
  return {
    id: text(row, 'id'),
    hash: bytes(row, 'hash'),
    account: text(row, 'account'),
    ...(JSON.parse(text(row, 'proofs')) as Proofs),
    address: text(row, 'address'),
    client: text(row, 'client'),
    begun: number(row, 'begun'),
    lastUsed: number(row, 'last_used'),
    strong: optional(row, 'strong'),
  };
}

export function toEnrolment(row: Row): Enrolment {
  return {
    hash: bytes(row, 'hash'),
    account: text(row, 'account'),
    created: number(row, 'created'),
    expires: number(row, 'expires'),
  };
}
