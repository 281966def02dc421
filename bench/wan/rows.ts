/** The rows of docs/design/fast-transfer.md: links, and what is beside us on them. */
import type { LinkSpec } from './link.ts';

export interface WanRow {
  readonly id: string;
  readonly title: string;
  readonly link: LinkSpec;
  /** Of the best that the link carries. */
  readonly bar: number | null;
}

const table: readonly (readonly [mbit: number, rtt: number, loss: number, bar: number])[] = [
  [100, 20, 1, 0.93],
  [100, 100, 1, 0.93],
  [100, 200, 0.1, 0.93],
  [100, 200, 1, 0.93],
  [100, 200, 5, 0.93],
  [100, 200, 10, 0.9],
  [100, 300, 5, 0.9],
  [1000, 200, 2, 0.85],
];

export const TABLE: readonly WanRow[] = table.map(([mbit, rtt, loss, bar]) => ({
  id: `${mbit}-${rtt}-${loss}`,
  title: `${mbit} Mb/s, ${rtt} ms, ${loss} %`,
  link: { mbit, rtt, loss },
  bar,
}));

/** What those rows have in common. */
export const ALSO_LINK = '100 Mb/s, 100 ms';
const plain: LinkSpec = { mbit: 100, rtt: 100 };

const also = (id: string, title: string, more: Partial<LinkSpec>): WanRow => ({
  id,
  title: `${ALSO_LINK}: ${title}`,
  link: { ...plain, ...more },
  bar: null,
});

/** `seconds`: of a run, which decide when something happens in it. */
export const alsoRows = (seconds: number): readonly WanRow[] => [
  also('buffer-0.25', 'drop-tail, 0.25 BDP', { bufferBdps: 0.25 }),
  also('buffer-1', 'drop-tail, 1 BDP', { bufferBdps: 1 }),
  also('buffer-4', 'drop-tail, 4 BDP', { bufferBdps: 4 }),
  also('burst', 'burst loss, 8 packets on average, 1 % in all', { burstLoss: [0.00126, 0.125, 1] }),
  also('reorder', '2 % overtake', { reorder: 2 }),
  also('jitter', 'jitter of 20 ms', { jitter: 20 }),
  also('police', 'a policer of 100 Mb/s, on a link of 300', { mbit: 300, police: [100, 125_000] }),
  also('halved', 'capacity halved in the middle', { halveAt: seconds / 2 }),
  also('outage', 'outage of 5 s', { outage: [seconds / 3, 5] }),
  also('ack-loss-10', '10 % loss of what comes back', { ackLoss: 10 }),
  also('ack-loss-50', '50 % loss of what comes back', { ackLoss: 50 }),
];

/** Who meets something on a link begins so long after the link was made: time for servers to get ready. */
export const LEAD_SECONDS = 8;

export const SHARED_BUFFERS = [0.25, 1, 4] as const;
export const SHARED: LinkSpec = { mbit: 50, rtt: 40 };
export const SMALL_FILES: LinkSpec = { mbit: 100, rtt: 200 };
