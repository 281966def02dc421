/** Entries of the ledger on their way to tiles, and what fixes their order: see ledger/entry-store.ts for the promises. */
import type { StatementSync } from 'node:sqlite';
import type { EntryStore, HeadsRow, LogRow, OpenSession, PendingEntry, Sealing } from '../../ledger/entry-store.ts';
import type { Database } from './database.ts';

// AUTOINCREMENT: a number is never given twice, even after the youngest row has gone to its tile.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS ledger_entries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger_logs (
  tenant TEXT PRIMARY KEY,
  log TEXT NOT NULL UNIQUE,
  salt TEXT NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger_heads (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  through INTEGER NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger_sealings (
  position INTEGER PRIMARY KEY,
  after INTEGER NOT NULL,
  through INTEGER NOT NULL,
  head BLOB NOT NULL,
  changes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open_sessions (session TEXT PRIMARY KEY, tenant TEXT NOT NULL) STRICT, WITHOUT ROWID;`;

const STATEMENTS = {
  insert: 'INSERT INTO ledger_entries (tenant, bytes) VALUES (?, ?)',
  after: 'SELECT seq, tenant, bytes FROM ledger_entries WHERE seq > ? ORDER BY seq LIMIT ?',
  last: 'SELECT seq, tenant, bytes FROM ledger_entries ORDER BY seq DESC LIMIT 1',
  count: 'SELECT count(*) AS count FROM ledger_entries WHERE seq > ?',
  remove: 'DELETE FROM ledger_entries WHERE seq <= ?',
  log: 'SELECT tenant, log, salt, size, root FROM ledger_logs WHERE tenant = ?',
  logs: 'SELECT tenant, log, salt, size, root FROM ledger_logs',
  insertLog: 'INSERT INTO ledger_logs (tenant, log, salt, size, root) VALUES (?, ?, ?, ?, ?)',
  saveLog: 'UPDATE ledger_logs SET size = ?, root = ? WHERE tenant = ?',
  heads: 'SELECT through, size, root FROM ledger_heads',
  saveHeads: `INSERT INTO ledger_heads (one, through, size, root) VALUES (1, ?1, ?2, ?3)
    ON CONFLICT (one) DO UPDATE SET through = ?1, size = ?2, root = ?3`,
  sealings: 'SELECT position, after, through, head, changes FROM ledger_sealings ORDER BY position',
  insertSealing: 'INSERT INTO ledger_sealings (position, after, through, head, changes) VALUES (?, ?, ?, ?, ?)',
  removeSealing: 'DELETE FROM ledger_sealings WHERE position = ?',
  value: 'SELECT value FROM ledger_values WHERE name = ?',
  saveValue: 'INSERT INTO ledger_values (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2',
  openSession: 'INSERT OR REPLACE INTO open_sessions (session, tenant) VALUES (?, ?)',
  closeSession: 'DELETE FROM open_sessions WHERE session = ?',
  openSessions: 'SELECT session, tenant FROM open_sessions',
} as const;

type Row = Readonly<Record<string, string | number | Uint8Array>>;

export class SqliteLedger implements EntryStore {
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

  insert(tenant: string, bytes: Buffer): void {
    this.run.insert.run(tenant, bytes);
  }

  entriesAfter(seq: number, limit: number): PendingEntry[] {
    return (this.run.after.all(seq, limit) as Row[]).map(entryOf);
  }

  lastEntry(): PendingEntry | null {
    const row = this.run.last.get() as Row | undefined;
    return row === undefined ? null : entryOf(row);
  }

  countAfter(seq: number): number {
    return Number((this.run.count.get(seq) as Row)['count']);
  }

  removeThrough(seq: number): void {
    this.run.remove.run(seq);
  }

  log(tenant: string): LogRow | null {
    const row = this.run.log.get(tenant) as Row | undefined;
    return row === undefined ? null : logOf(row);
  }

  logs(): LogRow[] {
    return (this.run.logs.all() as Row[]).map(logOf);
  }

  insertLog({ tenant, log, salt, size, root }: LogRow): void {
    this.run.insertLog.run(tenant, log, salt, size, root);
  }

  saveLog(tenant: string, size: number, root: Buffer): void {
    this.run.saveLog.run(size, root, tenant);
  }

  heads(): HeadsRow | null {
    const row = this.run.heads.get() as Row | undefined;
    if (row === undefined) return null;
    return { through: Number(row['through']), size: Number(row['size']), root: bytesOf(row['root']) };
  }

  saveHeads({ through, size, root }: HeadsRow): void {
    this.run.saveHeads.run(through, size, root);
  }

  sealings(): Sealing[] {
    return (this.run.sealings.all() as Row[]).map((row) => ({
      index: Number(row['position']),
      after: Number(row['after']),
      through: Number(row['through']),
      head: bytesOf(row['head']),
      changes: bytesOf(row['changes']),
    }));
  }

  insertSealing({ index, after, through, head, changes }: Sealing): void {
    this.run.insertSealing.run(index, after, through, head, changes);
  }

  removeSealing(index: number): void {
    this.run.removeSealing.run(index);
  }

  value(name: string): string | null {
    const row = this.run.value.get(name) as Row | undefined;
    return row === undefined ? null : String(row['value']);
  }

  saveValue(name: string, value: string): void {
    this.run.saveValue.run(name, value);
  }

  openSession(session: string, tenant: string): void {
    this.run.openSession.run(session, tenant);
  }

  closeSession(session: string): void {
    this.run.closeSession.run(session);
  }

  openSessions(): OpenSession[] {
    return (this.run.openSessions.all() as Row[]).map((row) => ({
      session: String(row['session']),
      tenant: String(row['tenant']),
    }));
  }
}

function bytesOf(value: Row[string] | undefined): Buffer {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.alloc(0);
}

function entryOf(row: Row): PendingEntry {
  return { seq: Number(row['seq']), tenant: String(row['tenant']), bytes: bytesOf(row['bytes']) };
}

function logOf(row: Row): LogRow {
  return {
    tenant: String(row['tenant']),
    log: String(row['log']),
    salt: String(row['salt']),
    size: Number(row['size']),
    root: bytesOf(row['root']),
  };
}
