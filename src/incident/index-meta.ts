/** Up to which checkpoint an index is complete. */
import type { IndexFile } from './index-file.ts';

export interface IndexMeta {
  readonly version: number;
  readonly origin: string;
  /** Of the heads log, at the signed checkpoint. */
  readonly size: number;
  /** Hexadecimal. */
  readonly root: string;
  /** Of the last head, in milliseconds since 1970. 0 before the first. */
  readonly time: number;
  /** Entries in all logs. */
  readonly total: number;
  /** The signed checkpoint, as it was read. */
  readonly checkpoint: string;
  /** Perfect subtrees of the heads log, hexadecimal. */
  readonly frontier: string;
  readonly seeds: readonly [number, number];
}

/** Null for an index that is empty, or cut off before its first tables. */
export async function readMeta(index: IndexFile): Promise<IndexMeta | null> {
  const tables = await index.rows(`SELECT 1 FROM duckdb_tables() WHERE table_name = 'meta'`);
  if (tables.length === 0) return null;
  const [row] = await index.rows(`SELECT value FROM meta WHERE key = 'index'`);
  return row === undefined ? null : (JSON.parse(String(row['value'])) as IndexMeta);
}

export async function writeMeta(index: IndexFile, meta: IndexMeta): Promise<void> {
  await index.run(`DELETE FROM meta WHERE key = 'index'`);
  await index.run(`INSERT INTO meta VALUES ('index', ?)`, [JSON.stringify(meta)]);
}
