/** What a scan of a log knows at a place of it: enough to go on from there as if it had never stopped. */
import type { IdWords } from './id-table.ts';

export interface Reading {
  readonly id: IdWords;
  readonly session: Session;
  readonly file: IdWords;
  readonly version: IdWords;
  readonly place: number;
  readonly folder: number;
  readonly directoryHigh: number;
  readonly directoryLow: number;
  readonly firstTime: number;
  lastTime: number;
  releases: number;
  released: number;
}

export interface SignIn {
  readonly account: string;
  readonly login: string;
  readonly protocol: string;
  readonly address: string;
  readonly client: string;
  readonly run: string;
  readonly node: string;
  readonly software: string;
  /** JSON lists. */
  readonly factors: string;
  readonly credentials: string;
  readonly descriptions: string;
  readonly firsts: string;
}

export interface Session {
  readonly id: IdWords;
  readonly place: number;
  readonly firstTime: number;
  lastTime: number;
  signIn: SignIn | null;
  state: number;
  endTime: number;
  endReason: string;
  /** Those without a `sent` yet. */
  readonly readings: Set<Reading>;
  readingCount: number;
  releases: number;
  released: number;
  sentBytes: number;
  /** Of readings that are closed. */
  unknownBytes: number;
  unknownReadings: number;
  strays: number;
  firstRead: number;
  lastRead: number;
  listings: number;
  writes: number;
}

/** Sessions in the order in which they came, each with its open readings; folders in the order of their numbers. */
export interface ScanState {
  readonly sessions: readonly Session[];
  readonly ended: readonly number[];
  readonly folders: readonly string[];
}

export const EMPTY_STATE: ScanState = { sessions: [], ended: [], folders: [] };
