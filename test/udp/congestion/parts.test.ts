import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Bbr } from '../../../src/udp/congestion/bbr.ts';
import { BASELINE_MAX, LossBaseline } from '../../../src/udp/congestion/loss-baseline.ts';
import { CycleMaxFilter, RoundMaxFilter } from '../../../src/udp/congestion/max-filter.ts';
import { PACKET, PacketLog } from '../../../src/udp/congestion/packet-log.ts';
import { PolicerDetector } from '../../../src/udp/congestion/policer.ts';
import { StandingQueue } from '../../../src/udp/congestion/standing-queue.ts';
import { ReceiverClock } from '../../../src/udp/congestion/receiver-clock.ts';
import { PathMtu } from '../../../src/udp/engine/path-mtu.ts';
import { Bottleneck, MS, SECOND, Transfer } from '../transfer.ts';
import { seeded } from '../virtual-time.ts';

describe('the loss baseline', () => {
  const learn = (share: number, rounds: number, baseline = new LossBaseline(), seed = 1): LossBaseline => {
    const random = seeded(seed);
    for (let round = 0; round < rounds; round++) {
      let lost = 0;
      for (let packet = 0; packet < 1000; packet++) if (random() < share) lost++;
      baseline.addQuietRound(lost, 1000, lost);
      if (round % 10 === 9) baseline.advance();
    }
    return baseline;
  };

  it('is near what is lost whatever is sent, and never above its cap', () => {
    for (const share of [0.01, 0.05, 0.1]) {
      const { value } = learn(share, 40);
      assert.ok(value > share * 0.75 && value < share * 1.1, `${value.toFixed(4)} for ${share}`);
    }
    assert.equal(learn(0.4, 40).value, BASELINE_MAX);
  });

  it('is near heavy loss too: a point below it would be half of what is allowed above', () => {
    const values = Array.from({ length: 20 }, (_, seed) => learn(0.1, 60, undefined, seed + 1).value);
    assert.ok(Math.min(...values) > 0.085 && Math.max(...values) < 0.105, values.join(' '));
    // Nine tenths of the mean as the only floor gave 0.087.
    assert.ok(values.reduce((sum, value) => sum + value, 0) / values.length > 0.09, values.join(' '));
  });

  it('takes the lesser of two cycles: loss that goes away is not the link', () => {
    const baseline = learn(0.01, 20);
    for (let round = 0; round < 10; round++) baseline.addQuietRound(120, 1000, 120);
    assert.ok(baseline.value < 0.02);
    baseline.advance();
    for (let round = 0; round < 10; round++) baseline.addQuietRound(120, 1000, 120);
    baseline.advance();
    assert.ok(baseline.value > 0.05, 'two cycles of it are the link');
  });

  it('tells chance from congestion', () => {
    const baseline = learn(0.05, 40);
    const random = seeded(9);
    let wrong = 0;
    for (let round = 0; round < 500; round++) {
      let lost = 0;
      for (let packet = 0; packet < 800; packet++) if (random() < 0.05) lost++;
      if (baseline.isExceeded(lost, 800, 0.02)) wrong++;
    }
    assert.ok(wrong <= 2, `${wrong} of 500 rounds of mere chance`);
    assert.ok(baseline.isExceeded(120, 800, 0.02));
    assert.ok(new LossBaseline().isExceeded(150, 800, 0.02), 'heavy loss counts before anything is known');
  });
});

describe('the policer detector', () => {
  it('wants the same rate three times, without a queue, and forgets', () => {
    const policer = new PolicerDetector();
    policer.onLossyRound(10, false);
    policer.onLossyRound(10.4, false);
    assert.equal(policer.limit, Infinity);
    policer.onLossyRound(9.9, false);
    assert.ok(policer.limit > 9.5 && policer.limit < 10.5);
    for (let cycle = 0; cycle < 8; cycle++) policer.advance();
    assert.equal(policer.limit, Infinity);
  });

  it('sees none where rates differ or a queue grows', () => {
    const policer = new PolicerDetector();
    for (const rate of [10, 5, 10, 5, 10]) policer.onLossyRound(rate, false);
    for (let round = 0; round < 9; round++) policer.onLossyRound(10, round % 3 === 0);
    assert.equal(policer.limit, Infinity);
  });
});

describe('a queue that stands', () => {
  const rounds = (queue: StandingQueue, rtt: number, count: number, from: number): void => {
    for (let index = 0; index < count; index++) queue.endRound(rtt, from + index * 100_000);
  };

  it('is there after three rounds, and gone after one that meets none', () => {
    const queue = new StandingQueue();
    rounds(queue, 40_000, 1, 0);
    rounds(queue, 90_000, 2, 100_000);
    assert.equal(queue.isThere, false, 'probing makes a queue of two rounds');
    rounds(queue, 90_000, 1, 300_000);
    assert.equal(queue.isThere, true);
    rounds(queue, 41_000, 1, 400_000);
    assert.equal(queue.isThere, false);
  });

  it('is told from the path for half a minute at least; then a longer path is believed', () => {
    const queue = new StandingQueue();
    rounds(queue, 40_000, 1, 0);
    rounds(queue, 90_000, 299, 100_000);
    assert.equal(queue.isThere, true);
    rounds(queue, 90_000, 400, 31_000_000);
    assert.equal(queue.isThere, false);
  });
});

describe('filters and clocks', () => {
  it('the bandwidth filter remembers two cycles', () => {
    const filter = new CycleMaxFilter();
    filter.add(9);
    filter.advance();
    filter.add(4);
    assert.equal(filter.value, 9);
    filter.advance();
    assert.equal(filter.value, 4);
    filter.advance();
    assert.equal(filter.value, 4, 'a cycle without samples forgets nothing');
  });

  it('the round filter remembers its rounds and no more', () => {
    const filter = new RoundMaxFilter(3);
    filter.add(7, 1);
    filter.add(2, 2);
    assert.equal(filter.value, 7);
    filter.add(1, 4);
    assert.equal(filter.value, 2);
    filter.add(1, 100);
    assert.equal(filter.value, 1);
  });

  it("the receiver's clock is brought to ours: never after now, never backwards, whatever it says", () => {
    const clock = new ReceiverClock();
    const random = seeded(4);
    let latest = 0;
    for (let now = 1000; now < 1_000_000; now += 1000) {
      const at = clock.toOurs(now * 1.00005 + 77_777 - random() * 30_000, now);
      assert.ok(at <= now && at >= latest);
      latest = at;
    }
    assert.ok(clock.toOurs(1e15, 1_000_500) <= 1_000_500);
    assert.ok(clock.toOurs(0, 1_001_000) <= 1_001_000);
  });

  it('the log of packets keeps its records while it grows, also past 32 bits', () => {
    const log = new PacketLog();
    log.base = log.next = 2 ** 33 - 500;
    for (let count = 0; count < 5000; count++) {
      const slot = log.append();
      log.state[slot] = PACKET.flying;
      log.offset[slot] = count;
      log.sentAt[slot] = count;
    }
    for (let count = 0; count < 5000; count++) assert.equal(log.offset[log.slot(log.base + count)], count);
    for (let count = 0; count < 100; count++) log.state[log.slot(log.base + count)] = PACKET.acked;
    log.settle(Infinity);
    assert.equal(log.base, 2 ** 33 - 400);
    assert.equal(log.firstFlying(), log.base);
  });
});

describe('the path MTU', () => {
  const search = (carries: number, most = 1472): PathMtu => {
    const mtu = new PathMtu(most);
    for (let number = 0; number < 200; number++) {
      const size = mtu.wanted(0);
      if (size === 0) break;
      mtu.onProbeSent(number);
      if (size <= carries) mtu.onProbeAcked(0);
      else mtu.onProbeLost(0);
    }
    return mtu;
  };

  it('is found within 16 bytes, whatever it is', () => {
    for (const carries of [1200, 1201, 1300, 1372, 1400, 1452, 1471, 1472]) {
      const { size } = search(carries);
      assert.ok(size <= carries && size > Math.min(carries, 1472) - 17, `${size} for ${carries}`);
    }
    assert.equal(search(9000, 8972).size, 8972);
    assert.ok(search(4000, 8972).size > 3983);
  });

  it('falls to the base in a black hole, and is searched again', () => {
    const mtu = search(1472);
    mtu.onBlackHole();
    assert.equal(mtu.size, 1200);
    assert.equal(mtu.wanted(0), 1472);
  });
});

describe('the states of BBR', () => {
  it('follow each other as the draft has them', () => {
    const bottleneck = new Bottleneck({ mbit: 20, rtt: 50 * MS, seed: 1 });
    const transfer = new Transfer(bottleneck);
    const seen: string[] = [];
    for (let at = 0; at < 25 * SECOND; at += 5 * MS) {
      bottleneck.time.run(at);
      const { phase } = transfer.sender.controller;
      if (seen.at(-1) !== phase) seen.push(phase);
    }
    // The drained path needs no slowing down: `down` is over within one feedback.
    assert.deepEqual(seen.slice(0, 6), ['startup', 'drain', 'cruise', 'refill', 'up', 'down']);
    const allowed: Record<string, readonly string[]> = {
      startup: ['drain'],
      drain: ['down', 'probe-rtt', 'cruise'],
      down: ['cruise', 'refill', 'probe-rtt'],
      cruise: ['refill', 'probe-rtt'],
      refill: ['up', 'probe-rtt', 'down'],
      up: ['down', 'probe-rtt'],
      'probe-rtt': ['cruise'],
    };
    for (let index = 1; index < seen.length; index++) {
      const [from, to] = [seen[index - 1] as string, seen[index] as string];
      assert.ok(allowed[from]?.includes(to), `${from} to ${to}`);
    }
    assert.ok(seen.includes('probe-rtt'), 'put off, but not for ever');
    const bbr = transfer.sender.controller;
    assert.ok(bbr instanceof Bbr);
    assert.ok(Math.abs(bbr.minRtt - 50 * MS) < 2 * MS);
    assert.ok(Math.abs(bbr.model.bandwidth * 8 - 20) < 1.5);
  });
});
