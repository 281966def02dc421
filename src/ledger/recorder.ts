/** The writing end of the ledger: an event becomes an entry of its tenant's log, in the transaction under way. */
import { randomBytes } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { EMPTY_ROOT } from './core/merkle.ts';
import { decodeEntry, encodeEntry } from './core/entry.ts';
import { blindedIdentifier, INSTALLATION } from './core/head.ts';
import type { Entry, Event, KindName } from './core/kinds.ts';
import type { UnknownEntry } from './core/entry.ts';
import type { EntryStore } from './entry-store.ts';
import { LedgerClock, MACHINE_CLOCK } from './ledger-clock.ts';
import type { WallClock } from './ledger-clock.ts';
import type { Ledger } from './ledger.ts';

export { INSTALLATION } from './core/head.ts';
/** Entries that tiles could not take over, before nothing more is recorded, and so nothing more released. */
const UNSEALED_MAX = 2_000_000;

export interface RecorderOptions {
  /** For entry 0 of a new log. */
  readonly nameOf?: (tenant: string) => string;
  readonly clock?: WallClock;
}

export interface PendingRecord {
  readonly seq: number;
  readonly tenant: string;
  readonly entry: Entry | UnknownEntry;
}

export class Recorder implements Ledger {
  readonly clock: LedgerClock;
  private readonly store: EntryStore;
  private readonly nameOf: (tenant: string) => string;
  /** Logs whose first entry is durable; filled by what has been read, never by what is only being written. */
  private readonly opened = new Set<string>();
  private unsealed: number;
  /** Told of each entry, before it is durable. */
  onAppend: (() => void) | null = null;
  /** The same with the event, for counting. */
  onEvent: ((event: Event) => void) | null = null;

  constructor(store: EntryStore, options: RecorderOptions = {}) {
    this.store = store;
    this.nameOf = options.nameOf ?? (() => '');
    for (const { tenant } of store.logs()) this.opened.add(tenant);
    this.unsealed = store.countAfter(store.heads()?.through ?? 0);
    this.clock = new LedgerClock(options.clock ?? MACHINE_CLOCK, lastTime(store));
  }

  append(tenant: string | null, event: Event): void {
    const owner = tenant ?? INSTALLATION;
    const time = this.clock.now();
    const bytes = encodeEntry(event, time);
    if (this.unsealed >= UNSEALED_MAX)
      throw new WaybillError('store-full', 'the ledger cannot be written to its tiles, so nothing more is released');
    if (!this.opened.has(owner) && this.store.log(owner) === null) this.openLog(owner, time);
    this.store.insert(owner, bytes);
    this.unsealed++;
    // The few that are rolled back are counted until the next sealing, which counts anew.
    if (event.kind === 'sign-in' && event.session !== null) this.store.openSession(event.session, owner);
    if (event.kind === 'session-end' && event.session !== null) this.store.closeSession(event.session);
    this.onAppend?.();
    this.onEvent?.(event);
  }

  /** By the sequencer, once it is durable. */
  sealed(left: number, tenants: Iterable<string>): void {
    this.unsealed = left;
    for (const tenant of tenants) this.opened.add(tenant);
  }

  get waiting(): number {
    return this.unsealed;
  }

  /** What is not yet removed from the metadata store, decoded: the youngest entries of all logs. */
  pending(kind?: KindName, after = 0): PendingRecord[] {
    return this.store
      .entriesAfter(after, Number.MAX_SAFE_INTEGER)
      .map(({ seq, tenant, bytes }) => ({ seq, tenant, entry: decodeEntry(bytes) }))
      .filter(({ entry }) => kind === undefined || entry.kind === kind);
  }

  private openLog(tenant: string, time: number): void {
    const salt = randomBytes(32).toString('hex');
    const log = blindedIdentifier(tenant, salt);
    this.store.insertLog({ tenant, log, salt, size: 0, root: EMPTY_ROOT });
    const id = tenant === INSTALLATION ? null : tenant;
    const name = id === null ? 'installation' : this.nameOf(tenant);
    this.store.insert(tenant, encodeEntry({ kind: 'opened', tenant: id, name, salt }, time));
    this.unsealed++;
  }
}

function lastTime(store: EntryStore): number {
  const saved = Number(store.value('last-time') ?? 0);
  const last = store.lastEntry();
  return Math.max(saved, last === null ? 0 : decodeEntry(last.bytes).time);
}
