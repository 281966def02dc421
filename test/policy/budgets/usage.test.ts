/** One scope against a model that keeps every single use and looks at all of them each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Usage } from '../../../src/policy/budgets/usage.ts';
import { cellOf, CELLS, DAY_MS, DIMENSIONS, WINDOWS } from '../../../src/policy/budgets/windows.ts';
import type { Amounts, Cells } from '../../../src/policy/budgets/windows.ts';

const START = 20_000 * DAY_MS + 12_345_678;
const LISTINGS = DIMENSIONS.indexOf('listings');

interface Used {
  readonly time: number;
  readonly amounts: Amounts;
}

class Model {
  now = START;
  readonly uses: Used[] = [];
  readonly listings: { readonly time: number; readonly directory: number }[] = [];

  /** Exactly what was used in the last `ms`. */
  used(dimension: number, ms: number): number {
    if (dimension === LISTINGS) return new Set(this.since(ms).map(({ directory }) => directory)).size;
    return this.uses
      .filter(({ time }) => time > this.now - ms)
      .reduce((sum, { amounts }) => sum + (amounts[dimension] ?? 0), 0);
  }

  /** Every listing, also of what was listed before. */
  since(ms: number): { readonly time: number; readonly directory: number }[] {
    return this.listings.filter(({ time }) => time > this.now - ms);
  }
}

type Step =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'use'; readonly bytes: number; readonly files: number }
  | { readonly kind: 'list'; readonly directory: number }
  | { readonly kind: 'fail'; readonly bytes: number }
  | { readonly kind: 'save' };

const wait = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 4_000_000 }),
  fc.integer({ min: 0, max: 4 * DAY_MS }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: wait.map((ms) => ({ kind: 'wait', ms }) as const) },
  {
    weight: 5,
    arbitrary: fc
      .record({ bytes: fc.integer({ min: 0, max: 2 ** 29 }), files: fc.integer({ min: 0, max: 1 }) })
      .map((amounts) => ({ kind: 'use', ...amounts }) as const),
  },
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 6 }).map((directory) => ({ kind: 'list', directory }) as const) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 29 }).map((bytes) => ({ kind: 'fail', bytes }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'save' } as const) },
);

function restored(usage: Usage): Usage {
  const copy = new Usage(START);
  copy.load(usage.save(true));
  return copy;
}

function play(steps: readonly Step[], limits: Cells | null, look: (usage: Usage, model: Model) => void): void {
  const model = new Model();
  let usage = new Usage(START);
  for (const one of steps) {
    if (one.kind === 'wait') model.now += one.ms;
    usage.advance(model.now);
    if (one.kind === 'use') {
      const amounts: Amounts = [one.bytes, one.files, 0];
      if (limits !== null && usage.over(amounts, limits) >= 0) continue;
      usage.add(amounts);
      model.uses.push({ time: model.now, amounts });
    }
    if (one.kind === 'fail') {
      usage.add([one.bytes, 0, 0]);
      usage.takeBack(one.bytes, model.now);
    }
    if (one.kind === 'list') {
      if (limits !== null && usage.overByListing(one.directory, limits) >= 0) continue;
      usage.list(one.directory);
      model.listings.push({ time: model.now, directory: one.directory });
    }
    if (one.kind === 'save') usage = restored(usage);
    look(usage, model);
  }
}

test('a window never says less than was used, and more by one bucket of time at most', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      play(steps, null, (usage, model) => {
        WINDOWS.forEach(({ seconds, bucketMs }, window) => {
          DIMENSIONS.forEach((_, dimension) => {
            const used = usage.used(cellOf(window, dimension));
            const least = model.used(dimension, seconds * 1000);
            const wider = seconds * 1000 + bucketMs;
            // A directory that was not listed for a day is forgotten, and may count twice in a month.
            const most =
              dimension === LISTINGS && seconds > 86_400 ? model.since(wider).length : model.used(dimension, wider);
            assert.ok(used >= least, `${used} of ${least} in window ${seconds}, dimension ${dimension}`);
            assert.ok(used <= most, `${used} of at most ${most} in window ${seconds}, dimension ${dimension}`);
          });
        });
      });
    }),
    { numRuns: 400 },
  );
});

test('what is asked first is never over any limit in any window, however time goes', () => {
  const figures = fc.array(fc.integer({ min: 0, max: 2 ** 30 }), { minLength: CELLS, maxLength: CELLS });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), figures, (steps, some) => {
      const small = some.map((limit, cell) => (cell % DIMENSIONS.length === 0 ? limit : limit % 7));
      const without = steps.filter(({ kind }) => kind !== 'fail');
      play(without, Float64Array.from(small), (_, model) => {
        WINDOWS.forEach(({ seconds }, window) => {
          DIMENSIONS.forEach((__, dimension) => {
            const limit = small[cellOf(window, dimension)] ?? 0;
            assert.ok(model.used(dimension, seconds * 1000) <= limit, `window ${seconds}, dimension ${dimension}`);
          });
        });
      });
    }),
    { numRuns: 400 },
  );
});

test('time that goes back stands still', () => {
  const usage = new Usage(START);
  usage.add([1000, 1, 0]);
  assert.equal(usage.advance(START - 10 * DAY_MS), START);
  usage.add([1, 0, 0]);
  usage.advance(START + 599_000);
  assert.equal(usage.used(cellOf(0, 0)), 1001);
  usage.advance(START + 620_000);
  assert.equal(usage.used(cellOf(0, 0)), 0);
  assert.equal(usage.used(cellOf(1, 0)), 1001);
});

test('a directory that is listed every minute counts once, in every window', () => {
  const usage = new Usage(START);
  for (let minute = 0; minute < 3 * 24 * 60; minute++) {
    usage.advance(START + minute * 60_000);
    usage.list(7);
  }
  for (const window of WINDOWS.keys()) assert.equal(usage.used(cellOf(window, LISTINGS)), 1);
});

test('a soft limit is told once for each crossing, and again only after a calm', () => {
  const usage = new Usage(START);
  const limits = new Float64Array(CELLS).fill(Infinity);
  limits[cellOf(0, 0)] = 1000;
  usage.add([799, 0, 0]);
  assert.deepEqual(usage.crossings(limits), []);
  usage.add([1, 0, 0]);
  assert.deepEqual(usage.crossings(limits), [cellOf(0, 0)]);
  usage.add([100, 0, 0]);
  assert.deepEqual(usage.crossings(limits), []);
  assert.deepEqual(restored(usage).crossings(limits), [], 'nor after a restart');
  usage.advance(START + 700_000);
  assert.deepEqual(usage.crossings(limits), []);
  usage.add([900, 0, 0]);
  assert.deepEqual(usage.crossings(limits), [cellOf(0, 0)]);
});

test('figures of a form that is not known are refused', () => {
  const saved = new Usage(START).save(true);
  saved[0] = 99;
  assert.throws(() => {
    new Usage(START).load(saved);
  }, /form/);
});
