import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Administrator, AdministratorStore } from '../../accounts/administrators.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Database } from './database.ts';

// One token is one person: two names with the same one would be two administrators in one hand.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS administrators (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL COLLATE NOCASE UNIQUE,
  token_hash BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, renewed INTEGER NOT NULL
) STRICT;`;

const STATEMENTS = {
  all: 'SELECT id, name, token_hash, created, renewed FROM administrators ORDER BY number',
  byNameOrToken: 'SELECT 1 FROM administrators WHERE (name = ?1 OR token_hash = ?2) AND id <> ?3',
  add: 'INSERT INTO administrators (id, name, token_hash, created, renewed) VALUES (?, ?, ?, ?, ?)',
  setToken: 'UPDATE administrators SET token_hash = ?2, renewed = ?3 WHERE id = ?1',
  remove: 'DELETE FROM administrators WHERE id = ?',
} as const;

export class SqliteAdministrators implements AdministratorStore {
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

  administrators(): Administrator[] {
    return this.sql.all.all().map(toAdministrator);
  }

  addAdministrator({ id, name, tokenHash, created, renewed }: Administrator): void {
    this.refuseTaken(id, name, tokenHash);
    this.sql.add.run(id, name, tokenHash, created, renewed);
  }

  setToken(id: string, tokenHash: Buffer, renewed: number): void {
    this.refuseTaken(id, null, tokenHash);
    this.sql.setToken.run(id, tokenHash, renewed);
  }

  removeAdministrator(id: string): void {
    this.sql.remove.run(id);
  }

  private refuseTaken(id: string, name: string | null, tokenHash: Buffer): void {
    if (this.sql.byNameOrToken.get(name, tokenHash, id) !== undefined)
      throw new WaybillError('already-exists', 'another administrator has this name or this token');
  }
}

function toAdministrator(row: Record<string, SQLOutputValue>): Administrator {
  return {
    id: row['id'] as string,
    name: row['name'] as string,
    tokenHash: Buffer.from(row['token_hash'] as Uint8Array),
    created: row['created'] as number,
    renewed: row['renewed'] as number,
  };
}
