/**
 * The table of docs/design/fast-transfer.md in simulation: real sender, receiver, wire and congestion control over seeded
 * links in virtual time, at full rate. Not a measurement of this machine, but for the last column: what the pure core of
 * both ends and the simulation cost together, without cryptography and sockets.
 *
 *   node bench/udp-simulation.ts [--seconds 30] [--short]
 */
import { parseArgs } from 'node:util';
import { RivalFlow } from '../test/udp/rival.ts';
import { hardships, jain, measure, measureRow, ROWS } from '../test/udp/scenarios.ts';
import type { Measured } from '../test/udp/scenarios.ts';
import { Bottleneck, MS, SECOND, Transfer } from '../test/udp/transfer.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' }, short: { type: 'boolean' } } });
const seconds = Number(values.seconds);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function row(name: string, bar: string, run: () => Measured): void {
  const begun = performance.now();
  const { share, sent, delay, datagrams } = run();
  const cost = ((performance.now() - begun) * 1000) / datagrams;
  print(`| ${name} | ${bar} | ${share.toFixed(3)} | ${sent.toFixed(3)} | ${delay.toFixed(0)} | ${cost.toFixed(1)} |`);
}

function shares(): void {
  print(
    `| link (${seconds} s of virtual time) | bar | share of best | bytes sent / arrived | mean queue, ms | us a datagram |`,
  );
  print('|---|---|---|---|---|---|');
  for (const each of ROWS) {
    if (values.short && each.mbit > 100) continue;
    row(`${each.mbit} Mb/s, ${each.rtt} ms, ${each.loss} %`, each.bar.toFixed(2), () => measureRow(each, seconds));
  }
  for (const [name, scenario] of Object.entries(hardships(1))) {
    row(`100 Mb/s, 100 ms: ${name}`, '', () => measure({ ...scenario, seconds: scenario.seconds }));
  }
}

function kept(bdps: number, other: (bottleneck: Bottleneck) => unknown): number {
  const bottleneck = new Bottleneck({ mbit: 50, rtt: 40 * MS, bdps, seed: 3 });
  const cubic = new RivalFlow(bottleneck, 'cubic');
  other(bottleneck);
  bottleneck.time.run(40 * SECOND);
  return (cubic.received * 8) / (40 * SECOND);
}

function beside(): void {
  print(
    '\n| 50 Mb/s, 40 ms; buffer, BDP | cubic beside BBR (model) | beside `fair` | `high` | `low` | beside a second cubic |',
  );
  print('|---|---|---|---|---|---|');
  const startAt = 100 * MS;
  for (const bdps of [0.25, 1, 2, 4]) {
    const cells = [
      kept(bdps, (bottleneck) => new RivalFlow(bottleneck, 'bbr', startAt)),
      kept(bdps, (bottleneck) => new Transfer(bottleneck, { startAt })),
      kept(bdps, (bottleneck) => new Transfer(bottleneck, { startAt, policy: 'high' })),
      kept(bdps, (bottleneck) => new Transfer(bottleneck, { startAt, policy: 'low' })),
      kept(bdps, (bottleneck) => new RivalFlow(bottleneck, 'cubic', startAt)),
    ];
    print(`| ${bdps} | ${cells.map((cell) => cell.toFixed(1)).join(' | ')} |`);
  }
}

function together(): void {
  print('\n| 50 Mb/s, 40 ms; buffer, BDP | Jain index of 2 | 4 | 8 of ours |');
  print('|---|---|---|---|');
  for (const bdps of [0.25, 1, 4]) {
    const cells = [2, 4, 8].map((flows) => {
      const bottleneck = new Bottleneck({ mbit: 50, rtt: 40 * MS, bdps, seed: 3 });
      const all = Array.from({ length: flows }, (_, index) => new Transfer(bottleneck, { startAt: index * 50 * MS }));
      bottleneck.time.run(15 * SECOND);
      const before = all.map((transfer) => transfer.received);
      bottleneck.time.run(40 * SECOND);
      return jain(all.map((transfer, at) => transfer.received - (before[at] as number)));
    });
    print(`| ${bdps} | ${cells.map((cell) => cell.toFixed(2)).join(' | ')} |`);
  }
}

shares();
beside();
together();
