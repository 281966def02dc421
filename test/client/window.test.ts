/** How much may be on the way when nobody says it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowOf } from '../../src/client/fast-link.ts';

const MiB = 2 ** 20;
const pace = (rate: number | null, window: number | null = null) => ({ policy: 'fair', rate, window }) as const;

test('five round trips at 1 Gb/s, or at the limit, within what both ends will hold', () => {
  const cases: readonly (readonly [rate: number | null, roundTrip: number | null, mebibytes: number])[] = [
    [null, null, 32],
    [null, 1, 32],
    [null, 100, 60],
    [null, 200, 120],
    [null, 600, 128],
    [1e8, 200, 32],
    [5e8, 300, 90],
    [1e10, 200, 120],
  ];
  for (const [rate, roundTrip, mebibytes] of cases)
    assert.equal(windowOf(pace(rate), roundTrip) / MiB, mebibytes, `${rate} bit/s, ${roundTrip} ms`);
});

test('what somebody asked for stays', () => {
  assert.equal(windowOf(pace(null, MiB), 500), MiB);
});
