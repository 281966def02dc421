/** What a transfer costs besides time: added delay, CPU of both ends, memory, bytes on the link. */
import { cpuSeconds, memory } from '../process-cost.ts';
import { median } from '../table.ts';
import { carriedBy } from './link.ts';
import type { Link, LinkSpec } from './link.ts';
import { hasCommand, start } from './processes.ts';
import type { Started } from './processes.ts';

export interface Cost {
  /** Milliseconds that a small packet waits besides the round trip of the idle link: mean; null: not measured. */
  readonly addedDelay: number | null;
  readonly cpuSeconds: number;
  /** Of both ends together, at the most, in bytes (PSS). */
  readonly memory: number;
  /** Left A since the meter began; null on loopback. */
  readonly sent: number | null;
  /** Of all that arrived, the share that came in each second of its middle; null: not known. */
  readonly steady: number | null;
}

export interface Sample {
  /** Seconds since the meter began. */
  readonly at: number;
  /** Bytes that had arrived on B's device by then. */
  readonly bytes: number;
}

const STEADY_FROM = 0.1;
const STEADY_TO = 0.95;

/**
 * How fast it was without begin and end: from when a tenth of all bytes had arrived at B's device until 95 % had. Of anybody's
 * transfer alike, whatever it says of itself.
 */
export function steadyOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return null;
  const all = last.bytes - first.bytes;
  const reached = (share: number): Sample | undefined =>
    samples.find(({ bytes }) => bytes - first.bytes >= share * all);
  const [from, to] = [reached(STEADY_FROM), reached(STEADY_TO)];
  if (from === undefined || to === undefined || to.at <= from.at || all <= 0) return null;
  return (to.bytes - from.bytes) / (to.at - from.at) / all;
}

const LOOK_MS = 500;
const SAMPLE_MS = 100;
const PING_SECONDS = 0.1;
const canPing = hasCommand('ping');

export function meanOfPings(text: string): number | null {
  const times = [...text.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time));
  return times.length === 0 ? null : times.reduce((sum, time) => sum + time, 0) / times.length;
}

/** Round trips of small packets from A to B while something else fills the link. */
class DelayProbe {
  private readonly ping: Started | null;
  private readonly rtt: number;

  constructor(link: Link, { rtt }: LinkSpec, seconds: number) {
    this.rtt = rtt;
    const words = ['ping', '-n', '-i', String(PING_SECONDS), '-w', String(Math.ceil(seconds)), link.b.address];
    this.ping = canPing && link.a.keeper !== null ? start(link.a, words, { seconds: seconds + 5 }) : null;
  }

  async stop(): Promise<number | null> {
    if (this.ping === null) return null;
    await this.ping.stop();
    const mean = meanOfPings(this.ping.output());
    return mean === null ? null : Math.max(0, mean - this.rtt);
  }
}

export class Meter {
  private readonly link: Link;
  private readonly pids: () => readonly number[];
  private readonly probe: DelayProbe;
  private readonly sentBefore: number | null;
  private readonly began = performance.now();
  private readonly samples: Sample[] = [];
  private readonly timers: readonly NodeJS.Timeout[];
  private cost: Promise<Cost> | null = null;
  /** By process that was named: what it had used when it was last looked at, and before the meter began. */
  private readonly used = new Map<number, { first: number; last: number }>();
  private most = 0;

  /** `pids`: the processes of both ends, at any time; what they start counts too. */
  constructor(link: Link, spec: LinkSpec, seconds: number, pids: () => readonly number[]) {
    this.link = link;
    this.pids = pids;
    this.look(true);
    this.sentBefore = carriedBy(link.a)?.sent ?? null;
    this.sample();
    this.probe = new DelayProbe(link, spec, seconds);
    const look = (): void => {
      this.look(false);
    };
    const sample = (): void => {
      this.sample();
    };
    this.timers = [setInterval(look, LOOK_MS), setInterval(sample, SAMPLE_MS)];
  }

  private sample(): void {
    const received = carriedBy(this.link.b)?.received;
    if (received !== undefined) this.samples.push({ at: (performance.now() - this.began) / 1000, bytes: received });
  }

  private look(begin: boolean): void {
    let together = 0;
    for (const pid of this.pids()) {
      const now = cpuSeconds(pid);
      const known = this.used.get(pid);
      if (known === undefined) this.used.set(pid, { first: begin ? now : 0, last: now });
      else known.last = Math.max(known.last, now);
      together += memory(pid).pss;
    }
    this.most = Math.max(this.most, together);
  }

  /** Before the ends are gone; whoever asks again hears the same. */
  stop(): Promise<Cost> {
    return (this.cost ??= this.end());
  }

  private async end(): Promise<Cost> {
    for (const timer of this.timers) clearInterval(timer);
    this.look(false);
    this.sample();
    const sent = carriedBy(this.link.a)?.sent ?? null;
    const cpu = [...this.used.values()].reduce((sum, { first, last }) => sum + last - first, 0);
    return {
      addedDelay: await this.probe.stop(),
      cpuSeconds: cpu,
      memory: this.most,
      sent: sent === null || this.sentBefore === null ? null : sent - this.sentBefore,
      steady: steadyOf(this.samples),
    };
  }
}

export interface Result extends Cost {
  /** Of files, that arrived. */
  readonly bytes: number;
  readonly seconds: number;
  /** It was ended before everything had arrived. */
  readonly cut: boolean;
  readonly files: number;
  /** Mb/s of flows beside it, by what they are. */
  readonly beside?: number;
}

const whole = (values: readonly (number | null | undefined)[]): number[] =>
  values.filter((value) => value !== null && value !== undefined);

/** Medians of every figure by itself. */
export function middle(results: readonly Result[]): Result | null {
  if (results.length === 0) return null;
  const of = (pick: (result: Result) => number | null | undefined): number => median(whole(results.map(pick)));
  const rate = of(({ bytes, seconds }) => bytes / seconds);
  const seconds = of((result) => result.seconds);
  const bytes = rate * seconds;
  // What depends on how much arrived is the median of the ratio.
  const sent = of((result) => (result.sent === null || result.bytes === 0 ? null : result.sent / result.bytes)) * bytes;
  const cpu = of((result) => (result.bytes === 0 ? null : result.cpuSeconds / result.bytes)) * bytes;
  const [delay, beside] = [of(({ addedDelay }) => addedDelay), of((result) => result.beside)];
  const steady = of((result) => (result.steady === null ? null : result.steady * result.bytes)) / bytes;
  return {
    ...{ bytes, seconds, memory: of((result) => result.memory), files: of(({ files }) => files) },
    sent: Number.isNaN(sent) ? null : sent,
    cpuSeconds: cpu,
    addedDelay: Number.isNaN(delay) ? null : delay,
    cut: results.some(({ cut }) => cut),
    steady: Number.isNaN(steady) ? null : steady,
    ...(Number.isNaN(beside) ? {} : { beside }),
  };
}
