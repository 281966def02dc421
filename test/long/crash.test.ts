import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from '../crash/kill.ts';

for (const seed of [11, 12, 13, 14]) {
  test(`fifty kills lose nothing that was acknowledged (seed ${seed})`, async (t) => {
    const report = await crashRounds(50, seed);
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.acknowledged > 500, 'the load did not run');
    assert.ok(report.frontsKilled > 0, 'no front was killed alone');
  });
}
