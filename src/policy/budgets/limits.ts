/** How much a scope may use: what an administrator set, else what its own past days taught, else a first figure. */
import { TAUGHT } from './history.ts';
import type { Peaks } from './history.ts';
import { cellOf, CELLS, DAY_WINDOW, DIMENSIONS, spread, WINDOWS } from './windows.ts';
import type { Amounts, Cells } from './windows.ts';

/** For one account, per 24 hours; the other windows have their share. */
export interface Figures {
  /** Until there is a week of history. */
  readonly initial: Amounts;
  /** What is learned is never less, and never more. */
  readonly floor: Amounts;
  readonly cap: Amounts;
}

const GiB = 2 ** 30;
export const DEFAULT_FIGURES: Figures = {
  initial: [64 * GiB, 100_000, 10_000],
  floor: [GiB / 4, 500, 200],
  cap: [1024 * GiB, 1_000_000, 100_000],
};

/** Times the peak that was ever ordinary. */
const LEEWAY = 4;
/** How much more the last week may teach than the weeks before it. */
const GROWTH = 2;
/** An unconfirmed session has this part of its account's limits, but enough to see that the service works. */
const REDUCED = 1 / 10;
const REDUCED_LEAST: Amounts = [32 * 2 ** 20, 20, 10];

/** `factor` is 1 for an account. */
export function ordinaryLimits(figures: Figures, factor: number, peaks: Peaks | null): Cells {
  if (peaks === null) return spread(figures.initial, factor);
  const limits = new Float64Array(CELLS);
  const least = spread(figures.floor, factor);
  const most = spread(figures.cap, factor);
  const within = (cell: number, peak: number): number =>
    Math.min(Math.max(LEEWAY * peak, least[cell] ?? 0), most[cell] ?? 0);
  for (let cell = 0; cell < TAUGHT; cell++) {
    const learned = within(cell, peaks.all[cell] ?? 0);
    const before = peaks.earlier === null ? Infinity : within(cell, peaks.earlier[cell] ?? 0);
    limits[cell] = Math.min(learned, GROWTH * before);
  }
  const month = WINDOWS.length - 1;
  DIMENSIONS.forEach((_, dimension) => {
    const day = limits[cellOf(DAY_WINDOW, dimension)] ?? 0;
    limits[cellOf(month, dimension)] = day * (WINDOWS[month]?.share ?? 1);
  });
  return limits;
}

export function reducedLimits(account: Cells): Cells {
  return account.map((limit, cell) => {
    const least = REDUCED_LEAST[cell % DIMENSIONS.length] ?? 0;
    return Math.min(limit, Math.max(Math.floor(limit * REDUCED), least));
  });
}

export function noLimits(): Cells {
  return new Float64Array(CELLS).fill(Infinity);
}

/** One cell of one scope, by an administrator. Null is no limit at all. */
export interface SetLimit {
  readonly scope: string;
  readonly cell: number;
  readonly limit: number | null;
}

/** For a time, so much more in every window of one dimension: what an approval gives. */
export interface Allowance {
  readonly scope: string;
  readonly dimension: number;
  readonly extra: number;
  /** By the clock of budgets. */
  readonly until: number;
}

/** What people decided, over what is ordinary: in memory, because it is little and asked for with each release. */
export class LimitBook {
  private readonly set = new Map<string, Map<number, number>>();
  private readonly allowances = new Map<string, Allowance[]>();
  /** Grows with each change, for who keeps what it computed. */
  revision = 0;

  put({ scope, cell, limit }: SetLimit): void {
    const own = this.set.get(scope) ?? new Map<number, number>();
    this.set.set(scope, own.set(cell, limit ?? Infinity));
    this.revision++;
  }

  clear(scope: string): void {
    this.set.delete(scope);
    this.revision++;
  }

  allow(allowance: Allowance): void {
    this.allowances.set(allowance.scope, [...(this.allowances.get(allowance.scope) ?? []), allowance]);
    this.revision++;
  }

  withSet(scope: string, ordinary: Cells): Cells {
    for (const [cell, limit] of this.set.get(scope) ?? []) ordinary[cell] = limit;
    return ordinary;
  }

  withAllowances(scope: string, limits: Cells, now: number): Cells {
    for (const { dimension, extra, until } of this.allowances.get(scope) ?? [])
      if (until > now)
        WINDOWS.forEach((_, window) => {
          addTo(limits, cellOf(window, dimension), extra);
        });
    return limits;
  }

  /** When the first allowance of the scope ends; Infinity without one. */
  nextEnd(scope: string, now: number): number {
    const ends = (this.allowances.get(scope) ?? []).map(({ until }) => until).filter((until) => until > now);
    return Math.min(Infinity, ...ends);
  }

  forgetEnded(now: number): void {
    for (const [scope, all] of this.allowances) {
      const left = all.filter(({ until }) => until > now);
      if (left.length > 0) this.allowances.set(scope, left);
      else this.allowances.delete(scope);
    }
  }
}

function addTo(cells: Cells, cell: number, more: number): void {
  cells[cell] = (cells[cell] ?? 0) + more;
}
