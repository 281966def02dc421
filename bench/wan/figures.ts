/** Figures of runs: rates, shares of what the link could carry, and whether they reach their bars. */
import { median } from '../table.ts';
import { availability, bestMbit } from './link.ts';
import { middle } from './meter.ts';
import type { Result } from './meter.ts';
import { OURS, OURS_GET, SFTP_SMALL } from './plan.ts';
import type { Measurement } from './plan.ts';
import { resultsIn } from './state.ts';
import type { Measured } from './state.ts';

export const mbitOf = ({ bytes, seconds }: Result): number => (bytes * 8) / seconds / 1e6;

/** Of what the link could carry in the time of the run: less, where something happened to it. Null: there is no link. */
export function shareOf(row: Measurement, result: Result): number | null {
  if (row.link === null) return null;
  return mbitOf(result) / (bestMbit(row.link) * availability(row.link, result.seconds));
}

export function medianShare(row: Measurement, results: readonly Result[]): number | null {
  const shares = results.map((result) => shareOf(row, result)).filter((share) => share !== null);
  return shares.length === 0 ? null : median(shares);
}

/** Of one that was ended before all had arrived, at its rate until then. */
export const secondsForAll = ({ files, seconds }: Result, row: Measurement): number =>
  files === 0 ? NaN : (seconds * row.files) / files;

export interface Judged {
  readonly row: Measurement;
  readonly who: string;
  /** What it is that is measured against the bar. */
  readonly what: string;
  readonly figure: number;
  readonly bar: number;
  readonly reached: boolean;
  readonly runs: number;
}

/** A cubic flow keeps so much beside us of what it keeps beside a BBR flow of the kernel. */
export const KEPT_BAR = 0.9;
/** All the small files arrive in so much less time than over eight sessions of sftp. */
export const SMALL_BAR = 20;

/** A contender on a row that has a bar; null: it has none, or what it is measured against is not known. */
export function judge(row: Measurement, who: string, measured: Measured): Judged | null {
  const results = resultsIn(measured, row.id, who);
  const own = middle(results);
  if (own === null) return null;
  const judged = (what: string, figure: number, bar: number): Judged => ({
    ...{ row, who, what, figure, bar, reached: figure >= bar, runs: results.length },
  });
  const rival = (name: string): Result | null => middle(resultsIn(measured, row.id, name));
  if (row.section === 'beside' && who === 'cubic beside Waybill') {
    const kernel = rival('cubic beside bbr');
    return kernel === null ? null : judged('of what cubic keeps beside BBR', mbitOf(own) / mbitOf(kernel), KEPT_BAR);
  }
  if (who !== OURS && who !== OURS_GET) return null;
  if (row.section === 'small') {
    const sftp = rival(SFTP_SMALL);
    if (sftp === null) return null;
    return judged(`times as fast as ${SFTP_SMALL}`, secondsForAll(sftp, row) / secondsForAll(own, row), SMALL_BAR);
  }
  const share = medianShare(row, results);
  return row.bar === null || share === null ? null : judged('share of best', share, row.bar);
}
