import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashRounds } from './kill.ts';

test('what CLOSE, rename and remove answered OK survives kill -9 (a few rounds; many in test:long)', async () => {
  const { operations } = await crashRounds(4, 1);
  assert.ok(operations > 20, `only ${operations} operations were acknowledged: the load did not run`);
});
