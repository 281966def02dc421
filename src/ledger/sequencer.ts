/**
 * Gives entries their place. About once a second: entries that are durable go to the end of their logs in the order of
 * their commit; the new state of all logs becomes a head; the head is made durable; tiles and checkpoints are published;
 * what is published is removed from the metadata store. One sealing at a time, and one that fails (full disk) is tried
 * again as it is: its head is fixed, and no second head of its index can come to be. What a crash leaves at each step,
 * and how the next start goes on, is in docs/design/ledger.md and recovery.ts.
 */
import type { EntryStore, LogRow } from './entry-store.ts';
import type { LedgerNode } from './node.ts';
import { Publisher } from './publisher.ts';
import type { Recorder } from './recorder.ts';
import { Sealer, SEALING_ENTRIES, SLICE } from './sealer.ts';
import type { Prepared, SequencerState } from './sealer.ts';
import type { LedgerKey } from './signing-key.ts';
import type { TileStore } from './tile-store.ts';

/** Entries that are not left waiting for the next second. */
const SEAL_AT = 4096;
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
}

interface Unfinished extends Prepared {
  durable: boolean;
}

export class Sequencer {
  private readonly parts: SequencerParts;
  private readonly publisher: Publisher;
  private readonly sealer: Sealer;
  private unfinished: Unfinished | null = null;
  private removed = 0;
  private running: Promise<void> | null = null;
  private readonly timers: { soon: NodeJS.Timeout | null; later: NodeJS.Timeout | null } = { soon: null, later: null };
  private stopped = false;
  /** Partial files that the sealing before last made: a reader may still hold the checkpoint of the last one. */
  private stale: readonly string[] = [];
  /** Entries after the number that it answers are still needed in the metadata store by others, sealed or not. */
  keepAfter: (() => number) | null = null;
  /** Told after each publication. */
  onSealed: (() => void) | null = null;
  /** Told then of the logs that grew, as they stand in tiles and metadata now. */
  onGrown: ((logs: readonly LogRow[]) => void) | null = null;

  constructor(parts: SequencerParts, state: SequencerState) {
    this.parts = parts;
    this.publisher = new Publisher(parts.tiles, parts.key);
    this.sealer = new Sealer(parts.store, parts.node, state);
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
    while (this.sealer.heads.through < target);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.parts.recorder.onAppend = null;
    for (const timer of [this.timers.soon, this.timers.later]) if (timer !== null) clearTimeout(timer);
    this.timers.soon = null;
    this.timers.later = null;
    try {
      await this.seal();
    } catch (error) {
      // Nothing is lost: it waits in the metadata store.
      this.parts.report(error);
    }
  }

  private appended(): void {
    if (this.running !== null) return;
    this.schedule(this.parts.recorder.waiting >= SEAL_AT ? 0 : SEAL_MILLISECONDS);
  }

  /** What is scheduled for sooner stays. A timer each, so that nothing hangs on how two clocks compare. */
  private schedule(milliseconds: number): void {
    if (this.stopped) return;
    const which = milliseconds < HEAD_MILLISECONDS ? 'soon' : 'later';
    if (which === 'soon' && this.timers.soon !== null && milliseconds > 0) return;
    if (this.timers[which] !== null) clearTimeout(this.timers[which]);
    const timer = setTimeout(() => {
      this.timers[which] = null;
      this.exclusively(() => this.tick()).catch((error: unknown) => {
        this.parts.report(error);
        this.schedule(RETRY_MILLISECONDS);
      });
    }, milliseconds);
    timer.unref();
    this.timers[which] = timer;
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
    if (this.unfinished === null) {
      const now = this.parts.recorder.clock.now();
      const prepared = await this.sealer.prepare(now, asked ? Infinity : HEAD_MILLISECONDS);
      if (prepared === null) return;
      this.unfinished = { ...prepared, durable: false };
    }
    const prepared = this.unfinished;
    if (!prepared.durable) await this.fix(prepared);
    await this.publisher.publish(prepared.publication);
    this.unfinished = null;
    await this.finish(prepared);
  }

  /** From here on this head is the only one of its index. */
  private async fix(prepared: Unfinished): Promise<void> {
    const { store } = this.parts;
    await store.writePatiently(() => {
      for (const { tenant, size, root } of prepared.rows) store.saveLog(tenant, size, root);
      store.insertSealing(prepared.sealing);
      store.saveHeads(prepared.heads);
      store.saveValue('last-time', String(prepared.time));
    });
    prepared.durable = true;
    this.sealer.fixed(prepared);
  }

  private async finish(prepared: Prepared): Promise<void> {
    const { store, tiles, recorder } = this.parts;
    const { through } = prepared.heads;
    recorder.sealed(
      prepared.count < SEALING_ENTRIES ? store.countAfter(through) : recorder.waiting - prepared.count,
      prepared.rows.map(({ tenant }) => tenant),
    );
    this.sealer.trim();
    await store.writePatiently(() => {
      store.removeSealing(prepared.sealing.index);
    });
    await this.removeThrough(Math.min(through, this.keepAfter?.() ?? through));
    const { stale } = this;
    this.stale = prepared.superseded;
    await tiles.remove(stale);
    this.onSealed?.();
    this.onGrown?.(prepared.rows);
  }

  /** In pieces: a commit that removes all of a large sealing would hold the broker up. */
  private async removeThrough(seq: number): Promise<void> {
    const { store } = this.parts;
    while (this.removed < seq) {
      const first = store.entriesAfter(this.removed, 1)[0]?.seq ?? seq;
      const to = Math.min(seq, first + SLICE);
      // Not patiently: many in a row, and each would wait for company.
      await store.write(() => {
        store.removeThrough(to);
      });
      this.removed = to;
    }
  }
}
