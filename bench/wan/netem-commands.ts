/** The command lines that make a link of netem, change it, and take it away: as lists of words, for who runs them. */
import { bufferBytes } from './link.ts';
import type { LinkSpec } from './link.ts';

export type Command = readonly string[];

export interface Namespaces {
  readonly a: string;
  readonly left: string;
  readonly right: string;
  readonly b: string;
}

export const ADDRESS_A = '10.77.9.1';
export const ADDRESS_B = '10.77.9.10';

/** Packets that are on the way at the most: of the delay, which netem queues too. */
const LIMIT = 1_000_000;
/** As a host that was tuned for BBR has it. */
const SETTINGS = [
  'net.ipv4.ip_forward=1',
  'net.ipv4.tcp_rmem=4096 131072 67108864',
  'net.ipv4.tcp_wmem=4096 65536 67108864',
];

export const namespacesOf = (pid: number): Namespaces => ({
  ...{ a: `wan-a-${pid}`, left: `wan-l-${pid}`, right: `wan-r-${pid}`, b: `wan-b-${pid}` },
});

/** Percents have no exponent: tc does not read one. */
const percent = (share: number): string => `${Number((share * 100).toFixed(6))}%`;

export function tbfOf(spec: LinkSpec, share = 1): Command {
  const rate = `${spec.mbit * share}mbit`;
  if (spec.police === undefined) return ['tbf', 'rate', rate, 'burst', '3200', 'limit', String(bufferBytes(spec))];
  // A bucket without a queue behind it: what does not fit is dropped.
  const [mbit, burst] = spec.police;
  return ['tbf', 'rate', `${mbit}mbit`, 'burst', String(burst), 'limit', '3200'];
}

export function netemOf(spec: LinkSpec, direction: 'there' | 'back', down = false): Command {
  const { rtt, loss = 0, ackLoss = 0, burstLoss, jitter, reorder } = spec;
  const half = rtt / 2;
  const delay = jitter === undefined ? [`${half}ms`] : [`${half + jitter / 2}ms`, `${jitter / 2}ms`];
  const lost = down ? 100 : direction === 'there' ? loss : ackLoss;
  const burst = down || burstLoss === undefined || direction === 'back' ? null : burstLoss;
  const losing = burst === null ? ['loss', `${lost}%`] : ['loss', 'gemodel', ...burst.map(percent), '0%'];
  const early = reorder === undefined || direction === 'back' ? [] : ['reorder', `${reorder}%`];
  return ['netem', 'limit', String(LIMIT), 'delay', ...delay, ...losing, ...early];
}

const inside = (namespace: string, ...words: Command): Command => ['ip', 'netns', 'exec', namespace, ...words];
const qdisc = (namespace: string, act: 'add' | 'change', device: string, words: Command): Command =>
  inside(namespace, 'tc', 'qdisc', act, 'dev', device, 'root', ...words);

type End = readonly [namespace: string, device: string, address: string];

function joined(one: End, other: End, ethtool: boolean): Command[] {
  const [name, peer] = [one, other].map(([namespace, device]) => [device, 'netns', namespace]) as [string[], string[]];
  return [
    ['ip', 'link', 'add', ...name, 'type', 'veth', 'peer', 'name', ...peer],
    ...[one, other].flatMap(([namespace, device, address]): Command[] => [
      // One packet is one packet: what the kernel has put together would be lost together.
      ['ip', '-n', namespace, 'link', 'set', device, 'gso_max_segs', '1', 'txqueuelen', '10000'],
      ...(ethtool ? [inside(namespace, 'ethtool', '-K', device, 'tso', 'off', 'gso', 'off', 'gro', 'off')] : []),
      ['ip', '-n', namespace, 'addr', 'add', address, 'dev', device],
      ['ip', '-n', namespace, 'link', 'set', device, 'up'],
      ['ip', '-n', namespace, 'link', 'set', 'lo', 'up'],
      inside(namespace, 'sysctl', '-qw', ...SETTINGS),
    ]),
  ];
}

/** In their order; one that fails ends it. `ethtool`: it is installed. */
export function setUp(spec: LinkSpec, { a, left, right, b }: Namespaces, ethtool: boolean): Command[] {
  return [
    ...[a, left, right, b].map((name): Command => ['ip', 'netns', 'add', name]),
    ...joined([a, 'out', `${ADDRESS_A}/30`], [left, 'in', '10.77.9.2/30'], ethtool),
    ...joined([left, 'mid', '10.77.9.5/30'], [right, 'mid', '10.77.9.6/30'], ethtool),
    ...joined([right, 'in', '10.77.9.9/30'], [b, 'out', `${ADDRESS_B}/30`], ethtool),
    ['ip', '-n', a, 'route', 'add', 'default', 'via', '10.77.9.2'],
    ['ip', '-n', left, 'route', 'add', '10.77.9.8/30', 'via', '10.77.9.6'],
    ['ip', '-n', right, 'route', 'add', '10.77.9.0/30', 'via', '10.77.9.5'],
    ['ip', '-n', b, 'route', 'add', 'default', 'via', '10.77.9.9'],
    ...[left, right].map((namespace) => qdisc(namespace, 'add', 'mid', tbfOf(spec))),
    qdisc(right, 'add', 'in', netemOf(spec, 'there')),
    qdisc(left, 'add', 'in', netemOf(spec, 'back')),
  ];
}

/** What happens to the link while it is used, by the seconds after it was made. */
export function timed(
  spec: LinkSpec,
  { left, right }: Namespaces,
): (readonly [seconds: number, commands: readonly Command[]])[] {
  const { outage, halveAt } = spec;
  const cut = (down: boolean): Command[] => [
    qdisc(right, 'change', 'in', netemOf(spec, 'there', down)),
    qdisc(left, 'change', 'in', netemOf(spec, 'back', down)),
  ];
  const halved = [left, right].map((namespace) => qdisc(namespace, 'change', 'mid', tbfOf(spec, 0.5)));
  return [
    ...(outage === undefined
      ? []
      : ([
          [outage[0], cut(true)],
          [outage[0] + outage[1], cut(false)],
        ] as const)),
    ...(halveAt === undefined ? [] : ([[halveAt, halved]] as const)),
  ];
}

export const takeDown = (names: Namespaces): Command[] =>
  Object.values(names).map((name: string) => ['ip', 'netns', 'del', name]);
