/**
 * What one scope (an account, a tenant ...) has used: pure, with time as an argument. Asking and adding are two steps,
 * so that several scopes can be asked before anything is added to one of them.
 */
import { dayOf, History } from './history.ts';
import { Ring } from './ring.ts';
import { cellOf, CELLS, DAY_MS, DIMENSIONS, WINDOWS } from './windows.ts';
import type { Amounts, Cells } from './windows.ts';

const LISTINGS = DIMENSIONS.indexOf('listings');
const ONE_LISTING: Amounts = [0, 0, 1];
/** Directories known to be counted; past this many, and after a day, one counts again. */
const DIRECTORIES_KEPT = 100_000;
/** Share of the limit from which on people are told, and below which they are told again. */
const SOFT = 0.8;
const CALM = 0.5;
const FORM = 1;

export class Usage {
  readonly history: History;
  private readonly rings = WINDOWS.map((row) => new Ring(row));
  /** Directory -> when it was listed last; the one listed last is last. */
  private readonly directories = new Map<number, number>();
  /** A bit for each cell over its soft limit. */
  private told = 0;
  private latest: number;

  constructor(now: number) {
    this.history = new History(dayOf(now));
    this.latest = now;
  }

  /** Time stands still rather than go back. */
  advance(now: number): number {
    this.latest = Math.max(this.latest, now);
    for (const ring of this.rings) ring.advance(this.latest);
    return this.latest;
  }

  used(cell: number): number {
    return this.rings[Math.floor(cell / DIMENSIONS.length)]?.used(cell % DIMENSIONS.length) ?? 0;
  }

  get isEmpty(): boolean {
    return this.rings.every((ring) => ring.isEmpty);
  }

  /** The first cell that `amounts` would put over its limit, or -1. What asks for nothing more is never over. */
  over(amounts: Amounts, limits: Cells): number {
    for (let window = 0; window < WINDOWS.length; window++)
      for (let dimension = 0; dimension < DIMENSIONS.length; dimension++) {
        const more = amounts[dimension] ?? 0;
        const cell = cellOf(window, dimension);
        if (more > 0 && this.used(cell) + more > (limits[cell] ?? 0)) return cell;
      }
    return -1;
  }

  add(amounts: Amounts): void {
    for (const ring of this.rings) ring.add(amounts, this.latest);
    this.note();
  }

  /** Of what was added at `then` and did not happen. */
  takeBack(bytes: number, then: number): void {
    for (const ring of this.rings) ring.takeBack(0, bytes, then);
  }

  /** A directory that a window counts already costs nothing in it. */
  overByListing(directory: number, limits: Cells): number {
    const last = this.listedBefore(directory);
    for (let window = 0; window < WINDOWS.length; window++) {
      const cell = cellOf(window, LISTINGS);
      if (!this.counts(window, last) && this.used(cell) + 1 > (limits[cell] ?? 0)) return cell;
    }
    return -1;
  }

  /** It counts from now on, and no longer from when it was listed before. */
  list(directory: number): void {
    const last = this.listedBefore(directory);
    for (const ring of this.rings) {
      if (last !== null) ring.takeBack(LISTINGS, 1, last);
      ring.add(ONE_LISTING, this.latest);
    }
    this.directories.delete(directory);
    this.directories.set(directory, this.latest);
    this.forgetDirectories();
    this.note();
  }

  /** Cells that have come over their soft limit since this was asked last. */
  crossings(limits: Cells): number[] {
    const found: number[] = [];
    for (let cell = 0; cell < CELLS; cell++) {
      const bit = 1 << cell;
      const used = this.used(cell);
      const limit = limits[cell] ?? 0;
      if ((this.told & bit) !== 0) {
        if (used < limit * CALM) this.told &= ~bit;
      } else if (used > 0 && used >= limit * SOFT) {
        this.told |= bit;
        found.push(cell);
      }
    }
    return found;
  }

  /** Of what may have been used since it was saved, and is known only as a sum. */
  claim(amounts: Amounts, now: number): void {
    this.advance(now);
    this.add(amounts);
  }

  /** Directories only for a scope that has gone quiet: they may be many, and without them one only counts again. */
  save(withDirectories: boolean): Float64Array {
    const into: number[] = [FORM, this.latest, this.told];
    for (const ring of this.rings) ring.save(into);
    this.history.save(into);
    const directories = withDirectories ? [...this.directories] : [];
    into.push(directories.length);
    for (const [directory, last] of directories) into.push(directory, last);
    return Float64Array.from(into);
  }

  load(from: Float64Array): void {
    if (from[0] !== FORM) throw new Error('budgets are saved in a form that this version does not know');
    this.latest = from[1] ?? 0;
    this.told = from[2] ?? 0;
    let at = 3;
    for (const ring of this.rings) at = ring.load(from, at);
    at = this.history.load(from, at);
    this.directories.clear();
    const end = at + 1 + (from[at] ?? 0) * 2;
    for (at++; at < end; at += 2) this.directories.set(from[at] ?? 0, from[at + 1] ?? 0);
  }

  private note(): void {
    this.history.note((cell) => this.used(cell), dayOf(this.latest));
  }

  private listedBefore(directory: number): number | null {
    return this.directories.get(directory) ?? null;
  }

  private counts(window: number, last: number | null): boolean {
    return last !== null && this.rings[window]?.holds(LISTINGS, last) === true;
  }

  private forgetDirectories(): void {
    for (const [directory, last] of this.directories) {
      if (this.directories.size <= DIRECTORIES_KEPT && last > this.latest - DAY_MS) return;
      this.directories.delete(directory);
    }
  }
}
