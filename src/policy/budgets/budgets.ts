/** Budgets put together, and what administrators and the clock do to them. What leaves: reservations.ts. */
import type { Acting } from '../../base/acting.ts';
import { WaybillError } from '../../base/errors.ts';
import { changed } from '../../ledger/changed.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { Holds } from '../holds.ts';
import type { HoldStore } from '../holds-store.ts';
import type { Acquaintances } from './acquaintances.ts';
import { BudgetClock, MACHINE } from './clock.ts';
import type { Machine } from './clock.ts';
import { DEFAULT_FIGURES, LimitBook } from './limits.ts';
import type { Figures, SetLimit } from './limits.ts';
import { Reservations } from './reservations.ts';
import type { ListingAsk, ReleaseAsk, Reserved } from './reservations.ts';
import { ScopeTable } from './scope-table.ts';
import { keyOf } from './scopes.ts';
import type { Scope, Who } from './scopes.ts';
import type { BudgetStore } from './store.ts';
import { CELLS, cellOf, DIMENSIONS, placeOf, windowIndex, WINDOWS } from './windows.ts';
import type { Cells, Dimension } from './windows.ts';

export interface BudgetsParts {
  readonly store: BudgetStore;
  readonly holdStore: HoldStore;
  readonly ledger: Ledger;
  readonly acquaintances: Acquaintances;
  readonly figures?: Figures;
  readonly machine?: Machine;
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

export class Budgets {
  readonly holds: Holds;
  private readonly parts: BudgetsParts;
  private readonly clock: BudgetClock;
  private readonly book = new LimitBook();
  private readonly table: ScopeTable;
  private readonly reservations: Reservations;

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
    const { acquaintances } = parts;
    const { table, holds } = this;
    this.reservations = new Reservations({ table, holds, ledger, acquaintances, now: () => this.clock.now() });
  }

  /** Before any release: what the run before was using when it ended counts as used. */
  static async open(parts: BudgetsParts): Promise<Budgets> {
    const budgets = new Budgets(parts);
    await budgets.table.recover(budgets.clock.now());
    return budgets;
  }

  /** Throws `held` with the reference, or `release-refused`; nothing has happened then. */
  release(who: Who, ask: ReleaseAsk): Promise<Reserved> {
    return this.reservations.release(who, ask);
  }

  listing(who: Who, ask: ListingAsk): Promise<Reserved> {
    return this.reservations.listing(who, ask);
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
      // An approval on top of a high limit may make more than a whole number holds exactly.
      const shown = Number.isFinite(limit) ? Math.min(limit, Number.MAX_SAFE_INTEGER) : null;
      return { ...placeOf(cell), used: entry.usage.used(cell), limit: shown };
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
    const { store } = this.parts;
    await this.reservations.writeAlerts(
      (action) => store.writePatiently(action),
      () => {
        store.saveMoment(this.clock.moment());
        store.removeAllowances(now);
      },
    );
    await this.holds.sweep();
  }

  /** At a clean stop, after the last release: the next start knows everything exactly. */
  async stop(): Promise<void> {
    await this.table.sweep(this.clock.now(), true);
    const { store } = this.parts;
    await this.reservations.writeAlerts(
      (action) => store.write(action),
      () => {
        store.saveMoment(this.clock.moment());
      },
    );
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
