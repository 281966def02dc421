/**
 * Durable records of what happened. Today they are plain rows; the signed transparency log comes in this place, behind
 * the same `append`. The rule that both keep: a record is appended inside the transaction whose effect it tells of, so
 * neither exists without the other, and nobody is answered before both are durable.
 */
import type { RecordKind } from '../broker/calls.ts';

export interface RecordEntry {
  readonly kind: RecordKind;
  readonly tenant: string | null;
  readonly account: string | null;
  readonly session: string | null;
  readonly address: string | null;
  /** What the kind needs: never a key, a password or content. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface StoredRecord extends RecordEntry {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface RecordFilter {
  readonly tenant?: string;
  readonly session?: string;
  readonly kind?: RecordKind;
  readonly after?: number;
  readonly limit?: number;
}

/** What other rooms see. */
export interface Ledger {
  /** To be called inside a write of the metadata store; durable when that write resolves. */
  append(entry: RecordEntry): void;
}

/** Promise of the store: `insert` joins the transaction under way; numbers grow and are never used twice. */
export interface LedgerStore {
  insert(time: number, entry: RecordEntry): void;
  select(filter: RecordFilter): StoredRecord[];
}

export class PlainLedger implements Ledger {
  private readonly store: LedgerStore;
  private readonly now: () => number;

  constructor(store: LedgerStore, now: () => number = Date.now) {
    this.store = store;
    this.now = now;
  }

  append(entry: RecordEntry): void {
    this.store.insert(this.now(), entry);
  }

  list(filter: RecordFilter = {}): StoredRecord[] {
    return this.store.select(filter);
  }
}
