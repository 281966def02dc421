/**
 * Brings the index to the last signed checkpoint, from where it was; from nothing when there is none. Order: the heads are
 * read and checked first; then each log that has grown is scanned, and committed with its size once its tree has
 * the root that the heads commit to; the heads are committed last. A build that was cut off goes on from the logs that it
 * had finished.
 */
import { randomBytes } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import type { LogState } from '../ledger/core/head.ts';
import { HEADS, logFolder } from '../ledger/core/layout.ts';
import { Frontier, HASH_BYTES } from '../ledger/core/merkle.ts';
import type { VerifierKey } from '../ledger/core/note.ts';
import { SumTree } from '../ledger/core/sum-tree.ts';
import { Batch } from './batch.ts';
import type { FilledBatch } from './batch.ts';
import { checkSum, locateDamage, readCheckpoint, readHeads } from './heads.ts';
import type { HeadChange, SignedCheckpoint } from './heads.ts';
import { IndexFile, INDEX_VERSION, schema } from './index-file.ts';
import { readMeta, writeMeta } from './index-meta.ts';
import type { IndexMeta } from './index-meta.ts';
import { IndexNames } from './index-names.ts';
import { ThreadCommits } from './log-commit.ts';
import { LOGS_MAX } from './places.ts';
import { scanLogs } from './scan-pool.ts';
import type { ScanOrder } from './scan-messages.ts';
import { linkSessions } from './session-links.ts';

export interface BuildOptions {
  readonly ledger: string;
  readonly index: string;
  readonly key: VerifierKey;
  readonly threads?: number;
  readonly onProgress?: (scanned: number, of: number) => void;
}

export interface BuildResult {
  readonly meta: IndexMeta;
  /** Entries that it had not had before. */
  readonly added: number;
}

interface IndexedLog extends Omit<ScanOrder, 'from' | 'root' | 'size'> {
  readonly size: number;
  /** Hexadecimal. */
  readonly root: string;
}

const NOTHING = new Uint8Array();

/** The index as it is, when it is complete up to the ledger's last checkpoint; null when it has to be built first. */
export async function openIfCurrent({ ledger, index: path, key }: BuildOptions): Promise<IndexFile | null> {
  if (!IndexFile.exists(path)) return null;
  const checkpoint = await readCheckpoint(ledger, key);
  const index = await IndexFile.open(path, 'read');
  const meta = await readMeta(index).catch(() => null);
  if (meta !== null && meta.version === INDEX_VERSION && meta.origin === key.name) {
    checkNotOlder(meta, checkpoint);
    if (meta.size === checkpoint.size) return index;
  }
  index.close();
  return null;
}

export async function buildIndex(options: BuildOptions): Promise<BuildResult> {
  const checkpoint = await readCheckpoint(options.ledger, options.key);
  const { index, meta } = await openForBuild(options);
  try {
    checkNotOlder(meta, checkpoint);
    return await new IndexBuild(options, index, meta, checkpoint).run();
  } finally {
    index.close();
  }
}

/** One of another version, or of another ledger, is no index of this one: it is made anew. */
async function openForBuild({ index: path, key }: BuildOptions): Promise<{ index: IndexFile; meta: IndexMeta }> {
  if (IndexFile.exists(path)) {
    const index = await IndexFile.open(path, 'write');
    const meta = await readMeta(index);
    if (meta !== null && meta.version === INDEX_VERSION && meta.origin === key.name) return { index, meta };
    const ours = meta !== null || (await index.rows('SELECT 1 FROM duckdb_tables() LIMIT 1')).length === 0;
    index.close();
    if (!ours)
      throw new WaybillError('option-invalid', `${path} is a database of something else; choose another with --index`);
    IndexFile.remove(path);
  }
  const index = await IndexFile.open(path, 'write');
  for (const statement of schema()) await index.run(statement);
  const empty = { size: 0, root: '', time: 0, total: 0, checkpoint: '', frontier: '' };
  const seeds = [randomBytes(4).readUInt32BE(), randomBytes(4).readUInt32BE()] as const;
  const meta: IndexMeta = { version: INDEX_VERSION, origin: key.name, ...empty, seeds };
  await writeMeta(index, meta);
  return { index, meta };
}

/** An index remembers what was signed once: a ledger that was put back, or forked, is found here. */
function checkNotOlder(meta: IndexMeta, { size, root }: SignedCheckpoint): void {
  if (meta.size > size)
    throw new WaybillError(
      'ledger-rolled-back',
      `the index knows a checkpoint of ${meta.size} heads, and the ledger has only ${size}: it was put back from an older copy`,
    );
  if (meta.size === size && size > 0 && meta.root !== root.toString('hex'))
    throw new WaybillError(
      'ledger-damaged',
      `there are two signed checkpoints of ${size} heads with different roots: the history forked`,
    );
}

class IndexBuild {
  private readonly options: BuildOptions;
  private readonly index: IndexFile;
  private readonly meta: IndexMeta;
  private readonly checkpoint: SignedCheckpoint;
  private readonly logs = new Map<string, IndexedLog>();
  private readonly targets = new Map<string, LogState>();
  private lastLog = 0;
  private readonly batches: FilledBatch[] = [];
  private readonly heads = new Batch('heads', (batch) => this.batches.push(batch));
  private readonly states = new Batch('states', (batch) => this.batches.push(batch));

  constructor(options: BuildOptions, index: IndexFile, meta: IndexMeta, checkpoint: SignedCheckpoint) {
    this.options = options;
    this.index = index;
    this.meta = meta;
    this.checkpoint = checkpoint;
  }

  async run(): Promise<BuildResult> {
    await this.loadLogs();
    const { frontier, last } = await this.readHeads();
    const orders = this.orders();
    const added = orders.reduce((sum, { size, from }) => sum + size - from, 0);
    await this.scan(orders, added);
    const meta: IndexMeta = {
      ...this.meta,
      size: this.checkpoint.size,
      root: this.checkpoint.root.toString('hex'),
      time: last?.head.time ?? this.meta.time,
      total: last?.head.total ?? this.meta.total,
      checkpoint: this.checkpoint.note,
      frontier: Buffer.concat(frontier.toHashes()).toString('hex'),
    };
    await this.finish(meta);
    return { meta, added };
  }

  private async loadLogs(): Promise<void> {
    const { last } = await this.index.row('SELECT coalesce(max(log), 0) AS last FROM states');
    this.lastLog = Number(last);
    for (const row of await this.index.rows('SELECT log, id, size, root, frontier, state FROM logs')) {
      const log = row as unknown as IndexedLog;
      this.logs.set(log.id, log);
      this.targets.set(log.id, { log: log.id, size: log.size, root: Buffer.from(log.root, 'hex') });
    }
  }

  private async readHeads(): Promise<{ frontier: Frontier; last: HeadChange | null }> {
    const { ledger } = this.options;
    const { size, root } = this.checkpoint;
    const frontier = Frontier.fromHashes(this.meta.size, hashesOf(this.meta.frontier));
    let last: HeadChange | null = null;
    try {
      for (const change of readHeads(ledger, frontier, this.checkpoint)) {
        this.addHead(change);
        last = change;
      }
    } catch (error) {
      await locateDamage(ledger, HEADS, size, root);
      throw error;
    }
    this.heads.flush();
    this.states.flush();
    if (last !== null) checkSum(new SumTree([...this.targets.values()].map(leafOf)), last.head);
    return { frontier, last };
  }

  private addHead({ index, head, states }: HeadChange): void {
    this.heads.u64(index).u64(head.time).u64(head.total).u32(head.tenants).end();
    for (const state of states) {
      const log = this.numbered(state.log);
      // A log that a build before this one finished alone may be ahead of the heads that it finished.
      const before = this.targets.get(state.log);
      if (before === undefined || state.size >= before.size) this.targets.set(state.log, state);
      this.states.u64(index).u32(log.log).u64(state.size).end();
    }
  }

  /**
   * Logs are numbered as the heads name them first. A build that was cut off has finished some of those that are new
   * since the heads it had finished: they come by the same numbers again.
   */
  private numbered(id: string): IndexedLog {
    const known = this.logs.get(id);
    if (known !== undefined && known.log <= this.lastLog) return known;
    const log = ++this.lastLog;
    if (log >= LOGS_MAX) throw new WaybillError('unsupported', `an index holds ${LOGS_MAX} logs at most`);
    if (known !== undefined && known.log !== log)
      throw new WaybillError('ledger-damaged', 'the index is of other heads than these; make it anew with --rebuild');
    const fresh: IndexedLog = known ?? { log, id, size: 0, root: '', frontier: NOTHING, state: NOTHING };
    this.logs.set(id, fresh);
    return fresh;
  }

  /** The longest first: the threads end at about the same time. */
  private orders(): ScanOrder[] {
    return [...this.targets.values()]
      .flatMap(({ log: id, size, root }): ScanOrder[] => {
        const indexed = this.logs.get(id) as IndexedLog;
        if (size === indexed.size && root.toString('hex') === indexed.root) return [];
        if (size <= indexed.size) throw forked(id);
        const { log, frontier, state } = indexed;
        return [{ log, id, from: indexed.size, size, root: root.toString('latin1'), frontier, state }];
      })
      .sort((a, b) => b.size - b.from - (a.size - a.from));
  }

  private async scan(orders: readonly ScanOrder[], of: number): Promise<void> {
    const { ledger, threads = 2, onProgress } = this.options;
    const names = await IndexNames.load(this.index);
    const namesConnection = await this.index.connect();
    const connections = await Promise.all(Array.from({ length: threads }, () => this.index.connect()));
    let scanned = 0;
    const onScanned = (entries: number): void => onProgress?.((scanned += entries), of);
    const commits = connections.map(
      (connection) => new ThreadCommits({ connection, names, namesConnection, onScanned }),
    );
    try {
      await scanLogs(orders, {
        ledger,
        threads,
        seeds: this.meta.seeds,
        receiver: (order, thread) => at(commits, thread).begin(order),
        finished: (thread) => at(commits, thread).commit(),
      });
    } catch (error) {
      await this.locate(error, orders);
      throw error;
    } finally {
      for (const connection of [...connections, namesConnection]) connection.closeSync();
    }
  }

  /** Which tile it is: the thread only knows that the whole is wrong. */
  private async locate(error: unknown, orders: readonly ScanOrder[]): Promise<void> {
    if (!(error instanceof WaybillError) || error.code !== 'ledger-damaged') return;
    const order = orders.find(({ id }) => error.message.startsWith(logFolder(id)));
    if (order === undefined) return;
    await locateDamage(this.options.ledger, logFolder(order.id), order.size, Buffer.from(order.root, 'latin1'));
  }

  private async finish(meta: IndexMeta): Promise<void> {
    await this.index.run('BEGIN');
    const appending = this.index.appending();
    for (const batch of this.batches) await appending.append(batch);
    appending.close();
    await linkSessions(this.index);
    await writeMeta(this.index, meta);
    await this.index.run('COMMIT');
    await this.index.run('CHECKPOINT');
  }
}

function forked(id: string): WaybillError {
  return new WaybillError(
    'ledger-damaged',
    `${logFolder(id)}: the index knows another history of it: the history forked`,
  );
}

function leafOf({ log, size, root }: LogState) {
  return { id: Buffer.from(log, 'hex'), size, root };
}

function hashesOf(hex: string): Buffer[] {
  return Array.from({ length: hex.length / (2 * HASH_BYTES) }, (_, at) =>
    Buffer.from(hex.slice(at * 2 * HASH_BYTES, (at + 1) * 2 * HASH_BYTES), 'hex'),
  );
}

function at<T>(list: readonly T[], index: number): T {
  return list[index] as T;
}
