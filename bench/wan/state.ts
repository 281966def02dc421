/** What was measured, run by run, in a file that outlives the bench: what is in it is not measured again. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Counters } from './link.ts';
import type { Result } from './meter.ts';

export interface Run {
  /** Which of the runs, from 0. */
  readonly run: number;
  /** When it ended, and of which commit it was. */
  readonly at: string;
  readonly commit: string;
  /** Of link time that the file has, or that a flow had. */
  readonly aim: number;
  readonly result: Result | null;
  /** Why there is no result, after it was tried so often. */
  readonly failed?: string;
  readonly tries: number;
}

export interface Measured {
  /** What was chosen of ours; a state is of one choice. */
  readonly way: string;
  /** By row, by contender. */
  readonly rows: Record<string, Record<string, Run[]>>;
  /** By row: what the links did with the packets of A, of all that told. */
  readonly links: Record<string, Counters>;
}

export const emptyState = (way: string): Measured => ({ way, rows: {}, links: {} });

export const runsIn = ({ rows }: Measured, row: string, who: string): readonly Run[] => rows[row]?.[who] ?? [];

export const resultsIn = (measured: Measured, row: string, who: string): readonly Result[] =>
  runsIn(measured, row, who).flatMap(({ result }) => (result === null ? [] : [result]));

/** One that failed is measured again when the bench is started again, not before. */
export const isDone = (measured: Measured, row: string, who: string, run: number): boolean =>
  runsIn(measured, row, who).some((one) => one.run === run && one.result !== null);

/** Takes the place of what was known of the same run. */
export function keep(measured: Measured, row: string, who: string, run: Run): void {
  const all = (measured.rows[row] ??= {});
  all[who] = [...(all[who] ?? []).filter((one) => one.run !== run.run), run].sort((a, b) => a.run - b.run);
}

export function keepCounters(measured: Measured, row: string, more: Counters | null): void {
  if (more === null) return;
  const known = measured.links[row];
  const sum = (name: keyof Counters): number => (known?.[name] ?? 0) + more[name];
  measured.links[row] = {
    ...{ in: sum('in'), out: sum('out') },
    ...{ dropped: sum('dropped'), lost: sum('lost'), policed: sum('policed') },
  };
}

export function load(file: string | undefined, way: string): Measured {
  if (file === undefined || !existsSync(file)) return emptyState(way);
  const found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Measured>;
  if (found.rows === undefined || found.links === undefined) throw new Error(`${file} is not a state of this bench`);
  if (found.way !== way) throw new Error(`${file} was measured with ${String(found.way)}, this is ${way}`);
  return found as Measured;
}

/** In one step: a bench that is killed leaves the state before or the state after. */
export function save(file: string | undefined, measured: Measured): void {
  if (file === undefined) return;
  writeFileSync(`${file}.new`, JSON.stringify(measured));
  renameSync(`${file}.new`, file);
}
