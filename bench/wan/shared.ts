/** Who gets what of a link that is shared: ours beside flows of the kernel, and several of ours. */
import type { Link, LinkSpec } from './link.ts';
import { Meter } from './meter.ts';
import type { Result } from './meter.ts';
import type { Contender, Task } from './contender.ts';
import { hasControl, startIperf } from './iperf.ts';
import { progressOf, startPut } from './ours.ts';
import type { Way } from './ours.ts';
import { until } from './processes.ts';
import type { Started } from './processes.ts';

/** So long who is joined is under way alone, whether it is the kernel's or ours. */
const ALONE_SECONDS = 3;
/** Until ours delivers, and its processes are gone. */
const OURS_SECONDS = 3;

const mbit = (bytes: number, seconds: number): number => (bytes * 8) / seconds / 1e6;

/** `bytes` and `seconds` of the result are of `control`; `beside` is what the other flow had, in Mb/s. */
export const kernelBesideKernel = (control: string, other: string): Contender => ({
  name: `${control} beside ${other}`,
  expects: ({ seconds }) => ALONE_SECONDS + seconds + 4,
  async run({ link, spec, seconds }) {
    if (!hasControl(control) || !hasControl(other)) return null;
    const second = await startIperf(link, other, 1, ALONE_SECONDS + seconds + 2);
    await wait(ALONE_SECONDS);
    const first = await startIperf(link, control, 1, seconds);
    const meter = new Meter(link, spec, seconds, () => [...first.pids, ...second.pids]);
    try {
      const [one, two] = await Promise.all([first.received, second.received]);
      // Of all its time: of it the most was beside the first.
      return { ...(await meter.stop()), ...one, cut: false, files: 1, beside: mbit(two.bytes, two.seconds) };
    } finally {
      await meter.stop();
      await Promise.all([first.stop(), second.stop()]);
    }
  },
});

/** Ours is under way when the other begins, and does not end before it. */
export const kernelBesideOurs = (control: string, way: Way): Contender => ({
  name: `${control} beside Waybill`,
  expects: ({ seconds }) => OURS_SECONDS + ALONE_SECONDS + seconds + 2,
  async prepare({ stage }) {
    await stage.waybill();
  },
  async run(task) {
    if (!hasControl(control)) return null;
    return withOurs(task, way, 1, async (clients, pids) => {
      const { link, spec, seconds } = task;
      await wait(ALONE_SECONDS);
      const before = told(clients);
      const flow = await startIperf(link, control, 1, seconds);
      const meter = new Meter(link, spec, seconds, () => [...pids, ...flow.pids]);
      try {
        const one = await flow.received;
        const [ours = 0] = ratesSince(before, told(clients));
        return { ...(await meter.stop()), ...one, cut: false, files: 1, beside: (ours * 8) / 1e6 };
      } finally {
        await meter.stop();
        await flow.stop();
      }
    });
  },
});

/** `bytes` is of all; `beside` is Jain's index of their shares. */
export const severalOfOurs = (flows: number, way: Way): Contender => ({
  name: `Waybill x${flows}`,
  expects: ({ seconds }) => OURS_SECONDS + seconds + ALONE_SECONDS,
  async prepare({ stage }) {
    await stage.waybill();
  },
  run: (task) =>
    withOurs(task, way, flows, async (clients, pids) => {
      await wait(ALONE_SECONDS);
      const { shares, ...result } = await over(task.link, task.spec, task.seconds, clients, pids);
      return { ...result, beside: jain(shares) };
    }),
});

/** `bytes` is of who came late, in the second half of the time; `beside` what the first had then, in Mb/s. */
export const lateJoiner = (way: Way): Contender => ({
  name: 'second of Waybill',
  expects: ({ seconds }) => 2 * OURS_SECONDS + seconds * 1.5,
  async prepare({ stage }) {
    await stage.waybill();
  },
  run: (task) =>
    withOurs(task, way, 1, (clients, pids, join) =>
      (async () => {
        const { link, spec, seconds } = task;
        await wait(seconds);
        const both = [...clients, await join()];
        await wait(seconds / 2);
        const { shares, ...result } = await over(link, spec, seconds / 2, both, [...pids, both[1]?.pid ?? 0]);
        const [first = 0, second = 0] = shares;
        return { ...result, bytes: second, beside: mbit(first, result.seconds) };
      })(),
    ),
});

type Join = () => Promise<Started>;

/** So many of ours that deliver already, to one server. */
async function withOurs(
  task: Task,
  way: Way,
  flows: number,
  measure: (clients: readonly Started[], pids: readonly number[], join: Join) => Promise<Result>,
): Promise<Result> {
  const most = task.seconds * 3 + 60;
  const server = await task.stage.waybill();
  const clients: Started[] = [];
  const join = async (): Promise<Started> => {
    const client = startPut(server, { ...task, seconds: most }, way, `of-${task.stage.next()}/`);
    clients.push(client);
    await until('ours', 30, () => (progressOf(client).bytes > 0 ? true : null));
    return client;
  };
  try {
    await Promise.all(Array.from({ length: flows }, join));
    return await measure([...clients], [server.process.pid, ...clients.map(({ pid }) => pid)], join);
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
  }
}

async function over(
  link: Link,
  spec: LinkSpec,
  seconds: number,
  clients: readonly Started[],
  pids: readonly number[],
): Promise<Result & { shares: number[] }> {
  const meter = new Meter(link, spec, seconds, () => pids);
  const before = told(clients);
  const begun = performance.now();
  await wait(seconds);
  const rates = ratesSince(before, told(clients));
  const took = (performance.now() - begun) / 1000;
  const shares = rates.map((rate) => rate * took);
  const bytes = shares.reduce((sum, share) => sum + share, 0);
  const cut = clients.some((client) => progressOf(client).done);
  return { ...(await meter.stop()), bytes, seconds: took, files: clients.length, cut, shares };
}

interface Told {
  readonly bytes: number;
  /** Milliseconds. */
  readonly at: number;
}

/** They say each second how far they are; when they said so counts, not when they were asked. */
const told = (clients: readonly Started[]): Told[] =>
  clients.map((client) => ({ bytes: progressOf(client).bytes, at: client.spokeAt() }));

/** Bytes a second of each; of who said nothing since, none. */
export const ratesSince = (before: readonly Told[], now: readonly Told[]): number[] =>
  now.map(({ bytes, at }, client) => {
    const then = before[client];
    return then === undefined || at <= then.at ? 0 : ((bytes - then.bytes) * 1000) / (at - then.at);
  });

const wait = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((all, share) => all + share, 0);
  const squares = shares.reduce((all, share) => all + share * share, 0);
  return squares === 0 ? 0 : (sum * sum) / (shares.length * squares);
}
