import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ledgerCrashes } from '../crash/ledger-kill.ts';

for (const seed of [21, 22]) {
  test(`a thousand kills at every write of the ledger: nothing lost, nothing forked (seed ${seed})`, async (t) => {
    const report = await ledgerCrashes(1000, seed);
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.promised > 1000, 'nothing was written');
  });
}
