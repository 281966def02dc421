/** bench/WAN.svg: the share of best of everybody on every link, and where the bars are. */
import { medianShare } from './figures.ts';
import { OURS, OURS_GET } from './plan.ts';
import type { Measurement } from './plan.ts';
import { ALSO_LINK } from './rows.ts';
import { resultsIn } from './state.ts';
import type { Measured } from './state.ts';

interface Look {
  readonly name: string;
  readonly fill: string;
}

const LOOKS: readonly Look[] = [
  { name: OURS, fill: '#0969da' },
  { name: OURS_GET, fill: '#54aeff' },
  { name: 'BBR x8', fill: '#bc4c00' },
  { name: 'BBR x1', fill: '#fb8f44' },
  { name: 'cubic x1', fill: '#57606a' },
  { name: 'sftp', fill: '#afb8c1' },
];

const WIDTH = 860;
const LEFT = 330;
const SCALE = WIDTH - LEFT - 70;
const BAR = 9;
const GAP = 12;
const TOP = 84;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const x = (share: number): string => (LEFT + Math.min(Math.max(share, 0), 1.05) * SCALE).toFixed(1);

interface Group {
  readonly row: Measurement;
  readonly bars: readonly { look: Look; share: number }[];
}

function groups(rows: readonly Measurement[], measured: Measured): Group[] {
  return rows
    .filter(({ section }) => section === 'table' || section === 'also')
    .map((row) => ({
      row,
      bars: LOOKS.flatMap((look) => {
        const share = medianShare(row, resultsIn(measured, row.id, look.name));
        return share === null ? [] : [{ look, share }];
      }),
    }))
    .filter(({ bars }) => bars.length > 0);
}

function drawn({ row, bars }: Group, top: number): string[] {
  const height = bars.length * BAR;
  const lines = [
    `  <text x="${LEFT - 10}" y="${top + height / 2 + 4}" text-anchor="end">${escaped(row.title.replace(`${ALSO_LINK}: `, ''))}</text>`,
    ...bars.map(({ look, share }, at) => {
      const width = (Number(x(share)) - LEFT).toFixed(1);
      const y = top + at * BAR;
      const value = `<text class="small" x="${Number(x(share)) + 5}" y="${y + 7.5}">${share.toFixed(share < 0.1 ? 3 : 2)}</text>`;
      return `  <rect x="${LEFT}" y="${y}" width="${width}" height="${BAR - 1.5}" fill="${look.fill}" />${value}`;
    }),
  ];
  const ours = bars.filter(({ look }) => look.name === OURS || look.name === OURS_GET).length;
  if (row.bar !== null && ours > 0) {
    const at = x(row.bar);
    lines.push(`  <path class="bar" d="M${at} ${top - 2}V${top + ours * BAR}" />`);
  }
  return lines;
}

export function chart(rows: readonly Measurement[], measured: Measured): string | null {
  const all = groups(rows, measured);
  if (all.length === 0) return null;
  const body: string[] = [];
  let top = TOP;
  const firstOfAlso = all.find(({ row }) => row.section === 'also');
  for (const group of all) {
    if (group === firstOfAlso) {
      body.push(`  <text x="${LEFT - 10}" y="${top + 10}" text-anchor="end" font-weight="600">${ALSO_LINK}</text>`);
      top += 20;
    }
    body.push(...drawn(group, top));
    top += group.bars.length * BAR + GAP;
  }
  const scale = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `  <path class="grid" d="M${x(share)} ${TOP - 8}V${top}" /><text class="small" x="${x(share)}" y="${TOP - 14}" text-anchor="middle">${share}</text>`,
  );
  const legend = LOOKS.map(
    ({ name, fill }, at) =>
      `  <rect x="${20 + at * 112}" y="36" width="12" height="12" fill="${fill}" /><text x="${38 + at * 112}" y="47">${name}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top + 8}" font-family="system-ui, sans-serif" font-size="12.5">`,
    '  <title>Share of what each link can carry</title>',
    '  <style>.small { font-size: 9px; fill: #424a53; } .grid { stroke: #d0d7de; } .bar { stroke: #cf222e; stroke-width: 2; }</style>',
    `  <rect width="${WIDTH}" height="${top + 8}" fill="#ffffff" />`,
    '  <text x="20" y="22" font-size="15" font-weight="600">Share of what each link can carry, medians</text>',
    ...legend,
    `  <path class="bar" d="M${20 + LOOKS.length * 112 + 6} 35V49" /><text x="${20 + LOOKS.length * 112 + 14}" y="47">bar of ours</text>`,
    ...scale,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}
