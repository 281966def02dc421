/**
 * Computes a sealing: which entries, their place in their logs, the new head, and every file that has to be written for
 * it. Nothing is written here. What has to be loaded is loaded before anything is appended: a failure changes nothing.
 */
import { setImmediate } from 'node:timers/promises';
import { decodeEntry } from './core/entry.ts';
import { digest, encodeChanges, encodeHead } from './core/head.ts';
import type { LogState } from './core/head.ts';
import type { SumTree } from './core/sum-tree.ts';
import type { ChangesWriter } from './changes-writer.ts';
import type { EntryStore, HeadsRow, LogRow, PendingEntry, Sealing } from './entry-store.ts';
import type { LogWriter } from './log-writer.ts';
import type { LogWriters } from './log-writers.ts';
import type { LedgerNode } from './node.ts';
import type { Publication } from './publisher.ts';

/** Of one sealing. Under load large ones cost least: fewer of their tiles are partial. */
export const SEALING_ENTRIES = 32_768;
/** At a time: two milliseconds of the broker's thread. */
export const SLICE = 1024;

/** Where recovery has left off. */
export interface SequencerState {
  readonly heads: HeadsRow;
  readonly headsWriter: LogWriter;
  readonly changes: ChangesWriter;
  readonly writers: LogWriters;
  readonly tree: SumTree;
  readonly lastHead: number;
}

/** A sealing before it is made durable and published. */
export interface Prepared {
  readonly sealing: Sealing;
  readonly heads: HeadsRow;
  readonly rows: readonly LogRow[];
  readonly publication: Publication;
  readonly superseded: readonly string[];
  readonly time: number;
  /** Entries. */
  readonly count: number;
}

interface Touched {
  readonly row: LogRow;
  readonly writer: LogWriter;
}

export class Sealer {
  private readonly store: EntryStore;
  private readonly node: LedgerNode;
  private state: SequencerState;

  constructor(store: EntryStore, node: LedgerNode, state: SequencerState) {
    this.store = store;
    this.node = node;
    this.state = state;
  }

  get heads(): HeadsRow {
    return this.state.heads;
  }

  /** The sealing is durable: the next one goes on from it. */
  fixed({ heads, time }: Prepared): void {
    this.state = { ...this.state, heads, lastHead: time };
  }

  /** Between sealings. */
  trim(): void {
    this.state.writers.trim();
  }

  private async readEntries(after: number): Promise<PendingEntry[]> {
    const entries: PendingEntry[] = [];
    while (entries.length < SEALING_ENTRIES) {
      const slice = this.store.entriesAfter(entries.at(-1)?.seq ?? after, SLICE);
      for (const entry of slice) entries.push(entry);
      if (slice.length < SLICE) break;
      await setImmediate();
    }
    return entries;
  }

  /** Null when there is nothing to seal. A head that seals no entry is made when the last is `emptyAfter` milliseconds old. */
  async prepare(now: number, emptyAfter: number): Promise<Prepared | null> {
    const { store } = this;
    const { heads, lastHead, writers } = this.state;
    const entries = await this.readEntries(heads.through);
    if (entries.length === 0 && now - lastHead < emptyAfter) return null;
    const touched = new Map<string, Touched>();
    for (const tenant of new Set(entries.map((entry) => entry.tenant))) {
      const row = store.log(tenant);
      if (row === null) throw new Error(`no log of tenant ${tenant}`);
      touched.set(tenant, { row, writer: await writers.of(row) });
    }
    for (const [at, { tenant, bytes }] of entries.entries()) {
      touched.get(tenant)?.writer.append(bytes);
      if (at % SLICE === SLICE - 1) await setImmediate();
    }
    return this.build(entries, touched, Math.max(now, lastTime(entries)));
  }

  private build(entries: readonly PendingEntry[], touched: ReadonlyMap<string, Touched>, time: number): Prepared {
    const { heads, headsWriter, changes: changesWriter, tree } = this.state;
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
    const { run, software } = this.node;
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
      count: entries.length,
    };
  }
}

function lastTime(entries: readonly PendingEntry[]): number {
  const last = entries.at(-1);
  return last === undefined ? 0 : decodeEntry(last.bytes).time;
}
