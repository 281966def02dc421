/**
 * Gives entries their place. About once a second: entries that are durable go to the end of their logs in the order of
 * their commit; the new state of all logs becomes a head; the head is made durable; tiles and checkpoints are published;
 * what is published is removed from the metadata store. One sealing at a time, and one that fails (full disk) is tried
 * again as it is: its head is fixed, and no second head of its index can come to be. What a crash leaves at each step,
 * and how the next start goes on, is in docs/design/ledger.md and recovery.ts.
 */
import { decodeEntry } from './core/entry.ts';
import { digest, encodeChanges, encodeHead } from './core/head.ts';
import type { LogState } from './core/head.ts';
import type { SumTree } from './core/sum-tree.ts';
import type { ChangesWriter } from './changes-writer.ts';
import type { EntryStore, HeadsRow, LogRow, PendingEntry, Sealing } from './entry-store.ts';
import type { LogWriter } from './log-writer.ts';
import type { LogWriters } from './log-writers.ts';
import type { LedgerNode } from './node.ts';
import { Publisher } from './publisher.ts';
import type { Publication } from './publisher.ts';
import type { Recorder } from './recorder.ts';
import type { LedgerKey } from './signing-key.ts';
import type { TileStore } from './tile-store.ts';

/** Entries of one sealing: a few milliseconds of the broker's time. */
export const SEALING_ENTRIES = 4096;
const SEAL_MILLISECONDS = 1000;
const HEAD_MILLISECONDS = 60_000;
const RETRY_MILLISECONDS = 1000;

export interface SequencerParts {
  readonly store: EntryStore;
  readonly tiles: TileStore;
  readonly recorder: Recorder;
  readonly key: LedgerKey;
  readonly node: LedgerNode;
  readonly report: (error: unknown) => void;
  /** Entries after this number are still needed in the metadata store by others, sealed or not. */
  readonly keepAfter?: () => number;
}

/** Where recovery has left off. */
export interface SequencerState {
  readonly heads: HeadsRow;
  readonly headsWriter: LogWriter;
  readonly changes: ChangesWriter;
  readonly writers: LogWriters;
  readonly tree: SumTree;
  readonly lastHead: number;
}

interface Prepared {
  readonly sealing: Sealing;
  readonly heads: HeadsRow;
  readonly rows: readonly LogRow[];
  readonly publication: Publication;
  readonly superseded: readonly string[];
  readonly time: number;
  durable: boolean;
}

export class Sequencer {
  private readonly parts: SequencerParts;
  private readonly publisher: Publisher;
  private state: SequencerState;
  private unfinished: Prepared | null = null;
  private running: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private due = 0;
  private stopped = false;
  /** Partial files that the sealing before last made: a reader may still hold the checkpoint of the last one. */
  private stale: readonly string[] = [];
  /** Told after each publication. */
  onSealed: (() => void) | null = null;

  constructor(parts: SequencerParts, state: SequencerState) {
    this.parts = parts;
    this.publisher = new Publisher(parts.tiles, parts.key);
    this.state = state;
  }

  start(): void {
    this.parts.recorder.onAppend = () => {
      this.appended();
    };
    this.schedule(0);
  }

  /** Everything that is durable now is sealed and published when this resolves. */
  async seal(): Promise<void> {
    while (this.running !== null) await this.running;
    const target = this.parts.store.lastEntry()?.seq ?? 0;
    do await this.exclusively(() => this.sealOnce(true));
    while (this.state.heads.through < target);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.parts.recorder.onAppend = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    try {
      await this.seal();
    } catch (error) {
      // Nothing is lost: it waits in the metadata store.
      this.parts.report(error);
    }
  }

  private appended(): void {
    if (this.running !== null) return;
    this.schedule(this.parts.recorder.waiting >= SEALING_ENTRIES ? 0 : SEAL_MILLISECONDS);
  }

  /** At the latest then; what is scheduled for earlier stays. */
  private schedule(milliseconds: number): void {
    if (this.stopped) return;
    const due = performance.now() + milliseconds;
    if (this.timer !== null && this.due <= due) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.exclusively(() => this.tick()).catch((error: unknown) => {
        this.parts.report(error);
        this.schedule(RETRY_MILLISECONDS);
      });
    }, milliseconds);
    this.timer.unref();
  }

  private async tick(): Promise<void> {
    await this.recordJump();
    await this.sealOnce(false);
    this.schedule(HEAD_MILLISECONDS);
  }

  private async exclusively(work: () => Promise<unknown>): Promise<void> {
    while (this.running !== null) await this.running.catch(() => undefined);
    const running = work().then(() => undefined);
    this.running = running;
    try {
      await running;
    } finally {
      this.running = null;
      // What was appended meanwhile.
      if (this.parts.recorder.waiting > 0) this.appended();
    }
  }

  private async recordJump(): Promise<void> {
    const { recorder, store, node } = this.parts;
    const jump = recorder.clock.jump();
    if (jump === null) return;
    await store.writePatiently(() => {
      recorder.append(null, { kind: 'clock', run: node.run, ...jump });
    });
  }

  private async sealOnce(asked: boolean): Promise<void> {
    this.unfinished ??= await this.prepare(asked);
    const prepared = this.unfinished;
    if (prepared === null) return;
    if (!prepared.durable) await this.fix(prepared);
    await this.publisher.publish(prepared.publication);
    this.unfinished = null;
    await this.finish(prepared);
  }

  /** Everything is computed before anything is written; what is loaded is loaded before anything is appended. */
  private async prepare(asked: boolean): Promise<Prepared | null> {
    const { store, recorder, node } = this.parts;
    const { heads, lastHead, writers } = this.state;
    const entries = store.entriesAfter(heads.through, SEALING_ENTRIES);
    const time = recorder.clock.now();
    if (entries.length === 0 && (asked || time - lastHead < HEAD_MILLISECONDS)) return null;
    const touched = new Map<string, { row: LogRow; writer: LogWriter }>();
    for (const tenant of new Set(entries.map((entry) => entry.tenant))) {
      const row = store.log(tenant);
      if (row === null) throw new Error(`no log of tenant ${tenant}`);
      touched.set(tenant, { row, writer: await writers.of(row) });
    }
    return this.build(entries, touched, Math.max(time, lastTime(entries)), node);
  }

  private build(
    entries: readonly PendingEntry[],
    touched: ReadonlyMap<string, { row: LogRow; writer: LogWriter }>,
    time: number,
    node: LedgerNode,
  ): Prepared {
    const { heads, headsWriter, changes: changesWriter, tree } = this.state;
    for (const { tenant, bytes } of entries) touched.get(tenant)?.writer.append(bytes);
    const states: (LogState & { folder: string })[] = [];
    const rows: LogRow[] = [];
    for (const { row, writer } of touched.values()) {
      const [size, root] = [writer.size, writer.root()];
      states.push({ log: row.log, size, root, folder: writer.folder });
      rows.push({ ...row, size, root });
      tree.set({ id: Buffer.from(row.log, 'hex'), size, root });
    }
    const changes = encodeChanges(states);
    const { hash: sumRoot, sum: total, count: tenants } = tree.root();
    const { run, software } = node;
    const head = encodeHead({ time, sumRoot, total, tenants, changes: digest(changes), run, software });
    headsWriter.append(head);
    const written = changesWriter.append(changes);
    const taken = [...touched.values()].map(({ writer }) => writer.takeFiles());
    const headFiles = headsWriter.takeFiles();
    const through = entries.at(-1)?.seq ?? heads.through;
    const newHeads = { through, size: headsWriter.size, root: headsWriter.root() };
    return {
      sealing: { index: heads.size, after: heads.through, through, head, changes },
      heads: newHeads,
      rows,
      publication: {
        files: [...taken.flatMap(({ files }) => files), ...headFiles.files, written.file],
        states,
        heads: newHeads,
      },
      superseded: [...taken.flatMap((one) => one.superseded), ...headFiles.superseded, ...written.superseded],
      time,
      durable: false,
    };
  }

  /** From here on this head is the only one of its index. */
  private async fix(prepared: Prepared): Promise<void> {
    const { store } = this.parts;
    await store.writePatiently(() => {
      for (const { tenant, size, root } of prepared.rows) store.saveLog(tenant, size, root);
      store.insertSealing(prepared.sealing);
      store.saveHeads(prepared.heads);
      store.saveValue('last-time', String(prepared.time));
    });
    prepared.durable = true;
    this.state = { ...this.state, heads: prepared.heads, lastHead: prepared.time };
  }

  private async finish(prepared: Prepared): Promise<void> {
    const { store, tiles, recorder, keepAfter } = this.parts;
    const { through } = prepared.heads;
    recorder.sealed(
      store.countAfter(through),
      prepared.rows.map(({ tenant }) => tenant),
    );
    this.state.writers.trim();
    await store.writePatiently(() => {
      store.removeSealing(prepared.sealing.index);
      store.removeThrough(Math.min(through, keepAfter?.() ?? through));
    });
    const { stale } = this;
    this.stale = prepared.superseded;
    await tiles.remove(stale);
    this.onSealed?.();
  }
}

function lastTime(entries: readonly PendingEntry[]): number {
  const last = entries.at(-1);
  return last === undefined ? 0 : decodeEntry(last.bytes).time;
}
