/**
 * The egress port: what leaves is reserved here first, in every scope of the session or in none. The broker is one
 * thread and a reservation is one step without a wait, so however many sessions ask at once, none goes over by a segment.
 */
import type { Acting } from '../../base/acting.ts';
import { WaybillError } from '../../base/errors.ts';
import { changed } from '../../ledger/changed.ts';
import type { EventOf } from '../../ledger/core/kinds.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { Holds, logOf } from '../holds.ts';
import type { HeldPlace, Over } from '../holds.ts';
import type { HoldStore } from '../holds-store.ts';
import type { Acquaintances } from './acquaintances.ts';
import { BudgetClock, MACHINE } from './clock.ts';
import type { Machine } from './clock.ts';
import { dayOf } from './history.ts';
import { DEFAULT_FIGURES, LimitBook } from './limits.ts';
import type { Figures, SetLimit } from './limits.ts';
import { ScopeTable } from './scope-table.ts';
import type { ScopeEntry } from './scope-table.ts';
import { keyOf, scopesOf } from './scopes.ts';
import type { Scope, Who } from './scopes.ts';
import type { BudgetStore } from './store.ts';
import { CELLS, cellOf, DIMENSIONS, windowIndex, WINDOWS } from './windows.ts';
import type { Amounts, Cells, Dimension } from './windows.ts';

export interface BudgetsParts {
  readonly store: BudgetStore;
  readonly holdStore: HoldStore;
  readonly ledger: Ledger;
  readonly acquaintances: Acquaintances;
  readonly figures?: Figures;
  readonly machine?: Machine;
}

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

/** What is used and allowed, for people. */
export interface UsageRow {
  readonly dimension: Dimension;
  /** Seconds. */
  readonly window: number;
  readonly used: number;
  /** Null: no limit. */
  readonly limit: number | null;
}

type Alert = { readonly log: string | null; readonly event: EventOf<'alert'> };

interface Ask {
  over(entry: ScopeEntry, limits: Cells): number;
  use(entry: ScopeEntry): void;
  takeBack(entry: ScopeEntry): void;
  readonly amounts: Amounts;
  readonly place: HeldPlace;
}

export class Budgets {
  readonly holds: Holds;
  private readonly parts: BudgetsParts;
  private readonly clock: BudgetClock;
  private readonly book = new LimitBook();
  private readonly table: ScopeTable;
  /** Crossings that are not recorded yet; the next write takes them along. */
  private alerts: Alert[] = [];

  private constructor(parts: BudgetsParts) {
    const { store, holdStore, ledger, machine = MACHINE, figures = DEFAULT_FIGURES } = parts;
    this.parts = parts;
    this.clock = new BudgetClock(machine, store.moment());
    for (const limit of store.limits()) this.book.put(limit);
    for (const allowance of store.allowances()) this.book.allow(allowance);
    this.table = new ScopeTable(store, this.book, figures);
    this.holds = new Holds({
      store: holdStore,
      ledger,
      insertAllowance: (allowance) => {
        store.insertAllowance(allowance);
      },
      allow: (allowance) => {
        this.book.allow(allowance);
      },
      now: () => this.clock.now(),
      wall: () => machine.wall(),
    });
  }

  /** Before any release: what the run before was using when it ended counts as used. */
  static async open(parts: BudgetsParts): Promise<Budgets> {
    const budgets = new Budgets(parts);
    await budgets.table.recover(budgets.clock.now());
    return budgets;
  }

  /** Throws `held` with the reference, or `release-refused`; nothing has happened then. */
  release(who: Who, ask: ReleaseAsk): Promise<Reserved> {
    this.holds.refuseDenied(who.account, false);
    const amounts: Amounts = [ask.bytes, ask.files, 0];
    const now = this.clock.now();
    return this.reserve(who, now, {
      amounts,
      place: ask,
      over: ({ usage }, limits) => usage.over(amounts, limits),
      use: (entry) => {
        this.table.use(entry, amounts, now);
      },
      takeBack: ({ usage }) => {
        usage.takeBack(ask.bytes, now);
      },
    });
  }

  listing(who: Who, ask: ListingAsk): Promise<Reserved> {
    this.holds.refuseDenied(who.account, true);
    const now = this.clock.now();
    return this.reserve(who, now, {
      amounts: [0, 0, 1],
      place: { folder: ask.folder, path: ask.path, version: null },
      over: ({ usage }, limits) => usage.overByListing(ask.directory, limits),
      use: (entry) => {
        this.table.useListing(entry, ask.directory, now);
      },
      // It stays counted: the next try of the same directory costs nothing.
      takeBack: () => undefined,
    });
  }

  /** One cell; a limit of null is none at all. */
  async set(
    scope: Scope,
    at: { dimension: Dimension; window: number; limit: number | null },
    tenant: string | null,
    by: Acting,
  ): Promise<void> {
    const { dimension, window, limit } = at;
    const index = windowIndex(window);
    if (index < 0)
      throw new WaybillError('request-invalid', `a window is one of ${WINDOWS.map(({ text }) => text).join(', ')}`);
    if (limit !== null && !(Number.isSafeInteger(limit) && limit >= 0))
      throw new WaybillError('request-invalid', 'a limit is a whole number');
    const row: SetLimit = { scope: keyOf(scope), cell: cellOf(index, DIMENSIONS.indexOf(dimension)), limit };
    await this.change('budget.set', scope, tenant, by, { dimension, window, limit }, () => {
      this.parts.store.putLimit(row);
    });
    this.book.put(row);
  }

  /** Back to what is learned. */
  async clear(scope: Scope, tenant: string | null, by: Acting): Promise<void> {
    await this.change('budget.clear', scope, tenant, by, {}, () => {
      this.parts.store.clearLimits(keyOf(scope));
    });
    this.book.clear(keyOf(scope));
  }

  /** What administrators have set. */
  list(): { scope: string; dimension: Dimension; window: number; limit: number | null }[] {
    return this.parts.store.limits().map(({ scope, cell, limit }) => ({ scope, ...placeOf(cell), limit }));
  }

  usage(scope: Scope): UsageRow[] {
    const now = this.clock.now();
    const entry = this.table.entry(scope, now);
    const limits = this.table.limits(entry, now);
    return Array.from({ length: CELLS }, (_, cell) => {
      const limit = limits[cell] ?? 0;
      return { ...placeOf(cell), used: entry.usage.used(cell), limit: Number.isFinite(limit) ? limit : null };
    });
  }

  /** Limits that last (null is none): what holds, and what would hold if nobody had set anything. */
  lasting(scope: Scope): { dimension: Dimension; window: number; ordinary: number | null; standing: number | null }[] {
    const now = this.clock.now();
    const { ordinary, standing } = this.table.lasting(this.table.entry(scope, now), now);
    const limit = (cells: Cells, cell: number): number | null => {
      const found = cells[cell] ?? 0;
      return Number.isFinite(found) ? found : null;
    };
    return Array.from({ length: CELLS }, (_, cell) => ({
      ...placeOf(cell),
      ordinary: limit(ordinary, cell),
      standing: limit(standing, cell),
    }));
  }

  /** Inside the write that removes the account. */
  forgetAccount(account: string): void {
    for (const kind of ['account', 'unconfirmed', 'credential'] as const) {
      const key = keyOf({ kind, id: account });
      this.parts.store.removeScopes(key);
      this.table.forget(key);
    }
    this.parts.acquaintances.forgetAccount(account);
  }

  /** About once a minute: costs a row for each scope that has gone quiet. */
  async sweep(): Promise<void> {
    const now = this.clock.now();
    this.book.forgetEnded(now);
    await this.table.sweep(now);
    await this.parts.store.writePatiently(() => {
      this.parts.store.saveMoment(this.clock.moment());
      this.parts.store.removeAllowances(now);
      this.appendAlerts();
    });
    await this.holds.sweep();
  }

  /** At a clean stop, after the last release: the next start knows everything exactly. */
  async stop(): Promise<void> {
    await this.table.sweep(this.clock.now(), true);
    await this.parts.store.write(() => {
      this.parts.store.saveMoment(this.clock.moment());
      this.appendAlerts();
    });
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
        this.table.record(entries, now);
        return value;
      });
    } catch (error) {
      this.alerts.unshift(...told);
      this.table.failed(entries);
      for (const entry of entries) ask.takeBack(entry);
      throw error;
    }
  }

  private entriesOf(who: Who, now: number): ScopeEntry[] {
    const unconfirmed = this.parts.acquaintances.isReduced(who.account, who.marks);
    return scopesOf(who, unconfirmed).map((scope) => this.table.entry(scope, now));
  }

  private firstOver(entries: readonly ScopeEntry[], ask: Ask, now: number): { entry: ScopeEntry; over: Over } | null {
    for (const entry of entries) {
      const limits = this.table.limits(entry, now);
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
    const now = this.clock.now();
    // Nor does the account learn from a day on which only a part of it was held.
    const { kind } = entry.scope;
    const own = kind === 'unconfirmed' || kind === 'credential';
    const marked = own ? [entry, this.table.entry({ kind: 'account', id: who.account }, now)] : [entry];
    for (const { usage } of marked) usage.history.hold(dayOf(now));
    return this.holds.hold(who, over, place, () => {
      this.table.saveNow(marked, now);
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

  private async change(
    action: string,
    scope: Scope,
    tenant: string | null,
    by: Acting,
    detail: { readonly [name: string]: string | number | null },
    apply: () => void,
  ): Promise<void> {
    const { actor, approvedBy } = by;
    await this.parts.store.write(() => {
      by.within?.();
      apply();
      const account = scope.kind === 'account' || scope.kind === 'unconfirmed' ? scope.id : null;
      const named = { ...detail, scope: keyOf(scope) };
      this.parts.ledger.append(tenant, changed(action, { actor, approvedBy, account, detail: named }));
    });
  }
}

function placeOf(cell: number): { dimension: Dimension; window: number } {
  const dimension = DIMENSIONS[cell % DIMENSIONS.length] ?? 'bytes';
  return { dimension, window: WINDOWS[Math.floor(cell / DIMENSIONS.length)]?.seconds ?? 0 };
}
