/** A link to measure over: two network namespaces, A that sends and B that receives, or this machine's loopback. */
import { readFileSync } from 'node:fs';

export interface LinkSpec {
  readonly mbit: number;
  /** Milliseconds, both ways together. */
  readonly rtt: number;
  /** Percent, of what A sends; of what comes back. */
  readonly loss?: number;
  readonly ackLoss?: number;
  /** Of the queue before the bottleneck, in bandwidth-delay products; 1 when left out. */
  readonly bufferBdps?: number;
  /** Probability to enter and to leave a burst, and of loss in it. */
  readonly burstLoss?: readonly [enter: number, leave: number, lost: number];
  /** Milliseconds at the most, on each packet by itself. */
  readonly jitter?: number;
  /** Percent of packets that overtake. */
  readonly reorder?: number;
  /** Mb/s and bytes of burst: what is above is dropped, not queued. */
  readonly police?: readonly [mbit: number, burst: number];
  /** Seconds after the run began. */
  readonly outage?: readonly [at: number, seconds: number];
  readonly halveAt?: number;
}

export type SideName = 'a' | 'b';

export interface Side {
  readonly address: string;
  /** Words before a command that is to run there. */
  readonly enter: readonly string[];
  /** A process that lives there as long as the link; null: the machine itself. */
  readonly keeper: number | null;
}

/** Of one direction: packets that came, that left, and that did not. */
export interface Counters {
  readonly in: number;
  readonly out: number;
  readonly dropped: number;
  readonly lost: number;
  readonly policed: number;
}

export interface Link {
  readonly a: Side;
  readonly b: Side;
  readonly kind: string;
  /** When it began to be a link, as performance.now() has it: what happens to it is counted from here. */
  readonly madeAt: number;
  /** What it did with the packets of A, where it says so. */
  close(): Promise<Counters | null>;
}

export const bdpBytes = ({ mbit, rtt }: LinkSpec): number => (mbit * 1e6 * rtt) / 8e3;

export const bufferBytes = (spec: LinkSpec): number =>
  Math.max(spec.bufferBdps === undefined ? 65_536 : 8192, Math.round(bdpBytes(spec) * (spec.bufferBdps ?? 1)));

/** Of what the link carries, at most: Mb/s of a stream in full Ethernet frames, by what is not lost. */
export const bestMbit = ({ mbit, loss = 0, police }: LinkSpec): number =>
  Math.min(mbit, police?.[0] ?? Infinity) * (1448 / 1514) * (1 - loss / 100);

/** Of the time of a run, the share in which the link carried its rate. */
export function availability({ outage, halveAt }: LinkSpec, seconds: number): number {
  if (seconds <= 0) return 1;
  const within = (at: number): number => Math.min(Math.max(at, 0), seconds);
  let lost = 0;
  if (outage !== undefined) lost += within(outage[0] + outage[1]) - within(outage[0]);
  if (halveAt !== undefined) lost += (seconds - within(halveAt)) / 2;
  return (seconds - lost) / seconds;
}

/** For a link that is made so many seconds before the run begins. */
export const madeBefore = (spec: LinkSpec, lead: number): LinkSpec => ({
  ...spec,
  ...(spec.outage === undefined ? {} : { outage: [spec.outage[0] + lead, spec.outage[1]] }),
  ...(spec.halveAt === undefined ? {} : { halveAt: spec.halveAt + lead }),
});

/** What happens to it happens once: each run needs one of its own. */
export const isTimed = ({ outage, halveAt }: LinkSpec): boolean => outage !== undefined || halveAt !== undefined;

export interface Carried {
  readonly received: number;
  readonly sent: number;
}

/** Bytes through every device of a side but its own loopback; null: the machine itself, where others are too. */
export function carriedBy({ keeper }: Side): Carried | null {
  return keeper === null ? null : devicesOf(readFileSync(`/proc/${keeper}/net/dev`, 'utf8'));
}

/** Of the text of /proc/PID/net/dev. */
export function devicesOf(text: string): Carried {
  let [received, sent] = [0, 0];
  for (const line of text.split('\n').slice(2)) {
    const [device = '', ...fields] = line.trim().split(/[\s:]+/);
    if (device === '' || device === 'lo') continue;
    received += Number(fields[0] ?? 0);
    sent += Number(fields[8] ?? 0);
  }
  return { received, sent };
}

export const loopback = (): Link => {
  const side = { address: '127.0.0.1', enter: [], keeper: null };
  return { a: side, b: side, kind: 'loopback', madeAt: performance.now(), close: () => Promise.resolve(null) };
};
