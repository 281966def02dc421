/** bench/WAN.md of what was measured. */
import { judge, mbitOf, medianShare, secondsForAll } from './figures.ts';
import type { Judged } from './figures.ts';
import { bestMbit } from './link.ts';
import { middle } from './meter.ts';
import type { Result } from './meter.ts';
import type { Measurement, SectionName } from './plan.ts';
import { resultsIn, runsIn } from './state.ts';
import type { Measured, Run } from './state.ts';

const GB = 1e9;
const MiB = 2 ** 20;

const shown = (value: number | null, digits: number): string =>
  value === null || Number.isNaN(value) ? '-' : value.toFixed(digits);
const per = (value: number | null, by: number): number | null => (value === null || by === 0 ? null : value / by);
const rateDigits = (rate: number): number => (rate >= 100 ? 0 : rate >= 10 ? 1 : 2);

/** The middle, and the least and the most where there are several. */
function spread(middleOf: number, all: readonly number[], digits: number): string {
  const known = all.filter((value) => !Number.isNaN(value));
  if (known.length < 2) return shown(middleOf, digits);
  return `${shown(middleOf, digits)} (${Math.min(...known).toFixed(digits)}-${Math.max(...known).toFixed(digits)})`;
}

function rates(result: Result, runs: readonly Result[], unit = 1): string {
  const rate = mbitOf(result) / unit;
  return spread(
    rate,
    runs.map(mbitOf).map((one) => one / unit),
    unit === 1 ? rateDigits(rate) : 2,
  );
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
  const steady = result.steady === null ? null : (result.steady * result.bytes * 8) / 1e6;
  return [
    rates(result, runs),
    shown(medianShare(row, runs), 3),
    shown(steady, rateDigits(steady ?? 0)),
    shown(result.seconds, 1),
    ...costs(result, runs, row),
  ];
};
const SHARES = ['Mb/s', 'share of best', 'Mb/s without begin and end', 'seconds', ...COSTS];

interface Section {
  readonly title: string;
  readonly text?: string;
  readonly head: readonly string[];
  readonly cells: Cells;
}

const SECTIONS: Readonly<Record<SectionName, Section>> = {
  table: { title: 'Long, lossy links', head: SHARES, cells: shareCells },
  also: {
    title: 'Links with other troubles',
    text: 'Best is what the link could carry in the time of the run: less, where its capacity is halved or gone for a while.',
    head: SHARES,
    cells: shareCells,
  },
  beside: {
    title: 'Beside others',
    text: 'What the flow that is named first keeps, and what the one beside it has, which was there before.',
    head: ['Mb/s of the first', 'Mb/s beside it', 'added delay, ms'],
    cells: (result, runs) => [rates(result, runs), shown(result.beside ?? null, 1), shown(result.addedDelay, 0)],
  },
  several: {
    title: 'Several of ours',
    text: "Together, with Jain's index of their shares; and who joins another after a while: its own Mb/s, with the other's.",
    head: ['Mb/s', "Jain's index, or Mb/s of the other", 'added delay, ms'],
    cells: (result, runs) => [rates(result, runs), shown(result.beside ?? null, 2), shown(result.addedDelay, 0)],
  },
  small: {
    title: 'Many small files',
    text: 'Who was ended before all had arrived is marked: seconds for all are then at the rate until then.',
    head: ['files arrived', 'in seconds', 'seconds for all', 'CPU s per GB', 'memory, MiB'],
    cells: (result, runs, row) => [
      shown(result.files, 0),
      shown(result.seconds, 1),
      `${spread(
        secondsForAll(result, row),
        runs.map((run) => secondsForAll(run, row)),
        1,
      )}${result.cut ? ', **extrapolated**' : ''}`,
      shown(per(result.cpuSeconds, result.bytes / GB), 0),
      shown(result.memory / MiB, 0),
    ],
  },
  sockets: {
    title: 'Plain sftp get, by the congestion control of the server',
    text: 'The whole command with its sign-in, ended after the seconds of a run. `--tcp-congestion` names the control; OpenSSH has what its host has.',
    head: SHARES,
    cells: shareCells,
  },
  loopback: {
    title: 'Loopback, no link at all',
    head: ['Gb/s', 'seconds', 'CPU s per GB', 'memory, MiB'],
    cells: (result, runs) => [
      rates(result, runs, 1000),
      shown(result.seconds, 2),
      shown(per(result.cpuSeconds, result.bytes / GB), 1),
      shown(result.memory / MiB, 0),
    ],
  },
};

const verdict = ({ reached, bar, figure, what }: Judged): string =>
  `**${reached ? 'above' : 'below'}** ${bar}${what === 'share of best' ? '' : `: ${figure.toFixed(2)} ${what}`}`;

const titleOf = (row: Measurement): string =>
  row.section === 'table' && row.link !== null ? `${row.title} (best ${bestMbit(row.link).toFixed(1)})` : row.title;

/** What others said, in a cell of a table. */
const told = ({ failed = '' }: Run): string => failed.replaceAll('|', '/');

/** One line of the report: a contender on a row; null: it was not tried. */
export function lineOf(row: Measurement, name: string, measured: Measured): string | null {
  const runs = runsIn(measured, row.id, name);
  const results = resultsIn(measured, row.id, name);
  const result = middle(results);
  const { cells, head } = SECTIONS[row.section];
  if (runs.length === 0) return null;
  const start = `| ${titleOf(row)} | ${name}`;
  const failed = runs.length - results.length;
  if (result === null)
    return `${start} | 0 | ${head.map((_, at) => (at === 0 ? `failed: ${runs.map(told)[0] ?? ''}` : '-')).join(' | ')} | |`;
  const judged = judge(row, name, measured);
  const count = failed === 0 ? String(results.length) : `${results.length}, ${failed} failed`;
  return `${start} | ${count} | ${cells(result, results, row).join(' | ')} | ${judged === null ? '' : verdict(judged)} |`;
}

const ruled = (names: readonly string[]): string[] => [
  `| ${names.join(' | ')} |`,
  `|${names.map(() => '---').join('|')}|`,
];

/** Every bar at a glance: what was not measured is missing from it, not reached. */
export function bars(rows: readonly Measurement[], measured: Measured): string[] {
  const all = rows
    .flatMap((row) => row.contenders.map(({ name }) => judge(row, name, measured)))
    .filter((one) => one !== null);
  if (all.length === 0) return [];
  const reached = all.filter((one) => one.reached).length;
  return [
    `## Bars: ${reached} of ${all.length} measured are reached`,
    '',
    'A transfer counts from the start of the command to its end.',
    '',
    ...ruled(['row', 'who', 'runs', 'what', 'measured', 'bar', '']),
    ...all.map(
      ({ row, who, what, figure, bar, reached: is, runs }) =>
        `| ${row.title} | ${who} | ${runs} | ${what} | ${figure.toFixed(3)} | ${bar} | **${is ? 'above' : 'below'}** |`,
    ),
    '',
  ];
}

function failures(rows: readonly Measurement[], measured: Measured): string[] {
  const all = rows.flatMap((row) =>
    row.contenders.flatMap(({ name }) =>
      runsIn(measured, row.id, name)
        .filter(({ result }) => result === null)
        .map((run) => `| ${row.title} | ${name} | ${run.run + 1} | ${run.tries} | ${told(run)} |`),
    ),
  );
  return all.length === 0
    ? []
    : ['## Runs that failed', '', ...ruled(['link', 'who', 'run', 'tries', 'why']), ...all, ''];
}

/** Whether the links were what they are called. */
function links(rows: readonly Measurement[], measured: Measured): string[] {
  const all = rows.flatMap(({ id, title }) => {
    const counted = measured.links[id];
    if (counted === undefined || counted.in === 0) return [];
    const percent = (count: number): string => ((100 * count) / counted.in).toFixed(3);
    const { dropped, lost, policed } = counted;
    return [`| ${title} | ${counted.in.toLocaleString('en')} | ${[dropped, lost, policed].map(percent).join(' | ')} |`];
  });
  if (all.length === 0) return [];
  const names = ['link', 'packets', 'dropped by the queue, %', 'lost, %', 'dropped by the policer, %'];
  const text = 'Of what A sent, all contenders and runs together.';
  return ['## What the links did', '', text, '', ...ruled(names), ...all, ''];
}

/** Of all runs: from when to when, of which commits, of files and flows of how long. */
export function about(measured: Measured): string {
  const runs = Object.values(measured.rows).flatMap((row) => Object.values(row).flat());
  const different = (pick: (run: Run) => string): string[] => [...new Set(runs.map(pick))].sort();
  const range = (all: string[]): string => (all.length < 2 ? all.join('') : `${all[0] ?? ''} to ${all.at(-1) ?? ''}`);
  const aims = runs.map(({ aim }) => aim).sort((a, b) => a - b);
  const minutes = different(({ at }) => `${at.slice(0, 16).replace('T', ' ')} UTC`);
  return [
    `${runs.filter(({ result }) => result !== null).length} runs, ${range(minutes)}; commit ${different(({ commit }) => commit).join(', ')};`,
    `ours with ${measured.way}; files and flows of ${range([...new Set(aims.map((aim) => aim.toFixed(0)))])} s of link time.`,
  ].join(' ');
}

export function report(rows: readonly Measurement[], measured: Measured, head: readonly string[]): string {
  const lines = [...head, ...bars(rows, measured)];
  for (const [section, { title, text, head: columns }] of Object.entries(SECTIONS)) {
    const found = rows
      .filter((row) => row.section === section)
      .flatMap((row) => row.contenders.map(({ name }) => lineOf(row, name, measured)))
      .filter((line) => line !== null);
    if (found.length === 0) continue;
    lines.push(`## ${title}`, '', ...(text === undefined ? [] : [text, '']));
    lines.push(...ruled(['link', 'who', 'runs', ...columns, 'bar']), ...found, '');
  }
  return [...lines, ...failures(rows, measured), ...links(rows, measured)].join('\n');
}
