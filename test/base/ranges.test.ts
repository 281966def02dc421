import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addRange, RANGES_MAX } from '../../src/base/ranges.ts';
import type { ByteRange } from '../../src/base/ranges.ts';

test('holds what was added and nothing else, sorted and apart', () => {
  const range = fc.tuple(fc.nat(200), fc.nat(20));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 60 }), (added) => {
      const expected = new Set<number>();
      let ranges: ByteRange[] = [];
      for (const [offset, length] of added) {
        ranges = addRange(ranges, offset, length);
        for (let at = offset; at < offset + length; at++) expected.add(at);
      }
      const found: number[] = [];
      let end = -1;
      for (const [offset, length] of ranges) {
        assert.ok(offset > end, 'sorted, with a gap');
        assert.ok(length > 0);
        for (let at = offset; at < offset + length; at++) found.push(at);
        end = offset + length;
      }
      assert.deepEqual(
        found,
        [...expected].sort((a, b) => a - b),
      );
    }),
  );
});

test('is bounded: past that it says more, never less', () => {
  let ranges: ByteRange[] = [];
  for (let index = 0; index < RANGES_MAX * 3; index++) ranges = addRange(ranges, index * 10, 1);
  assert.ok(ranges.length <= RANGES_MAX);
  for (let index = 0; index < RANGES_MAX * 3; index++)
    assert.ok(ranges.some(([offset, length]) => offset <= index * 10 && index * 10 < offset + length));
});
