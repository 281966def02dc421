import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Charge } from '../../src/files/charge.ts';
import { segmentBytes } from '../../src/files/runs.ts';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';

test('the charge is the bytes of all segments asked for, in a file of the greatest size told', () => {
  const asked = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 });
  const size = fc.integer({ min: 0, max: 10 * SEGMENT_PLAIN });
  fc.assert(
    fc.property(fc.array(fc.tuple(asked, size)), (calls) => {
      const charge = new Charge();
      const segments = new Set<number>();
      let greatest = 0;
      for (const [more, told] of calls) {
        const before = charge.bytes;
        const expected = charge.more(more, told);
        charge.add(more, told);
        assert.equal(charge.bytes - before, expected);
        greatest = Math.max(greatest, told);
        for (const segment of more) segments.add(segment);
        const sum = [...segments].reduce((bytes, segment) => bytes + segmentBytes(greatest, segment), 0);
        assert.equal(charge.bytes, sum);
      }
    }),
  );
});

test('taken up, it starts with what is stored, and counts nothing twice', () => {
  const runs = [
    { first: 0, count: 1, blob: 'base' },
    { first: 1, count: 2, blob: 'own' },
  ];
  const size = 2 * SEGMENT_PLAIN + 10;
  const charge = Charge.of('own', { size, runs });
  assert.equal(charge.bytes, SEGMENT_PLAIN + 10);
  assert.equal(charge.more([1, 2], size), 0);
  assert.equal(charge.more([2], size + 5), 5);
  assert.equal(charge.more([0], size), SEGMENT_PLAIN);
});
