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

/** A row is written value by value in the order of the table's columns, then `end`. */
export class Batch {
  private readonly table: TableName;
  private readonly types: readonly ColumnType[];
  private readonly send: (batch: FilledBatch) => void;
  /** Made for the first row: most logs are small, and many tables stay empty. */
  private columns: Uint32Array<ArrayBuffer>[] = [];
  private row = 0;
  private column = 0;

  constructor(table: TableName, send: (batch: FilledBatch) => void) {
    this.table = table;
    this.types = Object.values(TABLES[table]);
    this.send = send;
  }

  u32(value: number): this {
    if (this.columns.length === 0) this.make();
    (this.columns[this.column++] as Uint32Array)[this.row] = value;
    return this;
  }

  /** Below 2^53. */
  u64(value: number): this {
    if (this.columns.length === 0) this.make();
    const column = this.columns[this.column++] as Uint32Array;
    column[2 * this.row] = value;
    column[2 * this.row + 1] = value / 4294967296;
    return this;
  }

  /** 64 bits; words may be signed. */
  words(high: number, low: number): this {
    if (this.columns.length === 0) this.make();
    const column = this.columns[this.column++] as Uint32Array;
    column[2 * this.row] = low;
    column[2 * this.row + 1] = high;
    return this;
  }

  end(): void {
    if (this.column !== this.types.length) throw new Error(`a row of ${this.table} has ${this.column} values`);
    this.column = 0;
    if (++this.row === BATCH_ROWS) this.flush();
  }

  flush(): void {
    const { row, columns, types } = this;
    if (row === 0) return;
    // What is sent is moved to another thread whole: a short batch does not take its empty end along.
    const filled = row === BATCH_ROWS ? columns : columns.map((one, at) => one.slice(0, row * wordsOf(types[at])));
    this.send({ table: this.table, rows: row, columns: filled });
    this.columns = [];
    this.row = 0;
  }

  private make(): void {
    this.columns = this.types.map((type) => new Uint32Array(wordsOf(type) * BATCH_ROWS));
  }
}
