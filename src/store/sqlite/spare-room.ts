/**
 * Room inside the database's own files, so that small commits go on when the file system has not one block left (the
 * reserve of files/room.ts does not help when another program fills it): free pages in the database file, and a log
 * that is long already. SQLite writes over both in place. On file systems that never write in place (btrfs, ZFS) it
 * does not help; there only the reserve does.
 *
 * Crash and space order of filling: 1. a row of zeros is committed: both files grow; 2. it is deleted: its pages are
 * free, and stay in the file; 3. a checkpoint lets the log begin at its start again. A crash after 1 leaves the row, and
 * the next filling deletes it. A disk that is full in 1 leaves things as they were.
 *
 * A log that is not copied back has to grow with each commit. So with little space left it is copied back often, long
 * before its usual length. When the space goes faster than that is noticed, one commit meets its end: it fails
 * (`store-full`), the log is copied back at once, and the next commit finds room. Copying back needs none: new rows lie in
 * free pages of the database file.
 */
import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';

/** No less than the log is long between two copies: what is written over costs half as much to sync as what is appended. */
const BYTES = 16 * 2 ** 20;
/** Of a small file system it takes no more than this part. */
const PART = 64;
const EVERY_MS = 2000;

const SCHEMA = 'CREATE TABLE IF NOT EXISTS spare_room (bytes BLOB NOT NULL) STRICT';

export class SpareRoom {
  private readonly database: Database;
  private readonly space: () => Promise<{ readonly total: number; readonly free: number }>;
  private readonly insertion: StatementSync;
  private readonly deletion: StatementSync;
  private timer: NodeJS.Timeout | null = null;
  private tending: Promise<void> = Promise.resolve();

  /** `space`: of the file system that the database is on. */
  constructor(database: Database, space: SpareRoom['space']) {
    this.database = database;
    this.space = space;
    database.define(SCHEMA);
    this.insertion = database.sql.prepare('INSERT INTO spare_room (bytes) VALUES (zeroblob(?))');
    this.deletion = database.sql.prepare('DELETE FROM spare_room');
  }

  /** A disk that is short of space keeps no server from starting: the next time it may have some. */
  async start(report: (error: unknown) => void): Promise<void> {
    const tend = (least: number): Promise<void> => (this.tending = this.tend(least).catch(report));
    await tend(Infinity);
    this.timer = setInterval(() => void tend(0.5), EVERY_MS);
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.tending;
  }

  /** `least`: the part of the wanted free pages below which they are filled up. */
  private async tend(least: number): Promise<void> {
    const { total, free } = await this.space();
    const bytes = Math.min(BYTES, Math.floor(total / PART));
    // Only while there is plenty: a commit that meets the end of it fails for everybody in its group.
    if (free < bytes * 4) {
      this.database.saveSpace();
      return;
    }
    this.database.boundLog('long');
    if (this.freeBytes() < bytes * least) await this.fill(bytes);
  }

  private async fill(bytes: number): Promise<void> {
    await this.database.write(() => {
      this.deletion.run();
      this.insertion.run(bytes);
    });
    await this.database.write(() => {
      this.deletion.run();
    });
    this.database.rewindLog();
  }

  private freeBytes(): number {
    return this.pragma('freelist_count') * this.pragma('page_size');
  }

  private pragma(name: 'freelist_count' | 'page_size'): number {
    const row = this.database.sql.prepare(`PRAGMA ${name}`).get() as Record<string, number> | undefined;
    return row?.[name] ?? 0;
  }
}
