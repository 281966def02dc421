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
import { signPack } from './verify/pack/form.ts';
import { Witnessing } from './witnessing.ts';
import type { WitnessAddress, WitnessStatus } from './witnessing.ts';

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
  /** Whom each new checkpoint of the heads is sent to. */
  readonly witnesses?: readonly WitnessAddress[];
  /** A witness could not be asked, or refuses; `''` is all of them. */
  readonly reportWitness?: (witness: string, error: unknown) => void;
}

export interface OpenLedger {
  readonly recorder: Recorder;
  readonly sequencer: Sequencer;
  readonly node: LedgerNode;
  /** For verifiers. */
  readonly vkey: string;
  /** Sessions of the run before that never ended. */
  readonly gaps: number;
  /** Entries that are durable and not sealed yet. */
  readonly waiting: () => number;
  readonly witnesses: () => WitnessStatus[];
  /** A signed note over the digest of an evidence pack's manifest (64 hexadecimal digits). */
  readonly signPack: (digest: string) => string;
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
  const {
    witnesses = [],
    reportWitness = (_: string, error: unknown): void => {
      report(error);
    },
  } = options;
  const witnessing = new Witnessing({ tiles, key, witnesses, report: reportWitness });
  sequencer.onSealed = () => {
    witnessing.sealed();
  };
  sequencer.start();
  const stop = async (): Promise<void> => {
    await recordStop(store, recorder, node).catch(report);
    await sequencer.stop();
    await witnessing.stop();
  };
  return {
    ...{ recorder, sequencer, node, vkey: key.vkey, gaps, stop },
    waiting: () => recorder.waiting,
    witnesses: () => witnessing.status(),
    signPack: (digest) => signPack(key.origin, digest, key.signer),
  };
}
