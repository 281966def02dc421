/** Where events go, and how far each receiver has them; promises of the metadata store. */
import { KINDS } from '../ledger/core/kinds.ts';
import type { KindName } from '../ledger/core/kinds.ts';
import type { TargetKind } from './target-kinds.ts';

export const EVENT_KINDS = Object.keys(KINDS) as KindName[];

export { TARGET_KINDS } from './target-kinds.ts';
export type { TargetKind } from './target-kinds.ts';

export interface Target {
  readonly id: string;
  readonly name: string;
  /** Null: all tenants and the installation's own log. */
  readonly tenant: string | null;
  readonly kind: TargetKind;
  /** As it is shown: the path of a webhook is often as good as a password, so it is among the secrets. */
  readonly address: string;
  /** Empty: every kind of entry. */
  readonly only: readonly KindName[];
  /** PEM; null: the authorities that Node knows. */
  readonly ca: string | null;
  /** PEM of a client certificate; its key is among the secrets. */
  readonly certificate: string | null;
  /** Sealed JSON of TargetSecrets. */
  readonly sealed: Buffer;
  readonly created: number;
}

export interface TargetSecrets {
  /** The address in full. */
  readonly address: string;
  /** For signatures of webhooks, youngest first; `until` null is the one in use. */
  readonly signing: readonly { readonly secret: string; readonly until: number | null }[];
  readonly clientKey: string | null;
}

/** A receiver's place in one log. */
export interface QueueRow {
  readonly target: string;
  /** Blinded name of the log; '' holds the failures of a receiver that takes all logs over one connection. */
  readonly log: string;
  /** Index of the first entry that the receiver has not confirmed. */
  readonly position: number;
  /** Since when nothing got through; null when the last try did. */
  readonly failingSince: number | null;
  readonly attempts: number;
  readonly nextTry: number;
  readonly error: string;
}

/** An entry that was given up: it stays in the ledger, and can be sent again. */
export interface DeadRow {
  readonly number: number;
  readonly target: string;
  readonly log: string;
  readonly entry: number;
  readonly time: number;
  readonly attempts: number;
  readonly error: string;
}

/** Changing methods join the transaction of the write they are called in. */
export interface TargetStore {
  write<T>(action: () => T): Promise<T>;
  /** A crash may lose it: then something is delivered twice. */
  writePatiently<T>(action: () => T): Promise<T>;
  targets(): Target[];
  insertTarget(target: Target): void;
  saveSealed(id: string, sealed: Buffer): void;
  /** With its queues and what was given up. */
  removeTarget(id: string): void;
  queues(target: string): QueueRow[];
  saveQueue(row: QueueRow): void;
  dead(target: string, limit: number): DeadRow[];
  deadCount(target: string): number;
  insertDead(row: Omit<DeadRow, 'number'>): void;
  removeDead(number: number): void;
}
