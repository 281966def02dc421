import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isWithin, Networks, parseNetwork } from '../../src/base/addresses.ts';
import { checkPolicy, flow, isWider, NO_POLICY } from '../../src/policy/flow.ts';
import type { FlowPolicy } from '../../src/policy/flow.ts';
import { isOpen, opensMore, parseHours } from '../../src/policy/hours.ts';
import { SegmentSet } from '../../src/policy/segment-set.ts';

const at = (text: string): number => Date.parse(text);
const policy = (given: Partial<FlowPolicy>): FlowPolicy => ({ ...NO_POLICY, ...given });

describe('hours', () => {
  const office = parseHours(['Mon-Fri 08:00-18:00 Europe/Vienna']);

  it('are those of the wall clock there, in winter and in summer', () => {
    // Monday 2026-01-12, UTC+1; Monday 2026-07-13, UTC+2.
    for (const [moment, open] of [
      ['2026-01-12T06:59:59Z', false],
      ['2026-01-12T07:00:00Z', true],
      ['2026-01-12T16:59:59Z', true],
      ['2026-01-12T17:00:00Z', false],
      ['2026-07-13T05:59:59Z', false],
      ['2026-07-13T06:00:00Z', true],
      ['2026-07-13T15:59:59Z', true],
      ['2026-07-13T16:00:00Z', false],
      ['2026-01-16T12:00:00Z', true],
      ['2026-01-17T12:00:00Z', false],
      ['2026-01-18T12:00:00Z', false],
    ] as const)
      assert.equal(isOpen(office, at(moment)), open, moment);
  });

  it('go over midnight and over the end of the week; several add up; none are always', () => {
    const night = parseHours(['Sun 22:00-06:00 UTC']);
    assert.equal(isOpen(night, at('2026-01-18T23:00:00Z')), true);
    assert.equal(isOpen(night, at('2026-01-19T05:59:00Z')), true);
    assert.equal(isOpen(night, at('2026-01-19T06:00:00Z')), false);
    assert.equal(isOpen(night, at('2026-01-18T05:00:00Z')), false);
    const weekend = parseHours(['Sat-Mon 00:00-24:00 UTC', 'Wed 12:00-13:00 UTC']);
    for (const day of [17, 18, 19]) assert.equal(isOpen(weekend, at(`2026-01-${day}T00:00:00Z`)), true);
    assert.equal(isOpen(weekend, at('2026-01-20T00:00:00Z')), false);
    assert.equal(isOpen(weekend, at('2026-01-21T12:30:00Z')), true);
    assert.equal(isOpen(parseHours([]), 0), true);
  });

  it('that nobody could mean are refused', () => {
    for (const text of [
      '',
      'Mon',
      'Mon 8:00-18:00 UTC',
      'Mon 08:00-18:00',
      'Mon 08:00-18:00 Middle/Earth',
      'Mon 08:60-18:00 UTC',
      'Mon 25:00-26:00 UTC',
      'Mon 24:30-06:00 UTC',
      'Mon-Tue-Wed 08:00-18:00 UTC',
      'Mon, 08:00-18:00 UTC',
      'Moon 08:00-18:00 UTC',
      'Mon 08:00-18:00 UTC UTC',
      'Mon 08:00-18:00 ../../etc',
    ])
      assert.throws(() => parseHours([text]), { code: 'option-invalid' }, text);
    assert.throws(() => parseHours(Array<string>(21).fill('Mon 08:00-18:00 UTC')), { code: 'option-invalid' });
  });

  it('open more exactly when there is a minute more', () => {
    const range = fc.tuple(
      fc.constantFrom('Mon', 'Tue-Thu', 'Sun', 'Fri-Mon', 'Mon,Wed'),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 24 }),
    );
    const two = (hour: number): string => String(hour).padStart(2, '0');
    const hours = fc
      .array(range, { maxLength: 3 })
      .map((all) => all.map(([days, from, to]) => `${days} ${two(from)}:00-${two(to)}:00 UTC`));
    fc.assert(
      fc.property(hours, hours, (one, other) => {
        const [before, after] = [parseHours(one), parseHours(other)];
        let more = false;
        for (let hour = 0; hour < 168; hour++) {
          const now = at('2026-01-12T00:00:00Z') + hour * 3_600_000;
          if (isOpen(after, now) && !isOpen(before, now)) more = true;
        }
        assert.equal(opensMore(before, after), more || (before.size > 0 && after.size === 0));
      }),
      { numRuns: 60 },
    );
  });
});

describe('addresses', () => {
  it('within a network are of its family and in its bits', () => {
    const network = (text: string) => parseNetwork(text) ?? assert.fail(text);
    for (const [inner, outer, within] of [
      ['192.0.2.0/25', '192.0.2.0/24', true],
      ['192.0.2.7', '192.0.2.0/24', true],
      ['192.0.2.0/23', '192.0.2.0/24', false],
      ['192.0.3.0/25', '192.0.2.0/24', false],
      ['0.0.0.0/0', '192.0.2.0/24', false],
      ['2001:db8:1::/48', '2001:db8::/32', true],
      ['2001:db8::/31', '2001:db8::/32', false],
      ['::/0', '0.0.0.0/0', false],
      ['10.0.0.0/8', '::/0', false],
    ] as const)
      assert.equal(isWithin(network(inner), network(outer)), within, `${inner} in ${outer}`);
    for (const text of [
      '',
      'x',
      '192.0.2.0/33',
      '192.0.2.0/',
      '192.0.2.0/-1',
      '::/129',
      'fe80::1%eth0',
      'a.example',
      '1/2/3',
    ])
      assert.equal(parseNetwork(text), null, text);
  });

  it('are compared as the socket shows them', () => {
    const networks = new Networks([parseNetwork('192.0.2.0/24') ?? assert.fail()]);
    assert.equal(networks.contains('::ffff:192.0.2.9'), true);
    assert.equal(networks.contains('::ffff:192.0.3.9'), false);
    assert.equal(networks.contains('nonsense'), false);
  });
});

describe('a policy', () => {
  const now = at('2026-01-12T12:00:00Z');

  it('says no with a reason, and nothing when it asks nothing', () => {
    const here = { now, address: '192.0.2.1' };
    assert.equal(flow.check(null, here), null);
    assert.equal(flow.check(policy({ expires: now + 1 }), here), null);
    assert.match(flow.check(policy({ expires: now }), here) ?? '', /ended at 2026-01-12T12:00/);
    assert.equal(flow.check(policy({ addresses: ['192.0.2.0/24'] }), here), null);
    assert.match(flow.check(policy({ addresses: ['198.51.100.0/24'] }), here) ?? '', /192\.0\.2\.1/);
    assert.match(flow.check(policy({ hours: ['Tue 00:00-24:00 UTC'] }), here) ?? '', /only Tue/);
    assert.equal(checkPolicy(NO_POLICY), null);
    assert.notEqual(checkPolicy(policy({ readOnce: true })), null);
    for (const wrong of [
      { addresses: ['all'] },
      { addresses: ['::ffff:192.0.2.0/120'] },
      { addresses: Array<string>(257).fill('192.0.2.1') },
      { expires: NaN },
      { removeAfterDays: -1 },
      { removeAfterDays: 0.5 },
      { removeAfterDays: 4000 },
    ])
      assert.throws(() => checkPolicy(policy(wrong)), { code: 'option-invalid' }, JSON.stringify(wrong));
  });

  it('that is not wider never lets through what the one before kept back', () => {
    const address = fc.constantFrom('192.0.2.0/24', '192.0.2.128/25', '192.0.0.0/16', '2001:db8::/32', '198.51.100.7');
    const from = fc.constantFrom('192.0.2.1', '192.0.2.200', '192.0.9.9', '2001:db8::1', '198.51.100.7', '203.0.113.1');
    const hours = fc.constantFrom(
      'Mon-Fri 08:00-18:00 UTC',
      'Mon-Fri 09:00-17:00 UTC',
      'Sat 00:00-24:00 UTC',
      'Mon-Fri 08:00-18:00 Europe/Vienna',
    );
    const some = fc.record({
      readOnce: fc.boolean(),
      addresses: fc.uniqueArray(address, { maxLength: 3 }),
      hours: fc.uniqueArray(hours, { maxLength: 2 }),
      expires: fc.option(fc.integer({ min: -3, max: 3 }).map((day) => now + day * 86_400_000)),
      removeAfterDays: fc.option(fc.integer({ min: 0, max: 9 })),
    });
    const moment = fc.record({
      now: fc.integer({ min: now - 5 * 86_400_000, max: now + 5 * 86_400_000 }),
      address: from,
    });
    let narrower = 0;
    fc.assert(
      fc.property(
        fc.option(some),
        fc.option(some),
        fc.array(moment, { minLength: 5, maxLength: 20 }),
        (one, other, all) => {
          assert.equal(isWider(one, one), false);
          if (isWider(one, other)) return;
          narrower++;
          for (const here of all)
            if (flow.check(other, here) === null) assert.equal(flow.check(one, here), null, JSON.stringify(here));
          if (one?.readOnce === true) assert.equal(other?.readOnce, true);
        },
      ),
      { numRuns: 3000 },
    );
    assert.ok(narrower > 100, `only ${narrower} pairs were compared`);
  });
});

it('a set of segments holds what was added, and no more', () => {
  const range = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 40 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), range, (added, [first, count]) => {
      const set = new SegmentSet();
      const plain = new Set<number>();
      for (const [from, length] of added) {
        set.add(from, length);
        for (let segment = from; segment < from + length; segment++) plain.add(segment);
      }
      const asked = Array.from({ length: count }, (_, index) => first + index);
      assert.equal(
        set.hasAll(first, count),
        asked.every((segment) => plain.has(segment)),
      );
      assert.equal(
        set.hasAny(first, count),
        asked.some((segment) => plain.has(segment)),
      );
    }),
  );
});
