import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countersOf, emulatorOptions } from '../../../bench/wan/emulated-link.ts';
import { orphans } from '../../../bench/wan/leftovers.ts';
import { availability, bestMbit, bufferBytes, devicesOf, isTimed, madeBefore } from '../../../bench/wan/link.ts';
import type { LinkSpec } from '../../../bench/wan/link.ts';
import { namespacesOf, netemOf, setUp, takeDown, tbfOf, timed } from '../../../bench/wan/netem-commands.ts';

const plain: LinkSpec = { mbit: 100, rtt: 200, loss: 1 };
const text = (command: readonly string[]): string => command.join(' ');

describe('links of the bench', () => {
  it('carry their rate less what frames cost and what is lost', () => {
    assert.equal(bestMbit(plain).toFixed(1), '94.7');
    assert.equal(bestMbit({ mbit: 1000, rtt: 200, loss: 2 }).toFixed(0), '937');
    assert.equal(bestMbit({ mbit: 300, rtt: 100, police: [100, 125_000] }).toFixed(1), '95.6');
    assert.equal(bufferBytes(plain), 2_500_000);
    assert.equal(bufferBytes({ ...plain, bufferBdps: 0.25 }), 625_000);
  });

  it('carry less while they are halved or away', () => {
    assert.equal(availability(plain, 20), 1);
    assert.equal(availability({ ...plain, halveAt: 10 }, 20), 0.75);
    assert.equal(availability({ ...plain, halveAt: 40 }, 20), 1);
    assert.equal(availability({ ...plain, outage: [5, 5] }, 20), 0.75);
    assert.equal(availability({ ...plain, outage: [15, 10] }, 20), 0.75, 'what comes after the run is not lost');
    assert.deepEqual(madeBefore({ ...plain, outage: [5, 5], halveAt: 1 }, 8), {
      ...plain,
      outage: [13, 5],
      halveAt: 9,
    });
    assert.deepEqual(madeBefore(plain, 8), plain);
    assert.deepEqual([isTimed(plain), isTimed({ ...plain, halveAt: 1 })], [false, true]);
  });

  it('tell an emulator everything, and understand what it counted', () => {
    assert.equal(emulatorOptions(plain, 3), '--mbit 100 --rtt 200 --loss 1 --buffer 2500000 --seed 3');
    const strange: LinkSpec = {
      ...{ mbit: 10, rtt: 20, ackLoss: 5, burstLoss: [0.1, 0.2, 1], jitter: 20, reorder: 2 },
      ...{ police: [5, 1000], outage: [9, 5], halveAt: 7, bufferBdps: 4 },
    };
    assert.equal(
      emulatorOptions(strange, 1),
      '--mbit 10 --rtt 20 --ack-loss 5 --buffer 100000 --burst-loss 0.1,0.2,1 --jitter 20 --reorder 2 --police 5,1000 --outage 9,5 --halve-at 7 --seed 1',
    );
    const said =
      'ready\nA->B in 100 out 90 tail-dropped 6 lost 3 policed 1\nB->A in 7 out 7 tail-dropped 0 lost 0 policed 0\n';
    assert.deepEqual(countersOf(said), { in: 100, out: 90, dropped: 6, lost: 3, policed: 1 });
    assert.equal(countersOf('ready\n'), null);
  });

  it('are counted by their devices, without their own loopback', () => {
    const lines = [
      'Inter-|   Receive                            |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0',
      '  ta12:1500 1 0 0 0 0 0 0 3000 2 0 0 0 0 0 0',
      '',
    ];
    assert.deepEqual(devicesOf(lines.join('\n')), { received: 1500, sent: 3000 });
  });

  it('that a killed bench left behind are known by its number', () => {
    const names = [
      'waybill-wan-7-abc',
      'waybill-wan-8-abc',
      'wan-a-7',
      'wan-b-8',
      'waybill-wan-x',
      'wan-a-7x',
      'other-7',
    ];
    assert.deepEqual(
      orphans(names, (pid) => pid === 8),
      ['waybill-wan-7-abc', 'wan-a-7'],
    );
  });
});

describe('links of netem', () => {
  const names = namespacesOf(42);

  it('are four namespaces in a row: a bottleneck in the middle, loss and delay behind it', () => {
    const lines = setUp(plain, names, true).map(text);
    assert.deepEqual(
      lines.slice(0, 4),
      ['a', 'l', 'r', 'b'].map((letter) => `ip netns add wan-${letter}-42`),
    );
    assert.equal(lines[4], 'ip link add out netns wan-a-42 type veth peer name in netns wan-l-42');
    for (const line of [
      'ip netns exec wan-a-42 ethtool -K out tso off gso off gro off',
      'ip -n wan-b-42 addr add 10.77.9.10/30 dev out',
      'ip -n wan-l-42 route add 10.77.9.8/30 via 10.77.9.6',
      'ip netns exec wan-l-42 tc qdisc add dev mid root tbf rate 100mbit burst 3200 limit 2500000',
      'ip netns exec wan-r-42 tc qdisc add dev mid root tbf rate 100mbit burst 3200 limit 2500000',
      'ip netns exec wan-r-42 tc qdisc add dev in root netem limit 1000000 delay 100ms loss 1%',
      'ip netns exec wan-l-42 tc qdisc add dev in root netem limit 1000000 delay 100ms loss 0%',
    ])
      assert.ok(lines.includes(line), line);
    assert.ok(!setUp(plain, names, false).some((command) => command.includes('ethtool')));
    assert.deepEqual(
      takeDown(names).map(text),
      ['a', 'l', 'r', 'b'].map((letter) => `ip netns del wan-${letter}-42`),
    );
  });

  it('have troubles on the way there, and losses of feedback on the way back', () => {
    const troubled: LinkSpec = {
      mbit: 100,
      rtt: 100,
      burstLoss: [0.00126, 0.125, 1],
      jitter: 20,
      reorder: 2,
      ackLoss: 10,
    };
    const start = 'netem limit 1000000 delay 60ms 10ms';
    assert.equal(text(netemOf(troubled, 'there')), `${start} loss gemodel 0.126% 12.5% 100% 0% reorder 2%`);
    assert.equal(text(netemOf(troubled, 'back')), `${start} loss 10%`);
    assert.equal(
      text(tbfOf({ mbit: 300, rtt: 100, police: [100, 125_000] })),
      'tbf rate 100mbit burst 125000 limit 3200',
    );
  });

  it('change when it is time', () => {
    const steps = timed({ ...plain, outage: [12, 5], halveAt: 20 }, names);
    assert.deepEqual(
      steps.map(([at]) => at),
      [12, 17, 20],
    );
    const [away, back, halved] = steps.map(([, commands]) => commands.map(text));
    assert.deepEqual(away, [
      'ip netns exec wan-r-42 tc qdisc change dev in root netem limit 1000000 delay 100ms loss 100%',
      'ip netns exec wan-l-42 tc qdisc change dev in root netem limit 1000000 delay 100ms loss 100%',
    ]);
    assert.match(back?.[0] ?? '', /loss 1%$/);
    assert.match(halved?.[0] ?? '', /tbf rate 50mbit burst 3200/);
    assert.deepEqual(timed(plain, names), []);
  });
});
