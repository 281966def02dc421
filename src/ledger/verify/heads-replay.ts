/**
 * Replays what every head changed: at each head, the sum tree must have the root, the total and the number of logs that
 * the head states, and each log that it changed must have, at the size it had then, the root that was committed. All
 * logs are read in step with the heads, so that the whole takes one pass and no memory of the past.
 */
import { decodeChanges, decodeHead, digest } from '../core/head.ts';
import type { Head, LogState } from '../core/head.ts';
import { changesPath, checkpointPath, decodeChangesFile, HEADS, logFolder } from '../core/layout.ts';
import { SumTree } from '../core/sum-tree.ts';
import { TILE_WIDTH } from '../core/tiles.ts';
import type { Findings } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { LogStream } from './log-stream.ts';
import type { SignedTree } from './log-stream.ts';
import type { TenantLog } from './tenant-log.ts';
import { CHANGES_FILE_MAX, readWide, whyDamaged } from './wide-file.ts';

/** Bundles in hand, of as many logs. */
const BUNDLES_KEPT = 256;

export class HeadsReplay {
  readonly stream: LogStream;
  /** The last head that could be read. */
  last: Head | null = null;
  /** Changes of some head could not be read: what later heads state of all logs cannot be compared. */
  lost = false;
  private readonly files: LedgerFiles;
  private readonly findings: Findings;
  private readonly logs: ReadonlyMap<string, TenantLog>;
  private readonly tree = new SumTree();
  private readonly sizes = new Map<string, number>();
  private readonly missing = new Set<string>();
  private readonly inHand = new Map<string, TenantLog>();
  private entry: Buffer | null = null;
  private part: readonly Buffer[] | null = null;

  constructor(files: LedgerFiles, tree: SignedTree, logs: ReadonlyMap<string, TenantLog>, findings: Findings) {
    this.files = files;
    this.logs = logs;
    this.findings = findings;
    this.stream = new LogStream(files, { log: HEADS, folder: HEADS }, tree, findings, (entry) => {
      this.entry = entry;
    });
  }

  async run(): Promise<void> {
    for (let index = 0; index < this.stream.tree.size; index++) {
      if (!(await this.stream.advance(index + 1))) return;
      if (index % TILE_WIDTH === 0) this.part = await this.readPart(index / TILE_WIDTH);
      const head = this.entry === null ? null : this.decode(this.entry, index);
      if (head === null) this.lose(index);
      else await this.replay(head, index);
    }
    await this.stream.finish();
  }

  private decode(entry: Buffer, index: number): Head | null {
    try {
      const head = decodeHead(entry);
      if (this.last !== null && head.time < this.last.time)
        this.findings.add(
          'order',
          { head: index },
          'its time is before that of the head before',
          this.last.time,
          head.time,
        );
      this.last = head;
      return head;
    } catch (error) {
      this.findings.add('entry', { log: HEADS, entry: index }, whyDamaged(error));
      return null;
    }
  }

  private lose(index: number): void {
    if (!this.lost)
      this.findings.tell('unchecked', { head: index }, 'from here on the sums of the heads could not be made again');
    this.lost = true;
  }

  private async readPart(index: number): Promise<readonly Buffer[] | null> {
    const width = Math.min(TILE_WIDTH, this.stream.tree.size - index * TILE_WIDTH);
    const place = { log: HEADS, path: changesPath(index, width) };
    try {
      const file = await readWide(this.files, (one) => changesPath(index, one), width, CHANGES_FILE_MAX);
      if (file !== null) return decodeChangesFile(file.bytes, file.width);
      this.findings.add('missing', place, 'the file is missing');
    } catch (error) {
      this.findings.add('damaged', place, whyDamaged(error));
    }
    return null;
  }

  private async replay(head: Head, index: number): Promise<void> {
    const states = this.changesOf(head, index);
    if (states === null) {
      this.lose(index);
      return;
    }
    for (const state of states) await this.apply(state, head, index);
    if (!this.lost) this.compareSums(head, index);
  }

  private changesOf(head: Head, index: number): LogState[] | null {
    const bytes = this.part?.[index % TILE_WIDTH];
    if (bytes === undefined) return null;
    const first = Math.floor(index / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, this.stream.tree.size - first * TILE_WIDTH);
    const place = { log: HEADS, path: changesPath(first, width), head: index };
    const found = digest(bytes);
    if (!found.equals(head.changes)) {
      this.findings.add('damaged', place, 'what the head changed is not what it commits to', head.changes, found);
      return null;
    }
    try {
      return decodeChanges(bytes);
    } catch (error) {
      this.findings.add('head', place, whyDamaged(error));
      return null;
    }
  }

  private async apply(state: LogState, head: Head, index: number): Promise<void> {
    const { log, size, root } = state;
    const place = { log, head: index };
    const before = this.sizes.get(log) ?? 0;
    if (size <= before)
      this.findings.add('head', place, 'a log that changed has not grown', `more than ${before}`, size);
    this.sizes.set(log, size);
    try {
      this.tree.set({ id: Buffer.from(log, 'hex'), size, root });
    } catch (error) {
      this.findings.add('head', place, whyDamaged(error));
    }
    const tenant = this.logs.get(log);
    if (tenant === undefined) {
      if (!this.missing.has(log))
        this.findings.add(
          'missing',
          { ...place, path: checkpointPath(logFolder(log)) },
          'the heads commit this log, and it has no checkpoint that verifies',
        );
      this.missing.add(log);
      return;
    }
    tenant.committed = { size, root, head: index };
    await this.compareLog(tenant, head, index);
  }

  private async compareLog(tenant: TenantLog, head: Head, index: number): Promise<void> {
    const { log, stream, committed } = tenant;
    // A log that is behind the heads is named when all heads are read.
    if (committed === null || committed.size > stream.tree.size || stream.size > committed.size) return;
    if (!(await stream.advance(committed.size))) return;
    this.keep(tenant);
    const root = stream.root();
    const place = { log, head: index };
    if (!root.equals(committed.root))
      this.findings.add(
        'mismatch',
        place,
        `the head commits another root of the first ${committed.size} entries`,
        committed.root,
        root,
      );
    if (tenant.time > head.time)
      this.findings.add(
        'order',
        place,
        'the head is of an earlier time than an entry it commits',
        tenant.time,
        head.time,
      );
  }

  private keep(tenant: TenantLog): void {
    this.inHand.delete(tenant.log);
    this.inHand.set(tenant.log, tenant);
    if (this.inHand.size <= BUNDLES_KEPT) return;
    for (const [log, oldest] of [...this.inHand].slice(0, 1)) {
      oldest.stream.release();
      this.inHand.delete(log);
    }
  }

  private compareSums(head: Head, index: number): void {
    const { hash, sum, count } = this.tree.root();
    const place = { head: index };
    if (count !== head.tenants)
      this.findings.add('head', place, 'it states another number of logs', count, head.tenants);
    if (sum !== head.total) this.findings.add('head', place, 'it states another total of entries', sum, head.total);
    if (!hash.equals(head.sumRoot)) this.findings.add('head', place, 'it states another sum root', hash, head.sumRoot);
  }
}
