/** The fuzz run of test/api for minutes, with a seed that nobody chose; FUZZ_SEED and FUZZ_MILLISECONDS repeat one. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { faultsOfLog, fuzz, report } from '../api/fuzz.ts';
import { openFuzzScene } from '../api/fuzz-scene.ts';
import type { FuzzScene } from '../api/fuzz-scene.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
const MILLISECONDS = Number(process.env['FUZZ_MILLISECONDS'] ?? 120_000);

suite('every route of the API, fuzzed for long', () => {
  let scene: FuzzScene;
  before(async () => {
    scene = await openFuzzScene();
  });
  after(() => scene.server.close());

  test(`seed ${SEED}`, async (context) => {
    const fuzzed = await fuzz(scene.server, { ...scene, seed: SEED, milliseconds: MILLISECONDS, lanes: 12 });
    context.diagnostic(report(fuzzed).split('\n')[0] ?? '');
    for (const [id, statuses] of fuzzed.answers)
      context.diagnostic(`${id}: ${[...statuses].map(([status, times]) => `${status} x ${times}`).join(', ')}`);
    assert.equal(fuzzed.findings.length, 0, report(fuzzed));
    assert.deepEqual(await faultsOfLog(scene.server), []);
    assert.equal((await scene.server.ask('GET', '/api')).status, 200);
  });
});
