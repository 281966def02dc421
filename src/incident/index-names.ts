/** Texts of the index and their numbers: accounts, credentials, addresses, clients ... */
import type { DuckDBConnection } from '@duckdb/node-api';
import type { IndexFile } from './index-file.ts';

/** Beyond it a text may get a second number: answers go by texts, so they stay the same. */
const KNOWN_MAX = 2_000_000;

export class IndexNames {
  private readonly known: Map<string, number>;
  private next: number;
  private fresh: [number, string][] = [];

  private constructor(known: Map<string, number>, next: number) {
    this.known = known;
    this.next = next;
  }

  static async load(index: IndexFile): Promise<IndexNames> {
    const { next } = await index.row('SELECT coalesce(max(name) + 1, 0) AS next FROM names');
    const rows = await index.rows(`SELECT name, text FROM names LIMIT ${KNOWN_MAX}`);
    return new IndexNames(new Map(rows.map(({ name, text }) => [String(text), Number(name)])), Number(next));
  }

  number(text: string): number {
    const before = this.known.get(text);
    if (before !== undefined) return before;
    const number = this.next++;
    if (this.known.size >= KNOWN_MAX) this.known.clear();
    this.known.set(text, number);
    this.fresh.push([number, text]);
    return number;
  }

  /** Before any row that uses them is committed. */
  async save(connection: DuckDBConnection): Promise<void> {
    if (this.fresh.length === 0) return;
    const appender = await connection.createAppender('names');
    for (const [number, text] of this.fresh) {
      appender.appendUInteger(number);
      appender.appendVarchar(text);
      appender.endRow();
    }
    appender.closeSync();
    this.fresh = [];
  }
}
