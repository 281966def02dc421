/** Receivers of events and how far each has them: see events/target.ts for the promises. */
import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import type { DeadRow, QueueRow, Target, TargetStore } from '../../events/target.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS event_targets (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, tenant TEXT, kind TEXT NOT NULL, address TEXT NOT NULL,
  only_kinds TEXT NOT NULL, ca TEXT, certificate TEXT, sealed BLOB NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_queues (
  target TEXT NOT NULL REFERENCES event_targets (id) ON DELETE CASCADE, log TEXT NOT NULL, position INTEGER NOT NULL,
  failing_since INTEGER, attempts INTEGER NOT NULL, next_try INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (target, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_dead (
  number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL REFERENCES event_targets (id) ON DELETE CASCADE,
  log TEXT NOT NULL, entry INTEGER NOT NULL, time INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL,
  UNIQUE (target, log, entry)
) STRICT;`;

const STATEMENTS = {
  targets: 'SELECT * FROM event_targets ORDER BY name',
  insertTarget: `INSERT INTO event_targets (id, name, tenant, kind, address, only_kinds, ca, certificate, sealed, created)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  saveSealed: 'UPDATE event_targets SET sealed = ?2 WHERE id = ?1',
  removeTarget: 'DELETE FROM event_targets WHERE id = ?',
  queues: 'SELECT * FROM event_queues WHERE target = ?',
  saveQueue: `INSERT OR REPLACE INTO event_queues (target, log, position, failing_since, attempts, next_try, error)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM event_targets WHERE id = ?1)`,
  dead: 'SELECT * FROM event_dead WHERE target = ? ORDER BY number LIMIT ?',
  deadCount: 'SELECT count(*) AS count FROM event_dead WHERE target = ?',
  // The same entry is given up again when a crash lost its place.
  insertDead: `INSERT OR IGNORE INTO event_dead (target, log, entry, time, attempts, error)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM event_targets WHERE id = ?1)`,
  removeDead: 'DELETE FROM event_dead WHERE number = ?',
} as const;

type Row = Readonly<Record<string, SQLOutputValue>>;

export class SqliteEvents implements TargetStore {
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

  writePatiently<T>(action: () => T): Promise<T> {
    return this.database.writePatiently(action);
  }

  targets(): Target[] {
    return this.sql.targets.all().map(targetOf);
  }

  insertTarget(target: Target): void {
    const { id, name, tenant, kind, address, only, ca, certificate, sealed, created } = target;
    this.sql.insertTarget.run(
      ...[id, name, tenant, kind, address, JSON.stringify(only), ca, certificate, sealed, created],
    );
  }

  saveSealed(id: string, sealed: Buffer): void {
    this.sql.saveSealed.run(id, sealed);
  }

  removeTarget(id: string): void {
    this.sql.removeTarget.run(id);
  }

  queues(target: string): QueueRow[] {
    return this.sql.queues.all(target).map((row) => ({
      target,
      log: String(row['log']),
      position: Number(row['position']),
      failingSince: row['failing_since'] === null ? null : Number(row['failing_since']),
      attempts: Number(row['attempts']),
      nextTry: Number(row['next_try']),
      error: String(row['error']),
    }));
  }

  saveQueue({ target, log, position, failingSince, attempts, nextTry, error }: QueueRow): void {
    this.sql.saveQueue.run(target, log, position, failingSince, attempts, nextTry, error);
  }

  dead(target: string, limit: number): DeadRow[] {
    return this.sql.dead.all(target, limit).map((row) => ({
      number: Number(row['number']),
      target,
      log: String(row['log']),
      entry: Number(row['entry']),
      time: Number(row['time']),
      attempts: Number(row['attempts']),
      error: String(row['error']),
    }));
  }

  deadCount(target: string): number {
    return Number(this.sql.deadCount.get(target)?.['count'] ?? 0);
  }

  insertDead({ target, log, entry, time, attempts, error }: Omit<DeadRow, 'number'>): void {
    this.sql.insertDead.run(target, log, entry, time, attempts, error);
  }

  removeDead(number: number): void {
    this.sql.removeDead.run(number);
  }
}

function targetOf(row: Row): Target {
  return {
    id: String(row['id']),
    name: String(row['name']),
    tenant: row['tenant'] as string | null,
    kind: String(row['kind']) as Target['kind'],
    address: String(row['address']),
    only: JSON.parse(String(row['only_kinds'])) as Target['only'],
    ca: row['ca'] as string | null,
    certificate: row['certificate'] as string | null,
    sealed: Buffer.from(row['sealed'] as Uint8Array),
    created: Number(row['created']),
  };
}
