/**
 * The egress port: what leaves is reserved here first, in every scope of the session or in none. The broker is one
 * thread and a reservation is one step without a wait, so however many sessions ask at once, none goes over by a segment.
 */
import type { WaybillError } from '../../base/errors.ts';
import type { EventOf } from '../../ledger/core/kinds.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { logOf } from '../holds.ts';
import type { HeldPlace, Holds, Over } from '../holds.ts';
import type { Acquaintances } from './acquaintances.ts';
import { dayOf } from './history.ts';
import type { ScopeEntry, ScopeTable } from './scope-table.ts';
import { scopesOf } from './scopes.ts';
import type { Who } from './scopes.ts';
import { DIMENSIONS, placeOf } from './windows.ts';
import type { Amounts, Cells } from './windows.ts';

export interface ReleaseAsk extends HeldPlace {
  readonly bytes: number;
  readonly files: number;
}

export interface ListingAsk extends Omit<HeldPlace, 'version'> {
  /** Anything that tells directories apart. */
  readonly directory: number;
}

/** What is in the budgets already, and becomes real with `write`; what is never written stays used. */
export interface Reserved {
  /** The action's effects and the reservation, in one durable write of `store`; a write that fails gives back. */
  write<T>(store: Writing, action: () => T): Promise<T>;
}

interface Writing {
  write<T>(action: () => T): Promise<T>;
}

type Alert = { readonly log: string | null; readonly event: EventOf<'alert'> };

interface Ask {
  over(entry: ScopeEntry, limits: Cells): number;
  use(entry: ScopeEntry): void;
  takeBack(entry: ScopeEntry): void;
  readonly amounts: Amounts;
  readonly place: HeldPlace;
}

export interface ReservationsParts {
  readonly table: ScopeTable;
  readonly holds: Holds;
  readonly ledger: Ledger;
  readonly acquaintances: Acquaintances;
  /** The clock of budgets. */
  readonly now: () => number;
}

export class Reservations {
  private readonly parts: ReservationsParts;
  /** Crossings that are not recorded yet; the next write takes them along. */
  private alerts: Alert[] = [];

  constructor(parts: ReservationsParts) {
    this.parts = parts;
  }

  /** Throws `held` with the reference, or `release-refused`; nothing has happened then. */
  release(who: Who, ask: ReleaseAsk): Promise<Reserved> {
    this.parts.holds.refuseDenied(who.account, false);
    const amounts: Amounts = [ask.bytes, ask.files, 0];
    const now = this.parts.now();
    return this.reserve(who, now, {
      amounts,
      place: ask,
      over: ({ usage }, limits) => usage.over(amounts, limits),
      use: (entry) => {
        this.parts.table.use(entry, amounts, now);
      },
      takeBack: ({ usage }) => {
        usage.takeBack(ask.bytes, now);
      },
    });
  }

  listing(who: Who, ask: ListingAsk): Promise<Reserved> {
    this.parts.holds.refuseDenied(who.account, true);
    const now = this.parts.now();
    return this.reserve(who, now, {
      amounts: [0, 0, 1],
      place: { folder: ask.folder, path: ask.path, version: null },
      over: ({ usage }, limits) => usage.overByListing(ask.directory, limits),
      use: (entry) => {
        this.parts.table.useListing(entry, ask.directory, now);
      },
      // It stays counted: the next try of the same directory costs nothing.
      takeBack: () => undefined,
    });
  }

  /** Those that no release has taken along, with another effect. */
  async writeAlerts(write: (action: () => void) => Promise<void>, action: () => void): Promise<void> {
    let told: Alert[] = [];
    try {
      await write(() => {
        action();
        told = this.appendAlerts();
      });
    } catch (error) {
      this.alerts.unshift(...told);
      throw error;
    }
  }

  private async reserve(who: Who, now: number, ask: Ask): Promise<Reserved> {
    const entries = this.entriesOf(who, now);
    const over = this.firstOver(entries, ask, now);
    if (over !== null) throw await this.hold(who, over.entry, over.over, ask.place);
    for (const entry of entries) ask.use(entry);
    this.noteCrossings(who, entries);
    return { write: (store, action) => this.write(store, action, entries, ask, now) };
  }

  private async write<T>(
    store: Writing,
    action: () => T,
    entries: readonly ScopeEntry[],
    ask: Ask,
    now: number,
  ): Promise<T> {
    let told: Alert[] = [];
    try {
      return await store.write(() => {
        const value = action();
        told = this.appendAlerts();
        this.parts.table.record(entries, now);
        return value;
      });
    } catch (error) {
      this.alerts.unshift(...told);
      this.parts.table.failed(entries);
      for (const entry of entries) ask.takeBack(entry);
      throw error;
    }
  }

  private entriesOf(who: Who, now: number): ScopeEntry[] {
    const unconfirmed = this.parts.acquaintances.isReduced(who.account, who.marks);
    return scopesOf(who, unconfirmed).map((scope) => this.parts.table.entry(scope, now));
  }

  private firstOver(entries: readonly ScopeEntry[], ask: Ask, now: number): { entry: ScopeEntry; over: Over } | null {
    for (const entry of entries) {
      const limits = this.parts.table.limits(entry, now);
      const cell = ask.over(entry, limits);
      if (cell < 0) continue;
      const dimension = cell % DIMENSIONS.length;
      const { window } = placeOf(cell);
      const [used, limit, asked] = [entry.usage.used(cell), limits[cell] ?? 0, ask.amounts[dimension] ?? 0];
      return { entry, over: { scope: entry.key, dimension, window, used, limit, asked } };
    }
    return null;
  }

  private hold(who: Who, entry: ScopeEntry, over: Over, place: HeldPlace): Promise<WaybillError> {
    const now = this.parts.now();
    // Nor does the account learn from a day on which only a part of it was held.
    const { kind } = entry.scope;
    const own = kind === 'unconfirmed' || kind === 'credential';
    const marked = own ? [entry, this.parts.table.entry({ kind: 'account', id: who.account }, now)] : [entry];
    for (const { usage } of marked) usage.history.hold(dayOf(now));
    return this.parts.holds.hold(who, over, place, () => {
      this.parts.table.saveNow(marked, now);
    });
  }

  private noteCrossings(who: Who, entries: readonly ScopeEntry[]): void {
    for (const { usage, key, scope, limits: kept } of entries) {
      const limits = kept?.cells;
      if (kept?.bounded !== true || limits === undefined) continue;
      for (const cell of usage.crossings(limits)) {
        const { dimension, window } = placeOf(cell);
        const [session, account] = scope.kind === 'installation' ? [null, null] : [who.session, who.account];
        const figures = { used: usage.used(cell), limit: limits[cell] ?? 0, detail: {} };
        const event = { kind: 'alert', session, account, scope: key, dimension, window, ...figures } as const;
        this.alerts.push({ log: logOf({ scope: key, tenant: who.tenant }), event });
      }
    }
  }

  /** Inside a write; who fails puts them back. */
  private appendAlerts(): Alert[] {
    const { alerts } = this;
    if (alerts.length === 0) return alerts;
    for (const { log, event } of alerts) this.parts.ledger.append(log, event);
    this.alerts = [];
    return alerts;
  }
}
