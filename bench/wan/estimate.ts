/** How long it will take: of each row, of what is left of it, and of all. */
import type { Contender } from './contender.ts';
import { isTimed } from './link.ts';
import { runsOf } from './plan.ts';
import type { Measurement } from './plan.ts';
import { LEAD_SECONDS } from './rows.ts';
import { isDone } from './state.ts';
import type { Measured } from './state.ts';

/** A link, the servers on it, and their end; of a run, what lies between two of them. */
const STAGE_SECONDS = 6;
const BETWEEN_SECONDS = 0.7;

export interface Estimate {
  readonly row: Measurement;
  readonly who: readonly string[];
  /** Of one run of everybody, and of all runs that are left. */
  readonly round: number;
  readonly left: number;
}

export interface Wanted {
  readonly rows: readonly Measurement[];
  readonly who: readonly string[] | null;
  readonly runs: number;
}

/** Who is still to be measured in a run of a row, in their order. */
export const pending = (row: Measurement, { who, runs }: Wanted, run: number, measured: Measured): Contender[] =>
  row.contenders.filter(
    ({ name }) =>
      who?.includes(name) !== false && run < runsOf(row, name, runs) && !isDone(measured, row.id, name, run),
  );

function secondsFor(row: Measurement, contenders: readonly Contender[]): number {
  if (contenders.length === 0) return 0;
  const each = { seconds: row.seconds, fileSeconds: row.fileSeconds, rtt: row.link?.rtt ?? 0 };
  const work = contenders.reduce((sum, { expects }) => sum + expects(each) + BETWEEN_SECONDS, 0);
  const alone = row.link !== null && isTimed(row.link);
  return work + (alone ? contenders.length * (LEAD_SECONDS + 1) : STAGE_SECONDS);
}

export function estimate(wanted: Wanted, measured: Measured): Estimate[] {
  return wanted.rows.map((row) => {
    const runs = Array.from({ length: wanted.runs }, (_, run) => run);
    const chosen = row.contenders.filter(({ name }) => wanted.who?.includes(name) !== false);
    return {
      row,
      who: chosen.map(({ name }) => name),
      round: secondsFor(row, chosen),
      left: runs.reduce((sum, run) => sum + secondsFor(row, pending(row, wanted, run, measured)), 0),
    };
  });
}

const minutes = (seconds: number): string => (seconds / 60).toFixed(1).padStart(7);

export function listed(estimates: readonly Estimate[], runs: number): string {
  const lines = estimates
    .filter(({ who }) => who.length > 0)
    .map(
      ({ row, who, round, left }) =>
        `${minutes(round)} ${minutes(left)}  ${row.section.padEnd(8)}  ${row.id.padEnd(13)}  ${who.join(', ')}`,
    );
  const sum = (pick: (one: Estimate) => number): number => estimates.reduce((all, one) => all + pick(one), 0);
  return [
    `minutes: one run, what is left of ${runs}`,
    ...lines,
    `${minutes(sum(({ round }) => round))} ${minutes(sum(({ left }) => left))}  all`,
    '',
  ].join('\n');
}
