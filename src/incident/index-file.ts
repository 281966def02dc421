/**
 * The index: one DuckDB file, derived from the tiles. It may be thrown away at any time. Whoever can write to it can make
 * an answer wrong, so it is created for its owner alone; what an answer shows of entries is read from the tiles again.
 */
import { existsSync, rmSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { WaybillError } from '../base/errors.ts';
import { Appending } from './appending.ts';
import { TABLES } from './tables.ts';
import type { Columns, ColumnType, TableName } from './tables.ts';

export const INDEX_VERSION = 2;
/** DuckDB's own: what it needs beyond goes to a file beside the index. */
const MEMORY = '3GB';

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  u32: 'UINTEGER',
  name: 'UINTEGER',
  u64: 'BIGINT',
  words: 'UBIGINT',
};

const SETTINGS = {
  memory_limit: MEMORY,
  // Nothing but the index file is ever read or written by a statement, and nothing is fetched.
  enable_external_access: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  preserve_insertion_order: 'true',
  // A build makes its own checkpoint at its end; before, rows of small logs would be written several times.
  checkpoint_threshold: '1GB',
} as const;

export type Row = Readonly<Record<string, number | string | boolean | Uint8Array | null>>;

export class IndexFile {
  readonly path: string;
  private readonly instance: DuckDBInstance;
  private readonly connection: DuckDBConnection;

  private constructor(path: string, instance: DuckDBInstance, connection: DuckDBConnection) {
    this.path = path;
    this.instance = instance;
    this.connection = connection;
  }

  static async open(path: string, access: 'read' | 'write'): Promise<IndexFile> {
    const mask = process.umask(0o077);
    try {
      const mode = access === 'read' ? 'READ_ONLY' : 'READ_WRITE';
      const instance = await DuckDBInstance.create(path, { ...SETTINGS, access_mode: mode });
      return new IndexFile(path, instance, await instance.connect());
    } catch (cause) {
      throw unusable(path, cause);
    } finally {
      process.umask(mask);
    }
  }

  static remove(path: string): void {
    for (const file of [path, `${path}.wal`]) rmSync(file, { force: true });
    rmSync(`${path}.tmp`, { recursive: true, force: true });
  }

  static exists(path: string): boolean {
    return existsSync(path);
  }

  appending(): Appending {
    return new Appending(this.connection);
  }

  connect(): Promise<DuckDBConnection> {
    return this.instance.connect();
  }

  async run(sql: string, values: readonly DuckDBValue[] = []): Promise<void> {
    await this.connection.run(sql, [...values]);
  }

  /** Integers of ours are below 2^53. */
  async rows(sql: string, values: readonly DuckDBValue[] = []): Promise<Row[]> {
    const reader = await this.connection.runAndReadAll(sql, [...values]);
    return reader.getRowObjects().map(plain);
  }

  async row(sql: string, values: readonly DuckDBValue[] = []): Promise<Row> {
    const [row] = await this.rows(sql, values);
    if (row === undefined) throw new WaybillError('internal', 'a question to the index has no answer');
    return row;
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

function plain(row: Readonly<Record<string, DuckDBValue>>): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (typeof value === 'bigint') return [name, Number(value)];
      if (typeof value === 'object' && value !== null && 'bytes' in value) return [name, value.bytes];
      return [name, value as Row[string]];
    }),
  );
}

function unusable(path: string, cause: unknown): WaybillError {
  const message = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  if (/lock/i.test(message))
    return new WaybillError(
      'in-use',
      `another process is using the index ${path}; wait for it, or choose another with --index`,
      { cause },
    );
  return new WaybillError(
    'option-invalid',
    `the index ${path} cannot be used (${message}); choose another with --index`,
    { cause },
  );
}

export function schema(): string[] {
  const tables = Object.entries(TABLES as Readonly<Record<TableName, Columns>>).map(([table, columns]) => {
    const lines = Object.entries(columns).map(([name, type]) => `${name} ${SQL_TYPES[type]} NOT NULL`);
    return `CREATE TABLE ${table} (${lines.join(', ')})`;
  });
  return [
    ...tables,
    'CREATE TABLE names (name UINTEGER NOT NULL, text VARCHAR NOT NULL)',
    `CREATE TABLE logs (log UINTEGER NOT NULL, id VARCHAR NOT NULL, tenant VARCHAR, name VARCHAR, salt VARCHAR,
       size BIGINT NOT NULL, root VARCHAR NOT NULL, frontier BLOB NOT NULL, state BLOB NOT NULL)`,
    'CREATE TABLE meta (key VARCHAR NOT NULL, value VARCHAR NOT NULL)',
    'CREATE VIEW allReadings AS SELECT * FROM readings UNION ALL SELECT * FROM readingsTail',
    'CREATE VIEW allSessions AS SELECT * FROM sessions UNION ALL SELECT * FROM sessionsTail',
  ];
}
