/**
 * What days teach: the peak of each window (up to a day long) on each earlier day. Only complete days teach, so that what
 * is taken today cannot raise today's limit; a day with a hold, and the one after it, teach nothing, and the search goes
 * so much further back.
 */
import { CELLS, DAY_MS, DIMENSIONS } from './windows.ts';
import type { Cells } from './windows.ts';

/** The 30-day window teaches nothing of its own: a month is a share of the day, as for limits that nobody set. */
export const TAUGHT = CELLS - DIMENSIONS.length;
export const DAYS_TO_LEARN = 7;
export const DAYS_LEARNED = 30;
/** A thief who takes a little more each day is held back by what was ordinary before. */
const SETTLING_DAYS = 7;
/** How far back held days may push the search. */
const DAYS_KEPT = 120;

/** By cell, of the last thirty days that teach. */
export interface Peaks {
  readonly all: Float64Array;
  /** Of those that are more than a week old; null when there is no such history yet. */
  readonly earlier: Float64Array | null;
}

interface Day {
  readonly day: number;
  readonly peaks: Float64Array;
}

export function dayOf(now: number): number {
  return Math.floor(now / DAY_MS);
}

export class History {
  /** First day of any use. */
  private since: number;
  /** Days that teach, and today; oldest first. */
  private days: Day[] = [];
  private held: number[] = [];

  constructor(today: number) {
    this.since = today;
  }

  /** After each use: `used` are the figures of now. */
  note(used: (cell: number) => number, today: number): void {
    const last = this.days.at(-1);
    const day = last !== undefined && last.day >= today ? last : this.open(today);
    for (let cell = 0; cell < TAUGHT; cell++) {
      const now = used(cell);
      if (now > (day.peaks[cell] ?? 0)) day.peaks[cell] = now;
    }
  }

  /** A hold: neither this day nor the next one, whose windows begin in this one, are ordinary. */
  hold(today: number): void {
    for (const day of [today, today + 1]) if (!this.held.includes(day)) this.held.push(day);
    this.forget(today);
  }

  /** Null as long as there are too few complete days. */
  peaks(today: number): Peaks | null {
    if (today - this.since <= DAYS_TO_LEARN) return null;
    const held = new Set(this.held);
    let oldest = today;
    for (let counted = 0; counted < DAYS_LEARNED && oldest > today - DAYS_KEPT;) if (!held.has(--oldest)) counted++;
    const teaching = this.days.filter(({ day }) => day >= oldest && day < today && !held.has(day));
    const settled = today - this.since > DAYS_TO_LEARN + SETTLING_DAYS;
    const earlier = teaching.filter(({ day }) => day < today - SETTLING_DAYS);
    return { all: highest(teaching), earlier: settled ? highest(earlier) : null };
  }

  save(into: number[]): void {
    into.push(this.since, this.held.length, ...this.held, this.days.length);
    for (const { day, peaks } of this.days) into.push(day, ...peaks);
  }

  load(from: Cells, start: number): number {
    let at = start;
    const next = (): number => from[at++] ?? 0;
    this.since = next();
    this.held = Array.from({ length: next() }, next);
    this.days = Array.from({ length: next() }, () => ({
      day: next(),
      peaks: Float64Array.from({ length: TAUGHT }, next),
    }));
    return at;
  }

  private open(today: number): Day {
    this.forget(today);
    const day = { day: today, peaks: new Float64Array(TAUGHT) };
    this.days.push(day);
    return day;
  }

  private forget(today: number): void {
    this.days = this.days.filter(({ day }) => day >= today - DAYS_KEPT);
    this.held = this.held.filter((day) => day >= today - DAYS_KEPT);
  }
}

function highest(days: readonly Day[]): Float64Array {
  const peaks = new Float64Array(TAUGHT);
  for (const day of days)
    for (let cell = 0; cell < TAUGHT; cell++) peaks[cell] = Math.max(peaks[cell] ?? 0, day.peaks[cell] ?? 0);
  return peaks;
}
