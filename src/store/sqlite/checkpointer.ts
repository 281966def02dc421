/**
 * Copies the write-ahead log back into the database file in a thread of its own. SQLite would do it inside some commit,
 * and with small files that was half of what a commit cost (570 against 300 us). The thread copies what is there
 * (PASSIVE: it never holds a commit up); the few pages that came meanwhile are copied here, so that the log begins at
 * its start again and does not grow for ever under a load that never pauses.
 *
 * A crash in here loses nothing: what is committed stands in the log until it has been copied and synced. Without the
 * thread (it failed to start, or fails) SQLite's own checkpoint takes over at LOG_PAGES of database.ts.
 */
import type { StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { Database } from './database.ts';

/** Rows changed between two copies: some 12 MiB of log, for many small commits as for few large ones. */
const EVERY_CHANGES = 1200;

export class Checkpointer {
  private readonly database: Database;
  private readonly worker: Worker;
  private readonly changes: StatementSync;
  private copiedAt = 0;
  private busy = false;

  constructor(database: Database, file: string) {
    this.database = database;
    this.changes = database.sql.prepare('SELECT total_changes() AS total');
    this.worker = new Worker(new URL('./checkpoint-thread.ts', import.meta.url), { workerData: { file } });
    this.worker.unref();
    database.afterCommit = () => {
      this.committed();
    };
    this.worker.on('message', (copied: boolean) => {
      this.busy = false;
      if (copied) database.rewindLog();
    });
    this.worker.on('error', () => {
      database.afterCommit = null;
    });
  }

  private committed(): void {
    const { total } = this.changes.get() as { total: number };
    if (total - this.copiedAt < EVERY_CHANGES || this.busy) return;
    this.copiedAt = total;
    this.busy = true;
    this.worker.postMessage('copy');
  }

  /** Before the database is closed. */
  async stop(): Promise<void> {
    this.database.afterCommit = null;
    this.worker.removeAllListeners('message');
    await this.worker.terminate();
  }
}
