/** Links that tests and bench/udp-simulation.ts share, and what is measured on them. */
import type { LinkOptions } from './link.ts';
import { best, Bottleneck, MS, SECOND, Transfer } from './transfer.ts';
import type { TransferOptions } from './transfer.ts';

export interface Row {
  readonly mbit: number;
  readonly rtt: number;
  /** Percent. */
  readonly loss: number;
  readonly bar: number;
}

/** The table of docs/design/fast-transfer.md. */
export const ROWS: readonly Row[] = [
  { mbit: 100, rtt: 20, loss: 1, bar: 0.93 },
  { mbit: 100, rtt: 100, loss: 1, bar: 0.93 },
  { mbit: 100, rtt: 200, loss: 0.1, bar: 0.93 },
  { mbit: 100, rtt: 200, loss: 1, bar: 0.93 },
  { mbit: 100, rtt: 200, loss: 5, bar: 0.93 },
  { mbit: 100, rtt: 200, loss: 10, bar: 0.9 },
  { mbit: 100, rtt: 300, loss: 5, bar: 0.9 },
  { mbit: 1000, rtt: 200, loss: 2, bar: 0.85 },
];

export interface Measured {
  /** Of the best that the link allows. */
  readonly share: number;
  /** Bytes of the stream sent, resent ones too, by those that arrived. */
  readonly sent: number;
  /** Mean queueing delay, milliseconds. */
  readonly delay: number;
  readonly datagrams: number;
}

export interface Scenario {
  readonly link: Partial<LinkOptions> & { mbit: number; rtt: number; bdps?: number; seed?: number };
  readonly transfer?: TransferOptions;
  readonly seconds: number;
  /** Bytes per microsecond at best; by the link's rate and loss otherwise. */
  readonly best?: number;
  readonly during?: (bottleneck: Bottleneck, transfer: Transfer) => void;
}

export function measure(
  scenario: Scenario,
): Measured & { readonly transfer: Transfer; readonly bottleneck: Bottleneck } {
  const bottleneck = new Bottleneck(scenario.link);
  const transfer = new Transfer(bottleneck, scenario.transfer);
  scenario.during?.(bottleneck, transfer);
  bottleneck.time.run(scenario.seconds * SECOND);
  const most = scenario.best ?? best(scenario.link.mbit, scenario.link.loss);
  return {
    share: transfer.received / (scenario.seconds * SECOND) / most,
    sent: (transfer.received + transfer.sender.pieces.resentBytes) / Math.max(transfer.received, 1),
    delay: bottleneck.forward.meanQueue / MS,
    datagrams: transfer.datagrams,
    transfer,
    bottleneck,
  };
}

export function measureRow(row: Row, seconds: number, scale = 1, seed = 7): Measured {
  const { mbit, rtt, loss } = row;
  return measure({ link: { mbit: mbit * scale, rtt: rtt * MS, loss: loss / 100, seed }, seconds });
}

export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum ** 2 / (shares.length * shares.reduce((total, share) => total + share * share, 0));
}

/** A 100 Mb/s link of 100 ms with one thing wrong with it. `scale` slows it down, and what is measured against, too. */
export function hardships(scale: number): Readonly<Record<string, Scenario & { readonly bar: number }>> {
  const mbit = 100 * scale;
  const link = { mbit, rtt: 100 * MS, seed: 5 };
  const seconds = 20;
  const later = (
    at: number,
    run: (bottleneck: Bottleneck, transfer: Transfer) => void,
  ): NonNullable<Scenario['during']> => {
    return (bottleneck, transfer) => {
      bottleneck.time.at(at * SECOND, () => {
        run(bottleneck, transfer);
      });
    };
  };
  return {
    'nothing wrong': { link, seconds, bar: 0.93 },
    'buffer of 0.25 BDP': { link: { ...link, bdps: 0.25 }, seconds, bar: 0.9 },
    'buffer of 4 BDP': { link: { ...link, bdps: 4 }, seconds, bar: 0.93 },
    'burst loss, 1 % in all': {
      link: { ...link, burst: [0.002, 0.1, 0.5] },
      best: best(mbit, 0.0098),
      seconds,
      bar: 0.9,
    },
    'long bursts, of 50 packets, 4 % in all': {
      link: { ...link, burst: [0.0008, 0.02, 1] },
      best: best(mbit, 0.0385),
      seconds,
      bar: 0.8,
    },
    'reordering of 2 %': { link: { ...link, reorder: 0.02 }, seconds, bar: 0.9 },
    'jitter of 20 ms': { link: { ...link, jitter: 20 * MS }, seconds, bar: 0.9 },
    'a policer at the rate, on a link of three times that': {
      link: { ...link, mbit: mbit * 3, policer: { mbit, burst: 500_000 * scale } },
      best: best(mbit),
      seconds,
      bar: 0.9,
    },
    'capacity halved after 10 s': {
      link,
      seconds,
      best: best(mbit * 0.75),
      during: later(10, ({ forward }) => {
        forward.options = { ...forward.options, mbit: mbit / 2 };
      }),
      bar: 0.9,
    },
    'an outage of 5 s': {
      link,
      seconds,
      best: (best(mbit) * 15) / 20,
      during: (bottleneck, transfer) => {
        const down = (isDown: boolean): void => {
          bottleneck.forward.isDown = transfer.back.isDown = isDown;
        };
        bottleneck.time.at(8 * SECOND, () => {
          down(true);
        });
        bottleneck.time.at(13 * SECOND, () => {
          down(false);
        });
      },
      bar: 0.9,
    },
    'feedback loss of 10 %': { link, transfer: { back: { loss: 0.1 } }, seconds, bar: 0.93 },
    'feedback loss of 50 %': { link, transfer: { back: { loss: 0.5 } }, seconds, bar: 0.92 },
    'loss of 5 % and feedback loss of 50 %': {
      link: { ...link, loss: 0.05 },
      transfer: { back: { loss: 0.5 } },
      seconds,
      bar: 0.9,
    },
    'a path of 1,400 bytes': { link: { ...link, mtu: 1400 }, seconds, bar: 0.92 },
  };
}
