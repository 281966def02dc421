/** The ledger put together, at the start of a server: nothing is recorded, and so nothing released, before this resolves. */
import { randomBytes } from 'node:crypto';
import type { EntryStore } from './entry-store.ts';
import type { WallClock } from './ledger-clock.ts';
import { recordStart, recordStop } from './node.ts';
import type { LedgerNode } from './node.ts';
import { Recorder } from './recorder.ts';
import { openSequencer } from './recovery.ts';
import type { Sequencer } from './sequencer.ts';
import { openLedgerKey } from './signing-key.ts';
import type { TileStore } from './tile-store.ts';

export interface LedgerOptions {
  readonly store: EntryStore;
  readonly tiles: TileStore;
  /** keys/ledger.key. */
  readonly keyFile: string;
  readonly nameOf: (tenant: string) => string;
  readonly node: Omit<LedgerNode, 'run'>;
  readonly build: { readonly runtime: string; readonly dependencies: string };
  readonly report: (error: unknown) => void;
  readonly clock?: WallClock;
}

export interface OpenLedger {
  readonly recorder: Recorder;
  readonly sequencer: Sequencer;
  readonly node: LedgerNode;
  /** For verifiers. */
  readonly vkey: string;
  /** Sessions of the run before that never ended. */
  readonly gaps: number;
  /** After everything else has stopped that records: everything is sealed and published. */
  stop(): Promise<void>;
}

export async function openLedger(options: LedgerOptions): Promise<OpenLedger> {
  const { store, tiles, nameOf, clock, report } = options;
  const recorder = new Recorder(store, clock === undefined ? { nameOf } : { nameOf, clock });
  const started = store.heads() !== null || store.lastEntry() !== null;
  const key = await openLedgerKey(options.keyFile, started);
  const node = { run: randomBytes(16).toString('hex'), ...options.node };
  const sequencer = await openSequencer({ store, tiles, recorder, key, node, report });
  const gaps = await recordStart(store, recorder, node, options.build);
  sequencer.start();
  const stop = async (): Promise<void> => {
    await recordStop(store, recorder, node).catch(report);
    await sequencer.stop();
  };
  return { recorder, sequencer, node, vkey: key.vkey, gaps, stop };
}
