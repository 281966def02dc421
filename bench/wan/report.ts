/** bench/WAN.md of what was measured. */
import { bestMbit } from './link.ts';
import { middle } from './meter.ts';
import type { Result } from './meter.ts';
import { OURS } from './plan.ts';
import type { Measurement, SectionName } from './plan.ts';

/** By row, by contender: each run. */
export type Measured = Record<string, Record<string, Result[]>>;

const GB = 1e9;
const MiB = 2 ** 20;

const mbitOf = ({ bytes, seconds }: Result): number => (bytes * 8) / seconds / 1e6;
const shown = (value: number | null, digits: number): string =>
  value === null || Number.isNaN(value) ? '-' : value.toFixed(digits);
const per = (value: number | null, by: number): number | null => (value === null || by === 0 ? null : value / by);
const rateDigits = (rate: number): number => (rate >= 100 ? 0 : rate >= 10 ? 1 : 2);

function spread(runs: readonly Result[]): string {
  const rates = runs.map(mbitOf);
  const middleRate = mbitOf(middle(runs) as Result);
  const digits = rateDigits(middleRate);
  const range =
    rates.length < 2 ? '' : ` (${Math.min(...rates).toFixed(digits)}-${Math.max(...rates).toFixed(digits)})`;
  return `${middleRate.toFixed(digits)}${range}`;
}

type Cells = (result: Result, runs: readonly Result[], row: Measurement) => readonly string[];

/** Of a run that was cut short the file counts as far as it came. */
const costs: Cells = (result) => [
  shown(per(result.sent, result.bytes), 3),
  shown(result.addedDelay, 0),
  shown(per(result.cpuSeconds, result.bytes / GB), 1),
  shown(result.memory / MiB, 0),
];
const COSTS = ['bytes sent / file bytes', 'added delay, ms', 'CPU s per GB', 'memory, MiB'];

const shareCells: Cells = (result, runs, row) => {
  const share = row.link === null ? null : mbitOf(result) / bestMbit(row.link);
  return [spread(runs), shown(share, 3), ...costs(result, runs, row)];
};

interface Section {
  readonly title: string;
  readonly text?: string;
  readonly head: readonly string[];
  readonly cells: Cells;
}

const SECTIONS: Readonly<Record<SectionName, Section>> = {
  table: { title: 'Long, lossy links', head: ['Mb/s', 'share of best', ...COSTS], cells: shareCells },
  also: {
    title: 'Links with other troubles',
    text: 'Best is of the link as it is at first: half of it is gone where the capacity is halved in the middle, 5 s where there is an outage.',
    head: ['Mb/s', 'share of best', ...COSTS],
    cells: shareCells,
  },
  beside: {
    title: 'Beside others',
    text: 'What the flow that is named first keeps, and what the one beside it has.',
    head: ['Mb/s of the first', 'Mb/s beside it', 'added delay, ms'],
    cells: (result, runs) => [spread(runs), shown(result.beside ?? null, 1), shown(result.addedDelay, 0)],
  },
  several: {
    title: 'Several of ours',
    text: "Together, with Jain's index of their shares; and who joins another after a while: its own Mb/s, with the other's.",
    head: ['Mb/s', "Jain's index, or Mb/s of the other", 'added delay, ms'],
    cells: (result, runs) => [spread(runs), shown(result.beside ?? null, 2), shown(result.addedDelay, 0)],
  },
  small: {
    title: 'Many small files',
    text: 'Files that had arrived when it was ended, and how long all of them take at that rate. The bar: a twentieth of the seconds of sftp x8.',
    head: ['files arrived', 'in seconds', 'seconds for all', 'CPU s per GB', 'memory, MiB'],
    cells: (result, _runs, row) => [
      shown(result.files, 0),
      shown(result.seconds, 1),
      shown(secondsForAll(result, row), 1),
      shown(per(result.cpuSeconds, result.bytes / GB), 0),
      shown(result.memory / MiB, 0),
    ],
  },
  loopback: {
    title: 'Loopback, no link at all',
    head: ['Gb/s', 'CPU s per GB', 'memory, MiB'],
    cells: (result, runs) => [
      runs.map((run) => (mbitOf(run) / 1000).toFixed(2)).length === 0 ? '-' : shown(mbitOf(result) / 1000, 2),
      shown(per(result.cpuSeconds, result.bytes / GB), 1),
      shown(result.memory / MiB, 0),
    ],
  },
};

export const secondsForAll = ({ files, seconds }: Result, row: Measurement): number =>
  files === 0 ? NaN : (seconds * row.files) / files;

function verdict(row: Measurement, name: string, results: Readonly<Record<string, Result | null>>): string {
  const own = results[name];
  if (own === null || own === undefined) return '';
  if (row.section === 'small' && name === OURS) {
    const rival = results['sftp x8'];
    if (rival === null || rival === undefined) return '';
    return secondsForAll(own, row) * 20 <= secondsForAll(rival, row) ? 'bar' : 'short';
  }
  if (row.section === 'beside' && name === 'cubic beside Waybill') {
    const rival = results['cubic beside bbr'];
    if (rival === null || rival === undefined) return '';
    const kept = mbitOf(own) / mbitOf(rival);
    return `${kept.toFixed(2)} of beside BBR: ${kept >= 0.9 ? 'bar' : 'short'}`;
  }
  if (row.bar === null || row.link === null || name !== OURS) return '';
  return mbitOf(own) / bestMbit(row.link) >= row.bar ? `bar ${row.bar}` : `short of ${row.bar}`;
}

/** One line of the report: a contender on a row. */
export function lineOf(row: Measurement, name: string, measured: Measured): string | null {
  const runs = measured[row.id]?.[name] ?? [];
  const result = middle(runs);
  if (result === null) return null;
  const all = Object.fromEntries(
    Object.entries(measured[row.id] ?? {}).map(([other, theirs]) => [other, middle(theirs)]),
  );
  const { cells } = SECTIONS[row.section];
  const named =
    row.section === 'table' && row.link !== null ? `${row.title} (best ${bestMbit(row.link).toFixed(1)})` : row.title;
  return `| ${named} | ${name} | ${runs.length} | ${cells(result, runs, row).join(' | ')} | ${verdict(row, name, all)} |`;
}

export function report(rows: readonly Measurement[], measured: Measured, head: readonly string[]): string {
  const lines = [...head];
  for (const [section, { title, text, head: columns }] of Object.entries(SECTIONS)) {
    const found = rows
      .filter((row) => row.section === section)
      .flatMap((row) => row.contenders.map(({ name }) => lineOf(row, name, measured)))
      .filter((line) => line !== null);
    if (found.length === 0) continue;
    lines.push(`## ${title}`, '', ...(text === undefined ? [] : [text, '']));
    const names = ['link', 'who', 'runs', ...columns, ''];
    lines.push(`| ${names.join(' | ')} |`, `|${names.map(() => '---').join('|')}|`, ...found, '');
  }
  return lines.join('\n');
}
