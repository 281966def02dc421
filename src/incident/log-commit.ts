/** What a thread sends of one log becomes rows, in a transaction that ends well only when the log's root is right. */
import { blobValue } from '@duckdb/node-api';
import type { DuckDBConnection } from '@duckdb/node-api';
import { WaybillError } from '../base/errors.ts';
import { blindedIdentifier } from '../ledger/core/head.ts';
import { logFolder } from '../ledger/core/layout.ts';
import { Appending } from './appending.ts';
import type { FilledBatch } from './batch.ts';
import type { IndexNames } from './index-names.ts';
import type { Opened } from './log-scan.ts';
import { PLACES } from './places.ts';
import type { ScanMessage, ScanOrder } from './scan-messages.ts';
import type { LogReceiver } from './scan-pool.ts';
import { TABLES, TAIL_TABLES } from './tables.ts';
import type { Columns } from './tables.ts';

/** Owner of the log of what belongs to no tenant. */
const INSTALLATION = '0'.repeat(32);

export interface CommitOptions {
  readonly connection: DuckDBConnection;
  readonly names: IndexNames;
  /** Autocommits: names must be there before rows that use them. */
  readonly namesConnection: DuckDBConnection;
  readonly onScanned: (entries: number) => void;
}

/** DuckDB writes large transactions straight into their place, and small ones three times. */
const COMMIT_ENTRIES = 5_000_000;

/** The logs of one thread, some at a time. */
export class ThreadCommits {
  readonly options: CommitOptions;
  readonly appending: Appending;
  /** Numbers of the thread's texts in the index. */
  readonly numbers: number[] = [];
  private waiting = 0;
  private begun = false;

  constructor(options: CommitOptions) {
    this.options = options;
    this.appending = new Appending(options.connection);
  }

  async begin(order: ScanOrder): Promise<LogCommit> {
    const { connection } = this.options;
    if (!this.begun) await connection.run('BEGIN');
    this.begun = true;
    const [from, to] = [order.log * PLACES, (order.log + 1) * PLACES];
    if (order.from > 0)
      for (const table of TAIL_TABLES) {
        const column = Object.keys(TABLES[table])[0] ?? '';
        await connection.run(`DELETE FROM ${table} WHERE ${column} >= ${from} AND ${column} < ${to}`);
      }
    return new LogCommit(order, this);
  }

  async complete(entries: number): Promise<void> {
    this.waiting += entries;
    if (this.waiting >= COMMIT_ENTRIES) await this.commit();
  }

  async commit(): Promise<void> {
    if (!this.begun) return;
    const { connection, names, namesConnection } = this.options;
    this.appending.close();
    await names.save(namesConnection);
    await connection.run('COMMIT');
    this.begun = false;
    this.waiting = 0;
  }

  async rollback(): Promise<void> {
    if (!this.begun) return;
    this.appending.abandon();
    await this.options.connection.run('ROLLBACK').catch(() => undefined);
    this.begun = false;
    this.waiting = 0;
  }
}

export class LogCommit implements LogReceiver {
  private readonly order: ScanOrder;
  private readonly thread: ThreadCommits;

  constructor(order: ScanOrder, thread: ThreadCommits) {
    this.order = order;
    this.thread = thread;
  }

  async take(message: Exclude<ScanMessage, { kind: 'failed' }>): Promise<void> {
    const { appending, numbers } = this.thread;
    const { names, onScanned } = this.thread.options;
    switch (message.kind) {
      case 'names':
        for (const text of message.names) numbers.push(names.number(text));
        return;
      case 'batch':
        this.translate(message.batch);
        await appending.append(message.batch);
        onScanned(message.scanned);
        return;
      case 'done':
        await this.complete(message);
    }
  }

  abandon(): Promise<void> {
    return this.thread.rollback();
  }

  private translate({ table, rows, columns }: FilledBatch): void {
    const { numbers } = this.thread;
    Object.values(TABLES[table] as Columns).forEach((type, at) => {
      const column = columns[at];
      if (type !== 'name' || column === undefined) return;
      for (let row = 0; row < rows; row++) column[row] = numbers[column[row] ?? 0] ?? 0;
    });
  }

  private async complete(done: Extract<ScanMessage, { kind: 'done' }>): Promise<void> {
    const { order } = this;
    const { connection } = this.thread.options;
    const { tenant, name, salt } = order.from === 0 ? checkOpened(order.id, done.opened) : EMPTY;
    const blobs = [blobValue(done.frontier), blobValue(done.state)];
    if (order.from === 0)
      await connection.run('INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', [
        ...[order.log, order.id, tenant, name, salt, BigInt(order.size)],
        ...[Buffer.from(order.root, 'latin1').toString('hex'), ...blobs],
      ]);
    else
      await connection.run('UPDATE logs SET size = ?, root = ?, frontier = ?, state = ? WHERE log = ?', [
        ...[BigInt(order.size), Buffer.from(order.root, 'latin1').toString('hex'), ...blobs, order.log],
      ]);
    await this.thread.complete(order.size - order.from);
  }
}

const EMPTY = { tenant: null, name: '', salt: '' } as const;

/** A log that does not open its own identifier could be anybody's. */
function checkOpened(id: string, opened: Opened | null): Opened {
  if (opened === null || blindedIdentifier(opened.tenant ?? INSTALLATION, opened.salt) !== id)
    throw new WaybillError('ledger-damaged', `${logFolder(id)}: its first entry does not open its identifier`);
  return opened;
}
