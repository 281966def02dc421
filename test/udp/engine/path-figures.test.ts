/** What a receiver shows of its path: near what the link really is, in simulation. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { PathFigures } from '../../../src/udp/engine/path-figures.ts';
import { Bottleneck, MS, SECOND, Transfer } from '../transfer.ts';

suite('path figures of a receiver', () => {
  for (const [mbit, rtt, loss] of [
    [20, 100, 0],
    [20, 200, 0.01],
    [20, 50, 0.05],
    [5, 300, 0.02],
  ] as const)
    test(`${mbit} Mb/s, ${rtt} ms, ${loss * 100} % loss`, () => {
      const bottleneck = new Bottleneck({ mbit, rtt: rtt * MS, loss, bdps: 1, seed: 3 });
      const { receiver } = new Transfer(bottleneck);
      // As many packets whatever the rate: those that start-up lost are forgotten.
      bottleneck.time.run(((8 * 20) / mbit) * SECOND);
      const { roundTrip, loss: seen } = receiver.path;
      assert.ok(roundTrip !== null && seen !== null);
      // Never less than it is; more by the queue and by the time between two feedbacks.
      assert.ok(roundTrip >= rtt * MS && roundTrip <= rtt * 1.6 * MS, `${roundTrip / MS} ms`);
      assert.ok(Math.abs(seen - loss) <= 0.006 + loss * 0.5, `${seen}`);
    });

  test('nothing is said before something is known', () => {
    const figures = new PathFigures();
    assert.deepEqual([figures.roundTrip, figures.loss], [null, null]);
    figures.onArrived(0);
    figures.onDecided(1, 5);
    assert.deepEqual([figures.roundTrip, figures.loss], [null, null]);
    figures.onFeedback(0, 10);
    figures.onDecided(1, 60);
    assert.equal(figures.roundTrip, 50);
    // What no feedback can have told is no measure.
    figures.onDecided(900, 61);
    assert.equal(figures.roundTrip, 50);
  });
});
