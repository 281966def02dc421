/** Rows on their way to a table of the index, as columns: filled in one thread, appended in another. */
import { TABLES } from './tables.ts';
import type { ColumnType, TableName } from './tables.ts';

/** A multiple of DuckDB's 2,048 rows a chunk. */
export const BATCH_ROWS = 16 * 2048;

export interface FilledBatch {
  readonly table: TableName;
  readonly rows: number;
  /** In the order of the table's columns; a u64 is two words, the low one first. */
  readonly columns: readonly Uint32Array<ArrayBuffer>[];
}

/** How many 32-bit words a value takes. */
export function wordsOf(type: ColumnType | undefined): 1 | 2 {
  return type === 'u64' || type === 'words' ? 2 : 1;
}

export class Batch<T extends TableName> {
  readonly table: T;
  private readonly send: (batch: FilledBatch) => void;
  private readonly types: readonly ColumnType[];
  /** Made for the first row: most logs are small, and many tables stay empty. */
  private columns: Uint32Array<ArrayBuffer>[] | null = null;
  private row = 0;

  constructor(table: T, send: (batch: FilledBatch) => void) {
    this.table = table;
    this.send = send;
    this.types = Object.values(TABLES[table]);
  }

  /** The values of one row, in the order of the table's columns; for a `words` column its high word, then its low one. */
  add(...values: readonly number[]): void {
    const { types, row } = this;
    const columns = (this.columns ??= this.fresh());
    let from = 0;
    for (let at = 0; at < columns.length; at++) {
      const column = columns[at] as Uint32Array;
      const value = values[from++] as number;
      switch (types[at]) {
        case 'u64':
          column[2 * row] = value;
          column[2 * row + 1] = value / 4294967296;
          break;
        case 'words':
          column[2 * row] = values[from++] as number;
          column[2 * row + 1] = value;
          break;
        default:
          column[row] = value;
      }
    }
    if (++this.row === BATCH_ROWS) this.flush();
  }

  flush(): void {
    const { row, columns, types } = this;
    if (columns === null) return;
    // What is sent is moved to another thread whole: a short batch does not take its empty end along.
    const filled = row === BATCH_ROWS ? columns : columns.map((one, at) => one.slice(0, row * wordsOf(types[at])));
    this.send({ table: this.table, rows: row, columns: filled });
    this.columns = null;
    this.row = 0;
  }

  private fresh(): Uint32Array<ArrayBuffer>[] {
    return this.types.map((type) => new Uint32Array(wordsOf(type) * BATCH_ROWS));
  }
}
