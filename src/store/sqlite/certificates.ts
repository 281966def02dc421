import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import type { AuthorityRole, CertificateStore, IssuedCertificate } from '../../accounts/certificate-store.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Database } from './database.ts';

// The last serial stands beside the key, so that it outlives the rows of certificates that have ended.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS own_authorities (
  role TEXT PRIMARY KEY CHECK (role IN ('user', 'host')), blob BLOB NOT NULL, created INTEGER NOT NULL,
  serial INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS certificates (
  serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, account TEXT NOT NULL, blob BLOB NOT NULL,
  fingerprint TEXT NOT NULL, addresses TEXT, factors TEXT NOT NULL, proofs TEXT NOT NULL,
  valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, last_used INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS certificates_account ON certificates (account, valid_until);`;

const STATEMENTS = {
  used: 'SELECT blob FROM own_authorities WHERE role = ?',
  use: 'INSERT INTO own_authorities (role, blob, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  next: 'UPDATE own_authorities SET serial = serial + 1 WHERE role = ? RETURNING serial',
  one: 'SELECT * FROM certificates WHERE serial = ?',
  all: 'SELECT * FROM certificates WHERE ?1 IS NULL OR account = ?1 ORDER BY serial DESC',
  standing: 'SELECT count(*) AS count FROM certificates WHERE account = ? AND valid_until > ?',
  add: 'INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  mark: 'UPDATE certificates SET last_used = ?2 WHERE serial = ?1',
  forget: 'DELETE FROM certificates WHERE valid_until < ?',
} as const;

/** A serial in a certificate that nobody here issued may be anything up to 2^64 - 1; SQLite holds 2^63 - 1. */
const SERIAL_MAX = 2n ** 63n - 1n;

export class SqliteCertificates implements CertificateStore {
  private readonly database: Database;
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  authorityUsed(role: AuthorityRole): Buffer | null {
    const row = this.sql.used.get(role);
    return row === undefined ? null : Buffer.from(row['blob'] as Uint8Array);
  }

  certificate(serial: bigint): IssuedCertificate | null {
    const row = serial > SERIAL_MAX ? undefined : this.sql.one.get(serial);
    return row === undefined ? null : toCertificate(row);
  }

  certificates(account: string | null): IssuedCertificate[] {
    return this.sql.all.all(account).map(toCertificate);
  }

  standing(account: string, now: number): number {
    return this.sql.standing.get(account, now)?.['count'] as number;
  }

  useAuthority(role: AuthorityRole, blob: Buffer, at: number): void {
    this.sql.use.run(role, blob, at);
  }

  nextSerial(role: AuthorityRole): bigint {
    const row = this.sql.next.get(role);
    if (row === undefined) throw new WaybillError('internal', 'a serial of an authority that is not in use');
    return BigInt(row['serial'] as number);
  }

  addCertificate(one: IssuedCertificate): void {
    const { serial, id, tenant, account, blob, fingerprint, addresses, factors, proofs, from, until, lastUsed } = one;
    const lists = [JSON.stringify(factors), JSON.stringify(proofs)];
    this.sql.add.run(serial, id, tenant, account, blob, fingerprint, addresses, ...lists, from, until, lastUsed);
  }

  markCertificate(serial: bigint, at: number): void {
    this.sql.mark.run(serial, at);
  }

  forgetCertificates(endedBefore: number): void {
    this.sql.forget.run(endedBefore);
  }
}

// Columns are typed by the STRICT table.
function toCertificate(row: Record<string, SQLOutputValue>): IssuedCertificate {
  return {
    id: row['id'] as string,
    serial: BigInt(row['serial'] as number),
    tenant: row['tenant'] as string,
    account: row['account'] as string,
    blob: Buffer.from(row['blob'] as Uint8Array),
    fingerprint: row['fingerprint'] as string,
    addresses: row['addresses'] as string | null,
    factors: JSON.parse(row['factors'] as string) as string[],
    proofs: JSON.parse(row['proofs'] as string) as string[],
    from: row['valid_from'] as number,
    until: row['valid_until'] as number,
    lastUsed: row['last_used'] as number | null,
  };
}
