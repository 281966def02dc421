/**
 * Whole transfers in virtual time: the real wire, sender, receiver and congestion control over seeded links. To take
 * seconds, links have a quarter of the rate of the table (the last row a twentieth), with the same round trip and loss;
 * bench/udp-simulation.ts runs them at full rate.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hardships, jain, measure, measureRow, ROWS } from '../scenarios.ts';
import { RivalFlow } from '../rival.ts';
import { Bottleneck, MS, SECOND, Transfer } from '../transfer.ts';

describe('the share of the best that a lossy link allows', () => {
  for (const row of ROWS) {
    it(`${row.mbit} Mb/s, ${row.rtt} ms, ${row.loss} %: at least ${row.bar}`, () => {
      const { share, sent } = measureRow(row, 30, row.mbit === 100 ? 0.25 : 0.05);
      assert.ok(share >= row.bar, `share ${share.toFixed(3)}`);
      const link = row.loss / 100;
      assert.ok(sent < 1 / (1 - link) + 0.03, `sent ${sent.toFixed(3)} bytes a byte`);
    });
  }
});

describe('a link with something wrong', () => {
  for (const [name, scenario] of Object.entries(hardships(0.25))) {
    it(`${name}: at least ${scenario.bar} of the best`, () => {
      const { share, transfer } = measure(scenario);
      assert.ok(share >= scenario.bar, `share ${share.toFixed(3)}`);
      assert.equal(transfer.sender.connection.ended, null);
      assert.equal(transfer.receiver.connection.ended, null);
      assert.ok(transfer.receiver.duplicateBytes < transfer.received * 0.02, 'little comes twice');
    });
  }
});

it('packets that overtake do not say how long the path is', () => {
  for (const seed of [1, 2, 3, 5]) {
    const link = { mbit: 25, rtt: 100 * MS, reorder: 0.02, seed };
    const { least } = measure({ link, seconds: 10 }).transfer.sender.roundTrip;
    assert.ok(least > 95 * MS, `${(least / MS).toFixed(0)} ms with seed ${seed}`);
  }
});

describe('beside others', () => {
  const cubicBeside = (bdps: number, other: (bottleneck: Bottleneck) => unknown): number => {
    const bottleneck = new Bottleneck({ mbit: 25, rtt: 40 * MS, bdps, seed: 3 });
    const cubic = new RivalFlow(bottleneck, 'cubic');
    other(bottleneck);
    bottleneck.time.run(30 * SECOND);
    return (cubic.received * 8) / (30 * SECOND);
  };

  for (const bdps of [0.25, 1, 2, 4]) {
    it(`cubic keeps at least 0.9 of what it keeps beside BBR, buffer of ${bdps} BDP`, () => {
      const besideBbr = cubicBeside(bdps, (bottleneck) => new RivalFlow(bottleneck, 'bbr', 100 * MS));
      const besideUs = cubicBeside(bdps, (bottleneck) => new Transfer(bottleneck, { startAt: 100 * MS }));
      assert.ok(besideUs >= 0.9 * besideBbr, `${besideUs.toFixed(1)} beside us, ${besideBbr.toFixed(1)} beside BBR`);
    });
  }

  it('the policy low leaves nearly everything to cubic, and takes the whole link when it is alone', () => {
    for (const bdps of [1, 4]) {
      const kept = cubicBeside(bdps, (bottleneck) => new Transfer(bottleneck, { policy: 'low', startAt: 100 * MS }));
      assert.ok(kept >= 0.9 * 25 * (1448 / 1514), `cubic keeps ${kept.toFixed(1)} of 25 Mb/s`);
    }
    const alone = measure({
      link: { mbit: 25, rtt: 40 * MS, loss: 0.01, seed: 3 },
      transfer: { policy: 'low' },
      seconds: 20,
    });
    assert.ok(alone.share > 0.9, `alone ${alone.share.toFixed(3)}`);
    assert.ok(alone.delay < 25, `delay ${alone.delay.toFixed(1)} ms`);
  });

  for (const [flows, bdps] of [
    [2, 1],
    [4, 1],
    [8, 1],
    [8, 4],
  ] as const) {
    it(`${flows} of ours share evenly, buffer of ${bdps} BDP (Jain index of at least 0.9)`, () => {
      const bottleneck = new Bottleneck({ mbit: 50, rtt: 40 * MS, bdps, seed: 3 });
      const transfers = Array.from(
        { length: flows },
        (_, index) => new Transfer(bottleneck, { startAt: index * 50 * MS }),
      );
      bottleneck.time.run(10 * SECOND);
      const before = transfers.map((transfer) => transfer.received);
      bottleneck.time.run(30 * SECOND);
      const index = jain(transfers.map((transfer, at) => transfer.received - (before[at] as number)));
      assert.ok(index >= 0.9, `Jain index ${index.toFixed(3)}`);
    });
  }

  it('a late joiner gets its share', () => {
    const bottleneck = new Bottleneck({ mbit: 25, rtt: 40 * MS, seed: 5 });
    const first = new Transfer(bottleneck);
    const late = new Transfer(bottleneck, { startAt: 10 * SECOND });
    bottleneck.time.run(35 * SECOND);
    const before = [first.received, late.received] as const;
    bottleneck.time.run(50 * SECOND);
    const shares = [first.received - before[0], late.received - before[1]];
    assert.ok(jain(shares) >= 0.9, `Jain index ${jain(shares).toFixed(3)}`);
  });
});

describe('the policy fixed', () => {
  it('sends at its rate whatever is lost', () => {
    const link = { mbit: 50, rtt: 100 * MS, loss: 0.2, seed: 2 };
    const { share } = measure({
      link,
      transfer: { policy: 'fixed', target: 20 / 8 },
      seconds: 15,
      best: (20 / 8) * 0.8,
    });
    assert.ok(share > 0.9 && share < 1, `share ${share.toFixed(3)}`);
  });

  it('ends when half of it is lost for ten seconds', () => {
    const link = { mbit: 5, rtt: 100 * MS, seed: 2 };
    const { transfer } = measure({ link, transfer: { policy: 'fixed', target: 20 / 8 }, seconds: 20 });
    assert.equal(transfer.sender.connection.ended?.reason, 'circuit-breaker');
    assert.equal(transfer.receiver.connection.ended?.reason, 'circuit-breaker');
  });
});
