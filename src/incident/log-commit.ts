/** What a thread sends of one log becomes rows, in one transaction that ends when the log's root is right. */
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
  /** Numbers of one thread's texts in the index; shared by all its logs. */
  readonly numbers: number[];
  readonly onScanned: (entries: number) => void;
}

export class LogCommit implements LogReceiver {
  private readonly order: ScanOrder;
  private readonly options: CommitOptions;
  private readonly appending: Appending;

  private constructor(order: ScanOrder, options: CommitOptions) {
    this.order = order;
    this.options = options;
    this.appending = new Appending(options.connection);
  }

  static async begin(order: ScanOrder, options: CommitOptions): Promise<LogCommit> {
    const { connection } = options;
    await connection.run('BEGIN');
    const [from, to] = [order.log * PLACES, (order.log + 1) * PLACES];
    if (order.from > 0)
      for (const table of TAIL_TABLES) {
        const column = Object.keys(TABLES[table])[0] ?? '';
        await connection.run(`DELETE FROM ${table} WHERE ${column} >= ${from} AND ${column} < ${to}`);
      }
    return new LogCommit(order, options);
  }

  async take(message: Exclude<ScanMessage, { kind: 'failed' }>): Promise<void> {
    const { names, numbers, onScanned } = this.options;
    switch (message.kind) {
      case 'names':
        for (const text of message.names) numbers.push(names.number(text));
        return;
      case 'batch':
        this.translate(message.batch);
        await this.appending.append(message.batch);
        onScanned(message.scanned);
        return;
      case 'done':
        await this.commit(message);
    }
  }

  async abandon(): Promise<void> {
    this.appending.abandon();
    await this.options.connection.run('ROLLBACK').catch(() => undefined);
  }

  private translate({ table, rows, columns }: FilledBatch): void {
    const { numbers } = this.options;
    Object.values(TABLES[table] as Columns).forEach((type, at) => {
      const column = columns[at];
      if (type !== 'name' || column === undefined) return;
      for (let row = 0; row < rows; row++) column[row] = numbers[column[row] ?? 0] ?? 0;
    });
  }

  private async commit(done: Extract<ScanMessage, { kind: 'done' }>): Promise<void> {
    const { order } = this;
    const { connection, names, namesConnection } = this.options;
    this.appending.close();
    await names.save(namesConnection);
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
    await connection.run('COMMIT');
  }
}

const EMPTY = { tenant: null, name: '', salt: '' } as const;

/** A log that does not open its own identifier could be anybody's. */
function checkOpened(id: string, opened: Opened | null): Opened {
  if (opened === null || blindedIdentifier(opened.tenant ?? INSTALLATION, opened.salt) !== id)
    throw new WaybillError('ledger-damaged', `${logFolder(id)}: its first entry does not open its identifier`);
  return opened;
}
