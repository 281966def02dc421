/** What the threads of an index build say to each other. */
import type { FilledBatch } from './batch.ts';
import type { Opened } from './log-scan.ts';

/** One log, from what the index holds to what the last head commits to. */
export interface ScanOrder {
  readonly log: number;
  /** Blinded identifier. */
  readonly id: string;
  readonly from: number;
  readonly size: number;
  /** Latin1. */
  readonly root: string;
  /** Perfect subtrees of the first `from` entries, largest first, 32 bytes each. */
  readonly frontier: Uint8Array;
  /** Serialised ScanState; empty at the start of a log. */
  readonly state: Uint8Array;
}

export interface ScanWorkerData {
  readonly ledger: string;
  readonly seeds: readonly [number, number];
  /** One word: batches that are sent and not yet appended. Null where nobody can take them meanwhile. */
  readonly outstanding: SharedArrayBuffer | null;
}

export type ScanMessage =
  /** Texts that the next batches may use; they follow those that came before, from 0. */
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'batch'; readonly batch: FilledBatch; readonly scanned: number }
  | {
      readonly kind: 'done';
      readonly log: number;
      readonly frontier: Uint8Array;
      readonly state: Uint8Array;
      readonly opened: Opened | null;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** A thread that is so many batches ahead waits for them to be appended: this bounds the memory of a build. */
export const OUTSTANDING_MAX = 48;
