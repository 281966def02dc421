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
  /** Seconds after the link was made. */
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

export interface Link {
  readonly a: Side;
  readonly b: Side;
  readonly kind: string;
  close(): Promise<void>;
}

export const bdpBytes = ({ mbit, rtt }: LinkSpec): number => (mbit * 1e6 * rtt) / 8e3;

export const bufferBytes = (spec: LinkSpec): number =>
  Math.max(spec.bufferBdps === undefined ? 65_536 : 8192, Math.round(bdpBytes(spec) * (spec.bufferBdps ?? 1)));

/** Of what the link carries, at most: Mb/s of a stream in full Ethernet frames, by what is not lost. */
export const bestMbit = ({ mbit, loss = 0, police }: LinkSpec): number =>
  Math.min(mbit, police?.[0] ?? Infinity) * (1448 / 1514) * (1 - loss / 100);

/** Bytes that left through every device of a side but its own loopback. */
export function bytesOut({ keeper }: Side): number | null {
  if (keeper === null) return null;
  const lines = readFileSync(`/proc/${keeper}/net/dev`, 'utf8').split('\n').slice(2);
  return lines.reduce((sum, line) => {
    const [device = '', ...fields] = line.trim().split(/[\s:]+/);
    return device === '' || device === 'lo' ? sum : sum + Number(fields[8] ?? 0);
  }, 0);
}

export const loopback = (): Link => {
  const side = { address: '127.0.0.1', enter: [], keeper: null };
  return { a: side, b: side, kind: 'loopback', close: () => Promise.resolve() };
};
