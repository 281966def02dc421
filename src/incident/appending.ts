/** Batches of integer columns into a table: memory is copied column by column, no value becomes an object. */
import { DuckDBDataChunk, UBIGINT, BIGINT, UINTEGER } from '@duckdb/node-api';
import type { DuckDBAppender, DuckDBConnection, DuckDBType } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { wordsOf } from './batch.ts';
import type { FilledBatch } from './batch.ts';
import { TABLES } from './tables.ts';
import type { Columns, ColumnType, TableName } from './tables.ts';

const CHUNK_ROWS = 2048;
const TYPES: Readonly<Record<ColumnType, DuckDBType>> = {
  u32: UINTEGER,
  name: UINTEGER,
  u64: BIGINT,
  words: UBIGINT,
};

/** The appenders of one transaction. */
export class Appending {
  private readonly connection: DuckDBConnection;
  private readonly appenders = new Map<TableName, DuckDBAppender>();

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  async append(batch: FilledBatch): Promise<void> {
    const { table, rows, columns } = batch;
    const appender = this.appenders.get(table) ?? (await this.connection.createAppender(table));
    this.appenders.set(table, appender);
    const types: ColumnType[] = Object.values(TABLES[table] as Columns);
    const chunk = DuckDBDataChunk.create(types.map((type) => TYPES[type]));
    const vectors = types.map((_, at) => duckdb.data_chunk_get_vector(chunk.chunk, at));
    for (let row = 0; row < rows; row += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows - row);
      columns.forEach((column, at) => {
        const width = wordsOf(types[at]) * 4;
        const vector = vectors[at] as duckdb.Vector;
        duckdb.copy_data_to_vector(vector, 0, column.buffer, column.byteOffset + row * width, count * width);
      });
      duckdb.data_chunk_set_size(chunk.chunk, count);
      appender.appendDataChunk(chunk);
    }
  }

  /** Everything is in the transaction after this. */
  close(): void {
    for (const appender of this.appenders.values()) appender.closeSync();
    this.appenders.clear();
  }

  /** Before a rollback. */
  abandon(): void {
    for (const appender of this.appenders.values()) appender.clear();
    this.appenders.clear();
  }
}
