/**
 * The fuzz run of test/api for minutes. By itself it asks the same at every run: seeds that are fixed, one request after
 * the other, each seed on a server of its own, so that what fails here fails again by its seed. FUZZ_SEED=random explores:
 * a seed that nobody chose, many requests at once, for FUZZ_MILLISECONDS; it says how to come back to it.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { suite, test } from 'node:test';
import { faultsOfLog, fuzz, report } from '../api/fuzz.ts';
import type { FuzzWish } from '../api/fuzz.ts';
import { openFuzzScene } from '../api/fuzz-scene.ts';

const SEEDS = [7, 99_001, 424_242];
const ONE_SEED = { rounds: 2, lanes: 1, milliseconds: 180_000 };

const { FUZZ_SEED: asked, FUZZ_MILLISECONDS: time } = process.env;
const explores = asked === 'random' || time !== undefined;
const seeds = asked === 'random' ? [randomInt(2 ** 31)] : asked === undefined ? SEEDS : [Number(asked)];
const wish = explores ? { lanes: 12, milliseconds: Number(time ?? 120_000) } : ONE_SEED;

suite('every route of the API, fuzzed for long', () => {
  for (const seed of seeds)
    test(`seed ${seed}`, async (context) => {
      const bound = explores ? ` FUZZ_MILLISECONDS=${wish.milliseconds}` : '';
      const again = `again: FUZZ_SEED=${seed}${bound} npm run test:long -- api-fuzz`;
      context.diagnostic(again);
      await run(context, { seed, ...wish }, again);
    });
});

async function run(
  context: { diagnostic(text: string): void },
  asked: Pick<FuzzWish, 'seed' | 'milliseconds' | 'rounds' | 'lanes'>,
  again: string,
): Promise<void> {
  const scene = await openFuzzScene();
  try {
    const fuzzed = await fuzz(scene.server, { ...scene, ...asked });
    context.diagnostic(report(fuzzed).split('\n')[0] ?? '');
    if (explores)
      for (const [id, statuses] of fuzzed.answers)
        context.diagnostic(`${id}: ${[...statuses].map(([status, times]) => `${status} x ${times}`).join(', ')}`);
    assert.equal(fuzzed.findings.length, 0, `${again}\n${report(fuzzed)}`);
    assert.deepEqual(await faultsOfLog(scene.server), [], again);
    assert.equal((await scene.server.ask('GET', '/api')).status, 200);
  } finally {
    await scene.server.close();
  }
}
