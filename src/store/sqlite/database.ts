import { DatabaseSync } from 'node:sqlite';

interface Waiting {
  readonly action: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
}

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
  private waiting: Waiting[] = [];
  private scheduled = false;

  constructor(file: string, options: { readOnly?: boolean } = {}) {
    this.readOnly = options.readOnly ?? false;
    this.sql = new DatabaseSync(file, { readOnly: this.readOnly, timeout: 5000 });
    if (!this.readOnly) this.sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    this.sql.exec('PRAGMA foreign_keys = ON; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;');
  }

  /** Runs a room's schema; statements must be of the "IF NOT EXISTS" kind. A reader takes the schema as it is. */
  define(schema: string): void {
    if (!this.readOnly) this.sql.exec(schema);
  }

  /** Queues the synchronous action for the next group commit. Actions must not await. */
  write<T>(action: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ action, resolve, reject });
      if (this.scheduled) return;
      this.scheduled = true;
      // After the poll phase: everything that arrived with this turn of the loop shares one fsync.
      setImmediate(() => {
        this.commitGroup();
      });
    });
  }

  private commitGroup(): void {
    const group = this.waiting;
    this.waiting = [];
    this.scheduled = false;
    const done: { entry: Waiting; value: unknown }[] = [];
    try {
      this.sql.exec('BEGIN IMMEDIATE');
      for (const entry of group) this.runOne(entry, done);
      this.sql.exec('COMMIT');
    } catch (error) {
      // The commit itself failed (full disk, I/O error): nobody's effects are durable, so nobody hears success.
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK');
      for (const entry of group) entry.reject(error);
      return;
    }
    for (const { entry, value } of done) entry.resolve(value as never);
  }

  private runOne(entry: Waiting, done: { entry: Waiting; value: unknown }[]): void {
    this.sql.exec('SAVEPOINT one');
    try {
      const value = entry.action();
      this.sql.exec('RELEASE one');
      done.push({ entry, value });
    } catch (error) {
      // A full disk may have rolled back the whole transaction already; then the group has failed as one.
      if (!this.sql.isTransaction) throw error;
      this.sql.exec('ROLLBACK TO one; RELEASE one');
      entry.reject(error);
    }
  }

  close(): void {
    if (this.scheduled) this.commitGroup();
    this.sql.close();
  }
}
