/**
 * A link of the kernel's own tools: A - left - right - B, four network namespaces in a row. The bottleneck (tbf: rate and a
 * drop-tail queue) is where left and right send to each other; delay, loss and disorder (netem) fall behind it, where they
 * hand over to B and A: so the most that can arrive is rate x (1 - loss).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { bufferBytes } from './link.ts';
import type { Link, LinkSpec, Side } from './link.ts';
import { hasCommand, onAnyExit, start } from './processes.ts';

const HERE: Side = { address: '', enter: [], keeper: null };
/** Packets that are on the way at the most: of the delay, which netem queues too. */
const LIMIT = 1_000_000;

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function tc(namespace: string, ...words: readonly string[]): void {
  execFileSync('ip', ['netns', 'exec', namespace, 'tc', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
}

export function hasNetem(): boolean {
  const name = `wan-try-${process.pid}`;
  try {
    ip('netns', 'add', name);
    return spawnSync('ip', ['netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem']).status === 0;
  } catch {
    return false;
  } finally {
    spawnSync('ip', ['netns', 'del', name]);
  }
}

export function tbfOf(spec: LinkSpec, share = 1): string[] {
  const rate = `${spec.mbit * share}mbit`;
  if (spec.police === undefined) return ['tbf', 'rate', rate, 'burst', '3200', 'limit', String(bufferBytes(spec))];
  // A bucket without a queue behind it: what does not fit is dropped.
  const [mbit, burst] = spec.police;
  return ['tbf', 'rate', `${mbit}mbit`, 'burst', String(burst), 'limit', '3200'];
}

export function netemOf(spec: LinkSpec, direction: 'there' | 'back', down = false): string[] {
  const { rtt, loss = 0, ackLoss = 0, burstLoss, jitter, reorder } = spec;
  const half = rtt / 2;
  const delay = jitter === undefined ? [`${half}ms`] : [`${half + jitter / 2}ms`, `${jitter / 2}ms`];
  const lost = down ? 100 : direction === 'there' ? loss : ackLoss;
  const burst = down || burstLoss === undefined || direction === 'back' ? null : burstLoss;
  const losing =
    burst === null
      ? ['loss', `${lost}%`]
      : ['loss', 'gemodel', `${burst[0] * 100}%`, `${burst[1] * 100}%`, `${burst[2] * 100}%`, '0%'];
  const early = reorder === undefined || direction === 'back' ? [] : ['reorder', `${reorder}%`];
  return ['netem', 'limit', String(LIMIT), 'delay', ...delay, ...losing, ...early];
}

export async function openNetemLink(spec: LinkSpec, seconds: number): Promise<Link> {
  const names = ['a', 'l', 'r', 'b'].map((letter) => `wan-${letter}-${process.pid}`);
  const [a = '', left = '', right = '', b = ''] = names;
  const timers: NodeJS.Timeout[] = [];
  const remove = (): void => {
    for (const timer of timers) clearTimeout(timer);
    for (const name of names) spawnSync('ip', ['netns', 'del', name]);
  };
  const forget = onAnyExit(remove);
  try {
    for (const name of names) ip('netns', 'add', name);
    join([a, 'out', '10.77.9.1/30'], [left, 'in', '10.77.9.2/30']);
    join([left, 'mid', '10.77.9.5/30'], [right, 'mid', '10.77.9.6/30']);
    join([right, 'in', '10.77.9.9/30'], [b, 'out', '10.77.9.10/30']);
    ip('-n', a, 'route', 'add', 'default', 'via', '10.77.9.2');
    ip('-n', left, 'route', 'add', '10.77.9.8/30', 'via', '10.77.9.6');
    ip('-n', right, 'route', 'add', '10.77.9.0/30', 'via', '10.77.9.5');
    ip('-n', b, 'route', 'add', 'default', 'via', '10.77.9.9');
    shape(spec, left, right);
    timers.push(...events(spec, left, right));
  } catch (error) {
    remove();
    forget();
    throw error;
  }
  const keep = (name: string) =>
    start(HERE, ['ip', 'netns', 'exec', name, 'sleep', String(Math.ceil(seconds))], { seconds });
  const keepers = [keep(a), keep(b)] as const;
  const side = (name: string, keeper: number, address: string): Side => ({
    address,
    keeper,
    enter: ['ip', 'netns', 'exec', name],
  });
  // "ip netns exec" becomes the command that it was given: /proc of it is of the namespace, once it is there.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return {
    a: side(a, keepers[0].pid, '10.77.9.1'),
    b: side(b, keepers[1].pid, '10.77.9.10'),
    kind: 'netem',
    close: async () => {
      await Promise.all(keepers.map((keeper) => keeper.stop()));
      remove();
      forget();
    },
  };
}

type End = readonly [namespace: string, device: string, address: string];

function join(one: End, other: End): void {
  ip('link', 'add', one[1], 'netns', one[0], 'type', 'veth', 'peer', 'name', other[1], 'netns', other[0]);
  for (const [namespace, device, address] of [one, other]) {
    // One packet is one packet: what the kernel has put together would be lost together.
    ip('-n', namespace, 'link', 'set', device, 'gso_max_segs', '1', 'txqueuelen', '10000');
    if (hasCommand('ethtool'))
      spawnSync('ip', ['netns', 'exec', namespace, 'ethtool', '-K', device, 'tso', 'off', 'gso', 'off', 'gro', 'off']);
    ip('-n', namespace, 'addr', 'add', address, 'dev', device);
    ip('-n', namespace, 'link', 'set', device, 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const settings = [
      'net.ipv4.ip_forward=1',
      'net.ipv4.tcp_rmem=4096 131072 67108864',
      'net.ipv4.tcp_wmem=4096 65536 67108864',
    ];
    execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', ...settings]);
  }
}

function shape(spec: LinkSpec, left: string, right: string): void {
  for (const namespace of [left, right]) tc(namespace, 'qdisc', 'add', 'dev', 'mid', 'root', ...tbfOf(spec));
  tc(right, 'qdisc', 'add', 'dev', 'in', 'root', ...netemOf(spec, 'there'));
  tc(left, 'qdisc', 'add', 'dev', 'in', 'root', ...netemOf(spec, 'back'));
}

/** What happens to the link while it is used. */
function events(spec: LinkSpec, left: string, right: string): NodeJS.Timeout[] {
  const at = (seconds: number, work: () => void): NodeJS.Timeout => setTimeout(work, seconds * 1000);
  const cut = (down: boolean): void => {
    tc(right, 'qdisc', 'change', 'dev', 'in', 'root', ...netemOf(spec, 'there', down));
    tc(left, 'qdisc', 'change', 'dev', 'in', 'root', ...netemOf(spec, 'back', down));
  };
  const { outage, halveAt } = spec;
  const list: NodeJS.Timeout[] = [];
  if (outage !== undefined) {
    list.push(
      at(outage[0], () => {
        cut(true);
      }),
    );
    list.push(
      at(outage[0] + outage[1], () => {
        cut(false);
      }),
    );
  }
  if (halveAt !== undefined)
    list.push(
      at(halveAt, () => {
        for (const namespace of [left, right])
          tc(namespace, 'qdisc', 'change', 'dev', 'mid', 'root', ...tbfOf(spec, 0.5));
      }),
    );
  return list;
}
