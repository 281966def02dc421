import type { StatementSync } from 'node:sqlite';
import type { Acquaintance, AcquaintanceKind, AcquaintanceStore } from '../../policy/budgets/acquaintances.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS acquaintances (
  account TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
  first_seen INTEGER NOT NULL, confirmed INTEGER NOT NULL,
  PRIMARY KEY (account, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS acquaintances_waiting ON acquaintances (first_seen) WHERE confirmed = 0;`;

const COLUMNS = 'account, kind, value, first_seen AS firstSeen, confirmed';

const STATEMENTS = {
  one: `SELECT ${COLUMNS} FROM acquaintances WHERE account = ? AND kind = ? AND value = ?`,
  all: `SELECT ${COLUMNS} FROM acquaintances WHERE account = ? ORDER BY first_seen, kind, value`,
  waiting: `SELECT ${COLUMNS} FROM acquaintances WHERE confirmed = 0 ORDER BY first_seen LIMIT ?`,
  put: `INSERT INTO acquaintances (account, kind, value, first_seen, confirmed) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (account, kind, value) DO UPDATE SET confirmed = ?5`,
  remove: 'DELETE FROM acquaintances WHERE account = ? AND kind = ? AND value = ?',
  removeAll: 'DELETE FROM acquaintances WHERE account = ?',
} as const;

type Row = Omit<Acquaintance, 'confirmed'> & { readonly confirmed: number };

export class SqliteAcquaintances implements AcquaintanceStore {
  private readonly database: Database;
  private readonly run: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    this.run = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  acquaintance(account: string, kind: AcquaintanceKind, value: string): Acquaintance | null {
    const row = this.run.one.get(account, kind, value) as Row | undefined;
    return row === undefined ? null : read(row);
  }

  acquaintances(account: string): Acquaintance[] {
    return (this.run.all.all(account) as unknown as Row[]).map(read);
  }

  unconfirmed(limit: number): Acquaintance[] {
    return (this.run.waiting.all(limit) as unknown as Row[]).map(read);
  }

  putAcquaintance({ account, kind, value, firstSeen, confirmed }: Acquaintance): void {
    this.run.put.run(account, kind, value, firstSeen, confirmed ? 1 : 0);
  }

  removeAcquaintance(account: string, kind: AcquaintanceKind, value: string): void {
    this.run.remove.run(account, kind, value);
  }

  removeAcquaintances(account: string): void {
    this.run.removeAll.run(account);
  }
}

function read({ confirmed, ...row }: Row): Acquaintance {
  return { ...row, confirmed: confirmed === 1 };
}
