/** Rows of budgets: what each scope has used, what people set and allowed, and the moment of the clock. */
import type { StatementSync } from 'node:sqlite';
import type { Moment } from '../../policy/budgets/clock.ts';
import type { Allowance, SetLimit } from '../../policy/budgets/limits.ts';
import type { BudgetStore, SavedScope } from '../../policy/budgets/store.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS budget_scopes (
  scope TEXT PRIMARY KEY, state BLOB NOT NULL, bytes INTEGER NOT NULL, files INTEGER NOT NULL, listings INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget_limits (
  scope TEXT NOT NULL, cell INTEGER NOT NULL, allowed INTEGER, PRIMARY KEY (scope, cell)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget_allowances (
  scope TEXT NOT NULL, dimension INTEGER NOT NULL, extra INTEGER NOT NULL, until REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS budget_moment (
  one INTEGER PRIMARY KEY CHECK (one = 1), time REAL NOT NULL, wall REAL NOT NULL, boot TEXT NOT NULL, elapsed REAL NOT NULL
) STRICT;`;

const STATEMENTS = {
  scope: 'SELECT state, bytes, files, listings FROM budget_scopes WHERE scope = ?',
  saveScope: `INSERT INTO budget_scopes (scope, state, bytes, files, listings) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (scope) DO UPDATE SET state = excluded.state,
      bytes = excluded.bytes, files = excluded.files, listings = excluded.listings`,
  // "0" is what follows "/".
  removeScopes: `DELETE FROM budget_scopes WHERE scope = ?1 OR (scope > ?1 || '/' AND scope < ?1 || '0')`,
  removeLimits: `DELETE FROM budget_limits WHERE scope = ?1 OR (scope > ?1 || '/' AND scope < ?1 || '0')`,
  ahead: 'SELECT scope FROM budget_scopes WHERE bytes > 0 OR files > 0 OR listings > 0',
  moment: 'SELECT time, wall, boot, elapsed FROM budget_moment',
  saveMoment: `INSERT INTO budget_moment (one, time, wall, boot, elapsed) VALUES (1, ?1, ?2, ?3, ?4)
    ON CONFLICT (one) DO UPDATE SET time = ?1, wall = ?2, boot = ?3, elapsed = ?4`,
  limits: 'SELECT scope, cell, allowed AS "limit" FROM budget_limits ORDER BY scope, cell',
  putLimit: `INSERT INTO budget_limits (scope, cell, allowed) VALUES (?1, ?2, ?3)
    ON CONFLICT (scope, cell) DO UPDATE SET allowed = ?3`,
  clearLimits: 'DELETE FROM budget_limits WHERE scope = ?',
  allowances: 'SELECT scope, dimension, extra, until FROM budget_allowances',
  insertAllowance: 'INSERT INTO budget_allowances (scope, dimension, extra, until) VALUES (?, ?, ?, ?)',
  removeAllowances: 'DELETE FROM budget_allowances WHERE until < ?',
} as const;

interface ScopeRow {
  readonly state: Uint8Array;
  readonly bytes: number;
  readonly files: number;
  readonly listings: number;
}

export class SqliteBudgets implements BudgetStore {
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

  writePatiently<T>(action: () => T): Promise<T> {
    return this.database.writePatiently(action);
  }

  scope(key: string): SavedScope | null {
    const row = this.run.scope.get(key) as ScopeRow | undefined;
    if (row === undefined) return null;
    // A copy, for its bytes need not lie where numbers of eight bytes may.
    const state = new Float64Array(Uint8Array.from(row.state).buffer);
    return { state, ahead: [row.bytes, row.files, row.listings] };
  }

  saveScope(key: string, { state, ahead }: SavedScope): void {
    this.run.saveScope.run(key, new Uint8Array(state.buffer, state.byteOffset, state.byteLength), ...ahead);
  }

  removeScopes(prefix: string): void {
    this.run.removeScopes.run(prefix);
    this.run.removeLimits.run(prefix);
  }

  scopesAhead(): string[] {
    return (this.run.ahead.all() as unknown as { scope: string }[]).map(({ scope }) => scope);
  }

  moment(): Moment | null {
    return (this.run.moment.get() as unknown as Moment | undefined) ?? null;
  }

  saveMoment({ time, wall, boot, elapsed }: Moment): void {
    this.run.saveMoment.run(time, wall, boot, elapsed);
  }

  limits(): SetLimit[] {
    return this.run.limits.all() as unknown as SetLimit[];
  }

  putLimit({ scope, cell, limit }: SetLimit): void {
    this.run.putLimit.run(scope, cell, limit);
  }

  clearLimits(scope: string): void {
    this.run.clearLimits.run(scope);
  }

  allowances(): Allowance[] {
    return this.run.allowances.all() as unknown as Allowance[];
  }

  insertAllowance({ scope, dimension, extra, until }: Allowance): void {
    this.run.insertAllowance.run(scope, dimension, extra, until);
  }

  removeAllowances(endedBefore: number): void {
    this.run.removeAllowances.run(endedBefore);
  }
}
