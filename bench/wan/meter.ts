/** What a transfer costs besides time: added delay, CPU of both ends, memory, bytes on the link. */
import { cpuSeconds, memory } from '../process-cost.ts';
import { median } from '../table.ts';
import { bytesOut } from './link.ts';
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
}

const PING_SECONDS = 0.1;
const canPing = hasCommand('ping');

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
    const times = [...this.ping.output().matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time));
    if (times.length === 0) return null;
    return Math.max(0, times.reduce((sum, time) => sum + time, 0) / times.length - this.rtt);
  }
}

export class Meter {
  private readonly link: Link;
  private readonly pids: () => readonly number[];
  private readonly probe: DelayProbe;
  private readonly sentBefore: number | null;
  private readonly timer: NodeJS.Timeout;
  /** By process that was named: what it had used when it was last looked at, and before the meter began. */
  private readonly used = new Map<number, { first: number; last: number }>();
  private most = 0;

  /** `pids`: the processes of both ends, at any time; what they start counts too. */
  constructor(link: Link, spec: LinkSpec, seconds: number, pids: () => readonly number[]) {
    this.link = link;
    this.pids = pids;
    this.look(true);
    this.sentBefore = bytesOut(link.a);
    this.probe = new DelayProbe(link, spec, seconds);
    this.timer = setInterval(() => {
      this.look(false);
    }, 500);
  }

  /** Before the ends are gone, for what they used last. */
  look(begin: boolean): void {
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

  async stop(): Promise<Cost> {
    clearInterval(this.timer);
    this.look(false);
    const sent = bytesOut(this.link.a);
    const addedDelay = await this.probe.stop();
    const cpu = [...this.used.values()].reduce((sum, { first, last }) => sum + last - first, 0);
    return {
      addedDelay,
      cpuSeconds: cpu,
      memory: this.most,
      sent: sent === null || this.sentBefore === null ? null : sent - this.sentBefore,
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
  return {
    ...{ bytes, seconds, memory: of((result) => result.memory), files: of(({ files }) => files) },
    sent: Number.isNaN(sent) ? null : sent,
    cpuSeconds: cpu,
    addedDelay: Number.isNaN(delay) ? null : delay,
    cut: results.some(({ cut }) => cut),
    ...(Number.isNaN(beside) ? {} : { beside }),
  };
}
