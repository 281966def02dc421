import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from './kill.ts';

test('what CLOSE, rename and remove answered OK survives kill -9 (a few rounds; many in test:long)', async (t) => {
  const report = await crashRounds(4, 1);
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.acknowledged > 20, 'the load did not run');
});
