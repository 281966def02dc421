import type { StatementSync } from 'node:sqlite';
import type { FlowStore, LegalHold, Pickup } from '../../policy/flow-store.ts';
import type { Database } from './database.ts';

// Pick-ups belong to their grant: a grant that is taken away and given anew gives anew.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS pickups (
  account TEXT NOT NULL, folder TEXT NOT NULL, version TEXT NOT NULL,
  started INTEGER NOT NULL, delivered INTEGER,
  PRIMARY KEY (account, folder, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pickups_delivered ON pickups (account, folder, version) WHERE delivered IS NOT NULL;
CREATE TABLE IF NOT EXISTS legal_holds (
  folder TEXT PRIMARY KEY, tenant TEXT NOT NULL, reason TEXT NOT NULL, since INTEGER NOT NULL, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;`;

const STATEMENTS = {
  pickup: 'SELECT * FROM pickups WHERE account = ? AND folder = ? AND version = ?',
  startPickup: 'INSERT INTO pickups (account, folder, version, started, delivered) VALUES (?, ?, ?, ?, ?)',
  deliverPickup: 'UPDATE pickups SET delivered = ?4 WHERE account = ?1 AND folder = ?2 AND version = ?3',
  deliveredAfter: `SELECT * FROM pickups WHERE delivered IS NOT NULL AND (account, folder, version) > (?, ?, ?)
    ORDER BY account, folder, version LIMIT ?`,
  forgetPickup: 'DELETE FROM pickups WHERE account = ? AND folder = ? AND version = ?',
  legalHolds: 'SELECT * FROM legal_holds ORDER BY since, folder',
  putLegalHold: 'INSERT INTO legal_holds (folder, tenant, reason, since, actor) VALUES (?, ?, ?, ?, ?)',
  removeLegalHold: 'DELETE FROM legal_holds WHERE folder = ?',
} as const;

export class SqliteFlow implements FlowStore {
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  constructor(database: Database) {
    database.define(SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
  }

  pickup(account: string, folder: string, version: string): Pickup | null {
    return (this.sql.pickup.get(account, folder, version) as Pickup | undefined) ?? null;
  }

  startPickup({ account, folder, version, started, delivered }: Pickup): void {
    this.sql.startPickup.run(account, folder, version, started, delivered);
  }

  deliverPickup(account: string, folder: string, version: string, at: number): void {
    this.sql.deliverPickup.run(account, folder, version, at);
  }

  deliveredAfter(pickup: Pickup | null, limit: number): Pickup[] {
    const { account = '', folder = '', version = '' } = pickup ?? {};
    return this.sql.deliveredAfter.all(account, folder, version, limit) as unknown as Pickup[];
  }

  forgetPickup({ account, folder, version }: Pickup): void {
    this.sql.forgetPickup.run(account, folder, version);
  }

  legalHolds(): LegalHold[] {
    return this.sql.legalHolds.all() as unknown as LegalHold[];
  }

  putLegalHold({ folder, tenant, reason, since, actor }: LegalHold): void {
    this.sql.putLegalHold.run(folder, tenant, reason, since, actor);
  }

  removeLegalHold(folder: string): boolean {
    return this.sql.removeLegalHold.run(folder).changes === 1;
  }
}
