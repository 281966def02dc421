/**
 * What each scope has used, in memory, and how that outlives a crash. A scope's row holds its figures of some moment and
 * `ahead`: how much more may have been used since. A release whose amount still fits ahead writes nothing; one that does
 * not saves the row anew, in its own transaction. A start takes all that was ahead as used. So a crash can only make the
 * figures too high, by less than what is kept ahead, and a release costs no row of its own.
 */
import type { LimitBook } from './limits.ts';
import { noLimits, ordinaryLimits, reducedLimits } from './limits.ts';
import type { Figures } from './limits.ts';
import { dayOf } from './history.ts';
import { keyOf } from './scopes.ts';
import type { Scope, ScopeKind } from './scopes.ts';
import type { BudgetStore } from './store.ts';
import { Usage } from './usage.ts';
import { cellOf, DAY_MS, DIMENSIONS } from './windows.ts';
import type { Amounts, Cells } from './windows.ts';

interface KeptLimits {
  readonly cells: Cells;
  /** Whether there is any limit at all. */
  readonly bounded: boolean;
  readonly revision: number;
  readonly until: number;
}

export interface ScopeEntry {
  readonly key: string;
  readonly scope: Scope;
  readonly usage: Usage;
  /** Since the row was saved. */
  readonly spent: [number, number, number];
  /** Of the durable row; null when no row tells of this entry's figures. */
  ahead: Amounts | null;
  /** When it was asked for last. */
  touched: number;
  limits: KeptLimits | null;
}

/** Ahead is this part of what ten minutes allow, between these bounds. */
const AHEAD_SHARE = 1 / 64;
const AHEAD_LEAST: Amounts = [8 * 2 ** 20, 16, 8];
const AHEAD_MOST: Amounts = [2 ** 28, 1024, 128];
const NOTHING: Amounts = [0, 0, 0];

const SETTLE_AFTER_MS = 60_000;
const FORGET_AFTER_MS = 3_600_000;

/** A tenant's limits are those of this many accounts; kinds without a factor have only what was set for them. */
const FACTORS: Partial<Record<ScopeKind, number>> = { account: 1, tenant: 4 };

export class ScopeTable {
  private readonly store: BudgetStore;
  private readonly book: LimitBook;
  private readonly figures: Figures;
  private readonly entries = new Map<string, ScopeEntry>();

  constructor(store: BudgetStore, book: LimitBook, figures: Figures) {
    this.store = store;
    this.book = book;
    this.figures = figures;
  }

  get size(): number {
    return this.entries.size;
  }

  /** What was ahead in the run before counts as used at `start`. */
  async recover(start: number): Promise<void> {
    const open = this.store.scopesAhead().map((key) => ({ key, saved: this.store.scope(key) }));
    if (open.length === 0) return;
    await this.store.write(() => {
      for (const { key, saved } of open) {
        if (saved === null) continue;
        const usage = new Usage(start);
        usage.load(saved.state);
        usage.claim(saved.ahead, start);
        this.store.saveScope(key, { state: usage.save(false), ahead: NOTHING });
      }
    });
  }

  entry(scope: Scope, now: number): ScopeEntry {
    const key = keyOf(scope);
    let entry = this.entries.get(key);
    if (entry === undefined) {
      const usage = new Usage(now);
      const ahead = this.load(usage, key, now);
      entry = { key, scope, usage, spent: [0, 0, 0], ahead, touched: now, limits: null };
      this.entries.set(key, entry);
    }
    entry.usage.advance(now);
    return entry;
  }

  /** Kept until the day is over, an allowance ends, or somebody changes a limit. */
  limits(entry: ScopeEntry, now: number): Cells {
    const kept = entry.limits;
    if (kept !== null && kept.revision === this.book.revision && now < kept.until) return kept.cells;
    const own =
      entry.scope.kind === 'unconfirmed' ? reducedLimits(this.accountLimits(entry, now)) : this.standing(entry, now);
    const cells = this.book.withAllowances(entry.key, own, now);
    const until = Math.min((dayOf(now) + 1) * DAY_MS, this.book.nextEnd(entry.key, now));
    entry.limits = { cells, bounded: cells.some(Number.isFinite), revision: this.book.revision, until };
    return cells;
  }

  /** What would hold if nobody had set anything, and what holds when allowances are over: to tell more from less. */
  lasting(entry: ScopeEntry, now: number): { readonly ordinary: Cells; readonly standing: Cells } {
    return { ordinary: this.ordinary(entry, now), standing: this.standing(entry, now) };
  }

  private ordinary({ scope, usage }: ScopeEntry, now: number): Cells {
    const factor = FACTORS[scope.kind];
    return factor === undefined ? noLimits() : ordinaryLimits(this.figures, factor, usage.history.peaks(dayOf(now)));
  }

  /** Adds what `amounts` uses; `record` has to be called in the transaction that makes it real. */
  use(entry: ScopeEntry, amounts: Amounts, now: number): void {
    entry.usage.add(amounts);
    this.spend(entry, amounts, now);
  }

  useListing(entry: ScopeEntry, directory: number, now: number): void {
    entry.usage.list(directory);
    // Also for one that was counted already: it counts from now on, and the row does not know that.
    this.spend(entry, [0, 0, 1], now);
  }

  /** Last in a write: after it nothing of the action may fail, so that only the whole group can. */
  record(entries: readonly ScopeEntry[], now: number): void {
    const short = entries.filter(isShort);
    if (short.length > 0) this.saveNow(short, now);
  }

  /** Inside a write, and last in it. */
  saveNow(entries: readonly ScopeEntry[], now: number): void {
    this.all(entries, (entry) => {
      this.save(entry, this.aheadOf(entry, now), false);
    });
  }

  /** The write failed: what these rows say is not known any more. */
  failed(entries: readonly ScopeEntry[]): void {
    for (const entry of entries) entry.ahead = null;
  }

  /** Saves what has not been used for a minute (or everything), and forgets what has not been for an hour. */
  async sweep(now: number, everything = false): Promise<void> {
    for (const entry of [...this.entries.values()])
      if (isSettled(entry) && entry.touched <= now - FORGET_AFTER_MS) this.entries.delete(entry.key);
    const quiet = (entry: ScopeEntry): boolean => everything || entry.touched <= now - SETTLE_AFTER_MS;
    const waiting = [...this.entries.values()].filter((entry) => !isSettled(entry) && quiet(entry));
    if (waiting.length === 0) return;
    try {
      await this.store.writePatiently(() => {
        this.all(waiting.filter(quiet), (entry) => {
          this.save(entry, NOTHING, true);
        });
      });
    } catch (error) {
      this.failed(waiting);
      throw error;
    }
  }

  forget(prefix: string): void {
    for (const key of [...this.entries.keys()])
      if (key === prefix || key.startsWith(`${prefix}/`)) this.entries.delete(key);
  }

  /** Null: the row does not tell of these figures. */
  private load(usage: Usage, key: string, now: number): Amounts | null {
    const saved = this.store.scope(key);
    if (saved === null) return null;
    usage.load(saved.state);
    if (saved.ahead.every((amount) => amount === 0)) return saved.ahead;
    usage.claim(saved.ahead, now);
    return null;
  }

  private spend(entry: ScopeEntry, amounts: Amounts, now: number): void {
    amounts.forEach((amount, dimension) => {
      entry.spent[dimension] = (entry.spent[dimension] ?? 0) + amount;
    });
    entry.touched = now;
  }

  /** An action that throws leaves nothing in the store, and others of its group go on: so nothing may look saved. */
  private all(entries: readonly ScopeEntry[], save: (entry: ScopeEntry) => void): void {
    try {
      for (const entry of entries) save(entry);
    } catch (error) {
      this.failed(entries);
      throw error;
    }
  }

  private save(entry: ScopeEntry, ahead: Amounts, withDirectories: boolean): void {
    this.store.saveScope(entry.key, { state: entry.usage.save(withDirectories), ahead });
    entry.ahead = ahead;
    entry.spent.fill(0);
  }

  private aheadOf(entry: ScopeEntry, now: number): Amounts {
    const limits = this.limits(entry, now);
    const part = (dimension: number): number => {
      const share = Math.floor((limits[cellOf(0, dimension)] ?? 0) * AHEAD_SHARE);
      return Math.min(Math.max(share, AHEAD_LEAST[dimension] ?? 0), AHEAD_MOST[dimension] ?? 0);
    };
    return DIMENSIONS.map((_, dimension) => part(dimension)) as unknown as Amounts;
  }

  private accountLimits(entry: ScopeEntry, now: number): Cells {
    return this.standing(this.entry({ kind: 'account', id: entry.scope.id }, now), now);
  }

  /** Without allowances. */
  private standing(entry: ScopeEntry, now: number): Cells {
    return this.book.withSet(entry.key, this.ordinary(entry, now));
  }
}

function isShort({ ahead, spent }: ScopeEntry): boolean {
  if (ahead === null) return true;
  return spent[0] > ahead[0] || spent[1] > ahead[1] || spent[2] > ahead[2];
}

function isSettled({ ahead, spent }: ScopeEntry): boolean {
  return ahead !== null && [...ahead, ...spent].every((amount) => amount === 0);
}
