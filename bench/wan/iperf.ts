/** What the kernel's TCP does over the same link, by iperf3: nothing is read from a disk, encrypted or kept. */
import { readFileSync } from 'node:fs';
import { freePort } from '../servers.ts';
import type { Contender } from './contender.ts';
import type { Link } from './link.ts';
import { Meter } from './meter.ts';
import { start, until } from './processes.ts';

interface IperfSaid {
  readonly end?: { readonly sum_received?: { readonly bytes?: number; readonly seconds?: number } };
  readonly error?: string;
}

export interface Received {
  readonly bytes: number;
  readonly seconds: number;
}

/** What arrived, of what `iperf3 -J` said; an error with its reason where it says none. */
export function receivedOf(text: string, errors = ''): Received {
  let said: IperfSaid = {};
  try {
    said = JSON.parse(text) as IperfSaid;
  } catch {
    // It was ended before it said anything.
  }
  const { bytes, seconds } = said.end?.sum_received ?? {};
  if (said.error !== undefined || bytes === undefined || seconds === undefined || seconds <= 0)
    throw new Error(`iperf3: ${said.error ?? (errors.trim() || 'it said nothing')}`);
  return { bytes, seconds };
}

export interface Flow {
  readonly pids: readonly number[];
  /** Known when it ended. */
  readonly received: Promise<Received>;
  stop(): Promise<void>;
}

/** A flow of the kernel for so many seconds. */
export async function startIperf(link: Link, control: string, flows: number, seconds: number): Promise<Flow> {
  const port = String(await freePort());
  const most = seconds + 30;
  const server = start(link.b, ['iperf3', '-s', '-1', '-p', port, '--forceflush'], { seconds: most });
  await until('iperf3', 10, () => (server.output().includes('listening') ? true : null));
  const options = ['-C', control, '-P', String(flows), '-t', String(seconds), '-J'];
  const client = start(link.a, ['iperf3', '-c', link.b.address, '-p', port, ...options], { seconds: most });
  const received = client.ended.then(async () => {
    await server.stop();
    return receivedOf(client.output(), client.errors());
  });
  received.catch(() => undefined);
  const stop = async (): Promise<void> => {
    await Promise.all([client.stop(), server.stop()]);
  };
  return { pids: [client.pid, server.pid], received, stop };
}

export const hasControl = (name: string): boolean =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').split(/\s+/).includes(name);

export const iperf = (name: string, control: string, flows: number): Contender => ({
  name,
  expects: ({ seconds, rtt }) => seconds + 1 + rtt / 100,
  async run({ link, spec, seconds }) {
    if (!hasControl(control)) return null;
    const flow = await startIperf(link, control, flows, seconds);
    const meter = new Meter(link, spec, seconds, () => flow.pids);
    try {
      const { bytes, seconds: took } = await flow.received;
      return { ...(await meter.stop()), bytes, seconds: took, cut: false, files: 1 };
    } finally {
      await meter.stop();
      await flow.stop();
    }
  },
});
