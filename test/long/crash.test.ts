import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from '../crash/kill.ts';

for (const seed of [11, 12, 13, 14]) {
  test(`fifty kills lose nothing that was acknowledged (seed ${seed})`, async (t) => {
    const { operations } = await crashRounds(50, seed);
    t.diagnostic(`${operations} operations acknowledged`);
    assert.ok(operations > 500);
  });
}
