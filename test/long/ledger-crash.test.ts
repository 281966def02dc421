import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ledgerCrashes } from '../crash/ledger-kill.ts';

// Each writer is a process of its own: two at once use the cores that there are.
suite('two thousand kills at every write of the ledger: nothing lost, nothing forked', { concurrency: 2 }, () => {
  for (const seed of [21, 22]) {
    test(`seed ${seed}`, async (t) => {
      const report = await ledgerCrashes(1000, seed);
      t.diagnostic(JSON.stringify(report));
      assert.ok(report.promised > 1000, 'nothing was written');
    });
  }
});
