/** Some of the logs of a generated ledger, written from beginning to end: in a worker thread, or in this one. */
import path from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Random } from './ledger-random.ts';
import { LogWriter } from './ledger-log-writer.ts';
import { Traffic } from './ledger-traffic.ts';

export interface PlanOptions {
  readonly folder: string;
  readonly seed: number;
  readonly tenants: number;
  readonly heads: number;
  readonly headEvery: number;
  /** Milliseconds. */
  readonly started: number;
  readonly headMilliseconds: number;
  /** Tenants with a number in this list stop after the head of that number. */
  readonly quietAfter: Readonly<Record<number, number>>;
}

/** Sizes and roots of one log after each head that changed it. */
export interface LogHistory {
  readonly log: string;
  readonly heads: number[];
  readonly sizes: number[];
  readonly roots: string[];
}

/** Log number n (0 is the installation's) gets this share of the entries of each head: few are large. */
function bounds(tenants: number): number[] {
  const weights = Array.from({ length: tenants + 1 }, (_, log) => (log === 0 ? 0.02 : 1 / (log + 2)));
  const sum = weights.reduce((a, b) => a + b, 0);
  let up = 0;
  return [0, ...weights.map((weight) => (up += weight) / sum)];
}

export function writeLog(plan: PlanOptions, number: number): LogHistory {
  const traffic = new Traffic(plan.seed, number, plan.started);
  const writer = new LogWriter(path.join(plan.folder, 'logs', traffic.log));
  const history: LogHistory = { log: traffic.log, heads: [], sizes: [], roots: [] };
  const [low = 0, high = 1] = bounds(plan.tenants).slice(number, number + 2);
  const shifts = new Random(plan.seed, 0xffff);
  for (let head = 0; head < plan.heads; head++) {
    const shift = shifts.unit();
    const count = Math.floor(high * plan.headEvery + shift) - Math.floor(low * plan.headEvery + shift);
    if (count === 0 || head > (plan.quietAfter[number] ?? Infinity)) continue;
    const from = plan.started + head * plan.headMilliseconds;
    for (let at = 0; at < count; at++)
      writer.append(traffic.next(from + Math.floor(((at + 1) * plan.headMilliseconds) / (count + 1))));
    history.heads.push(head);
    history.sizes.push(writer.size);
    history.roots.push(writer.root().toString('latin1'));
  }
  writer.finish();
  return history;
}

if (!isMainThread && parentPort !== null) {
  const { plan } = workerData as { plan: PlanOptions };
  const port = parentPort;
  port.on('message', (number: number | null) => {
    if (number === null) port.close();
    else port.postMessage(writeLog(plan, number));
  });
}
