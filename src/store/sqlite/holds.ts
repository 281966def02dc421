import type { StatementSync } from 'node:sqlite';
import type { Hold, HoldState, HoldStore } from '../../policy/holds-store.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS holds (
  reference TEXT PRIMARY KEY, account TEXT NOT NULL, tenant TEXT NOT NULL, session TEXT NOT NULL,
  folder TEXT, version TEXT, path TEXT NOT NULL,
  scope TEXT NOT NULL, dimension INTEGER NOT NULL, seconds INTEGER NOT NULL,
  used INTEGER NOT NULL, allowed INTEGER NOT NULL, asked INTEGER NOT NULL,
  opened INTEGER NOT NULL, state TEXT NOT NULL, until REAL, actor TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holds_state ON holds (state, opened);`;

const COLUMNS = `reference, account, tenant, session, folder, version, path, scope, dimension, seconds AS window,
  used, allowed AS "limit", asked, opened, state, until, actor`;

const STATEMENTS = {
  one: `SELECT ${COLUMNS} FROM holds WHERE reference = ?`,
  some: `SELECT ${COLUMNS} FROM holds WHERE state IN (SELECT value FROM json_each(?)) ORDER BY opened DESC LIMIT ?`,
  insert: `INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  decide: 'UPDATE holds SET state = ?, until = ?, actor = ? WHERE reference = ?',
  remove: `DELETE FROM holds WHERE opened < ? AND state <> 'open'`,
} as const;

export class SqliteHolds implements HoldStore {
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

  hold(reference: string): Hold | null {
    return (this.run.one.get(reference) as unknown as Hold | undefined) ?? null;
  }

  holds(states: readonly HoldState[], limit: number): Hold[] {
    // -1 is no limit.
    return this.run.some.all(JSON.stringify(states), Number.isFinite(limit) ? limit : -1) as unknown as Hold[];
  }

  insertHold(hold: Hold): void {
    const { reference, account, tenant, session, folder, version, path, scope, dimension, window } = hold;
    const { used, limit, asked, opened, state, until, actor } = hold;
    const who = [reference, account, tenant, session, folder, version, path] as const;
    this.run.insert.run(...who, scope, dimension, window, used, limit, asked, opened, state, until, actor);
  }

  saveDecision(reference: string, state: HoldState, until: number | null, actor: string): void {
    this.run.decide.run(state, until, actor, reference);
  }

  removeHolds(openedBefore: number): void {
    this.run.remove.run(openedBefore);
  }
}
