import { DatabaseSync } from 'node:sqlite';
import type { StatementSync } from 'node:sqlite';
import { failureOf, isFull } from './failures.ts';

interface Waiting {
  readonly action: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
}

/** Long is 16 MiB: pages that many commits touch are copied to the database file once, not once every few commits. */
const LOG_PAGES = { long: 16_384, short: 64 } as const;
/** How long what nobody waits for may wait for company. */
const PATIENCE_MS = 50;

/**
 * One SQLite database with group commit. Promises:
 * - `write` resolves after its effects are durable (WAL, synchronous=FULL: the commit fsyncs the log) and never before;
 * - an action that throws leaves no effect, and the others of its group are not touched;
 * - actions run one after another, in order of call, and see the effects of those before them.
 * A crash at any moment leaves the state after some whole group: SQLite recovers the log when it is opened again.
 */
export class Database {
  readonly sql: DatabaseSync;
  readonly readOnly: boolean;
  private readonly steps: Steps;
  /** Told after each group that is durable. */
  afterCommit: (() => void) | null = null;
  private waiting: Waiting[] = [];
  private scheduled = false;
  private patience: NodeJS.Timeout | null = null;

  constructor(file: string, options: { readOnly?: boolean } = {}) {
    this.readOnly = options.readOnly ?? false;
    this.sql = open(file, this.readOnly);
    if (!this.readOnly) this.boundLog('long');
    this.steps = prepareSteps(this.sql);
  }

  /** Runs a room's schema; statements must be of the "IF NOT EXISTS" kind. A reader takes the schema as it is. */
  define(schema: string): void {
    if (this.readOnly) return;
    try {
      this.sql.exec(schema);
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** Each statement of a room parsed once, under its name. After `define`: a statement names tables that must be there. */
  prepareAll<N extends string>(statements: Readonly<Record<N, string>>): Readonly<Record<N, StatementSync>> {
    const prepared = Object.entries<string>(statements).map(([name, text]) => [name, this.sql.prepare(text)]);
    return Object.fromEntries(prepared) as Record<N, StatementSync>;
  }

  /** Queues the synchronous action for the next group commit. Actions must not await. */
  write<T>(action: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ action, resolve, reject });
      this.schedule();
    });
  }

  /**
   * The same for what nobody waits for: it joins the group of the next `write`, so that it costs no fsync of its own,
   * and waits for one at most PATIENCE_MS. A crash meanwhile loses it: only for what a reader can do without.
   */
  writePatiently<T>(action: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ action, resolve, reject });
      this.patience ??= setTimeout(() => {
        this.schedule();
      }, PATIENCE_MS);
    });
  }

  private schedule(): void {
    if (this.patience !== null) clearTimeout(this.patience);
    this.patience = null;
    if (this.scheduled) return;
    this.scheduled = true;
    // After the poll phase: everything that arrived with this turn of the loop shares one fsync.
    setImmediate(() => {
      this.commitGroup();
    });
  }

  private commitGroup(): void {
    const group = this.waiting;
    this.waiting = [];
    this.scheduled = false;
    // Closing has committed what was scheduled.
    if (group.length === 0) return;
    const done: { entry: Waiting; value: unknown }[] = [];
    try {
      this.steps.begin.run();
      const [only] = group;
      // Alone, the whole transaction is what fails or holds: a savepoint would only cost.
      if (only !== undefined && group.length === 1) done.push({ entry: only, value: only.action() });
      else for (const entry of group) this.runOne(entry, done);
      this.steps.commit.run();
    } catch (error) {
      // The commit itself failed (full disk, I/O error): nobody's effects are durable, so nobody hears success.
      this.rollBack();
      // A log that begins at its start again needs no space: the next group may go through.
      if (isFull(error)) this.saveSpace();
      for (const entry of group) entry.reject(failureOf(error));
      return;
    }
    for (const { entry, value } of done) entry.resolve(value as never);
    this.afterCommit?.();
  }

  private runOne(entry: Waiting, done: { entry: Waiting; value: unknown }[]): void {
    this.steps.savepoint.run();
    try {
      const value = entry.action();
      this.steps.release.run();
      done.push({ entry, value });
    } catch (error) {
      // A full disk may have rolled back the whole transaction already; then the group has failed as one.
      if (!this.sql.isTransaction) throw error;
      this.sql.exec('ROLLBACK TO one; RELEASE one');
      entry.reject(failureOf(error));
    }
  }

  private rollBack(): void {
    try {
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK');
    } catch {
      // SQLite rolls back by itself after an I/O error; whoever waits must hear of the first failure in any case.
    }
  }

  /** The log is copied back when a commit leaves it longer than this. Short is slow, and grows the file least. */
  boundLog(length: 'long' | 'short'): void {
    this.sql.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES[length]}`);
  }

  /** Until `boundLog('long')`. */
  saveSpace(): void {
    this.boundLog('short');
    this.rewindLog();
  }

  /** Copies the log back to the database file, as far as readers let it; then the log is written from its start. */
  rewindLog(): void {
    try {
      this.sql.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // No space for that either: the log stays, nothing is lost.
    }
  }

  close(): void {
    if (this.patience !== null) clearTimeout(this.patience);
    if (this.waiting.length > 0) this.commitGroup();
    this.sql.close();
  }
}

function open(file: string, readOnly: boolean): DatabaseSync {
  try {
    const sql = new DatabaseSync(file, { readOnly, timeout: 5000 });
    if (!readOnly) sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    sql.exec('PRAGMA foreign_keys = ON; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;');
    return sql;
  } catch (error) {
    throw failureOf(error);
  }
}

const STEPS = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  savepoint: 'SAVEPOINT one',
  release: 'RELEASE one',
} as const;
type Steps = Record<keyof typeof STEPS, StatementSync>;

/** Parsed once: a group of small actions would spend as much on parsing these as on its rows. */
function prepareSteps(sql: DatabaseSync): Steps {
  return Object.fromEntries(Object.entries(STEPS).map(([name, text]) => [name, sql.prepare(text)])) as Steps;
}
