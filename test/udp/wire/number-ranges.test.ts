import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NumberRanges } from '../../../src/udp/wire/number-ranges.ts';

const SPACE = 300;
type Step = readonly ['add' | 'remove' | 'cut', number, number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('add' as const, 'add' as const, 'add' as const, 'remove' as const, 'cut' as const),
    fc.integer({ min: 0, max: SPACE - 1 }),
    fc.integer({ min: 0, max: 12 }),
  ),
  { maxLength: 200 },
);

function apply(ranges: NumberRanges, model: Set<number>, [what, low, length]: Step): void {
  const high = low + length;
  if (what === 'add') {
    let fresh = 0;
    for (let value = low; value <= high; value++) if (!model.has(value)) fresh++;
    const added = ranges.add(low, high);
    if (added < 0) return;
    assert.equal(added, fresh);
    for (let value = low; value <= high; value++) model.add(value);
  } else if (what === 'remove') {
    if (!ranges.remove(low, high)) return;
    for (let value = low; value <= high; value++) model.delete(value);
  } else {
    ranges.cutBelow(Math.floor(low / 4));
    for (let value = 0; value < Math.floor(low / 4); value++) model.delete(value);
  }
}

function check(ranges: NumberRanges, model: Set<number>, most: number): void {
  assert.ok(ranges.count <= most);
  for (let value = 0; value < SPACE + 20; value++) assert.equal(ranges.has(value), model.has(value), `has ${value}`);
  for (let index = 1; index < ranges.count; index++) {
    assert.ok(ranges.low(index) > ranges.high(index - 1) + 1, 'ranges lie apart');
  }
}

describe('a set of numbers', () => {
  for (const most of [5, 1000]) {
    it(`is what a plain set would be (at most ${most} ranges)`, () => {
      fc.assert(
        fc.property(steps, (list) => {
          const ranges = new NumberRanges(most);
          const model = new Set<number>();
          for (const step of list) apply(ranges, model, step);
          check(ranges, model, most);
        }),
      );
    });
  }

  it('stays small when holes are filled near the front, as resent packets do', () => {
    const ranges = new NumberRanges(100_000);
    for (let value = 0; value < 200_000; value += 2) ranges.add(value, value);
    assert.equal(ranges.count, 100_000);
    assert.equal(ranges.add(300_000, 300_000), -1, 'full');
    for (let value = 1; value < 200_000; value += 2) assert.equal(ranges.add(value, value), 1);
    assert.equal(ranges.count, 1);
    assert.deepEqual([ranges.low(0), ranges.high(0)], [0, 199_999]);
  });
});
