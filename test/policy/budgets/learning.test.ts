import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf } from '../../../src/policy/budgets/history.ts';
import {
  DEFAULT_FIGURES,
  LimitBook,
  noLimits,
  ordinaryLimits,
  reducedLimits,
} from '../../../src/policy/budgets/limits.ts';
import { Usage } from '../../../src/policy/budgets/usage.ts';
import { cellOf, DAY_MS, spread } from '../../../src/policy/budgets/windows.ts';

const START = 20_000 * DAY_MS;
const GiB = 2 ** 30;
const MiB = 2 ** 20;

/** A day's use, in the middle of the day. */
function use(usage: Usage, day: number, bytes: number): void {
  usage.advance(START + day * DAY_MS + DAY_MS / 2);
  usage.add([bytes, 1, 0]);
}

function learned(usage: Usage, day: number): Float64Array {
  return ordinaryLimits(DEFAULT_FIGURES, 1, usage.history.peaks(dayOf(START) + day));
}

const DAY_BYTES = cellOf(2, 0);

test('until there are seven complete days the first figures hold', () => {
  const usage = new Usage(START);
  for (let day = 0; day <= 7; day++) {
    use(usage, day, GiB);
    assert.deepEqual(learned(usage, day), spread(DEFAULT_FIGURES.initial), `day ${day}`);
  }
  assert.equal(learned(usage, 8)[DAY_BYTES], 8 * GiB, 'four times two days in one sliding one');
});

test('today does not raise the limit of today', () => {
  const usage = new Usage(START);
  for (let day = 0; day < 20; day++) use(usage, day, GiB);
  const before = learned(usage, 20);
  use(usage, 20, 50 * GiB);
  assert.deepEqual(learned(usage, 20), before);
  assert.equal(learned(usage, 21)[DAY_BYTES], 16 * GiB, 'it would tomorrow, to twice what the weeks before taught');
  assert.equal(learned(usage, 28)[DAY_BYTES], 51 * 4 * GiB, 'and after a week wholly, had nobody held it');
});

test('a day with a hold teaches nothing, nor does the day into which its windows reach', () => {
  const usage = new Usage(START);
  for (let day = 0; day < 20; day++) use(usage, day, GiB);
  const before = learned(usage, 20);
  use(usage, 20, 50 * GiB);
  usage.history.hold(dayOf(START) + 20);
  use(usage, 21, MiB);
  for (const day of [21, 22, 23]) assert.deepEqual(learned(usage, day), before, `day ${day}`);
});

test('who takes each day what he may gets eight times as much in a week, and not four times as much each day', () => {
  const usage = new Usage(START);
  for (let day = 0; day < 20; day++) use(usage, day, MiB * 200);
  for (let day = 20; day < 27; day++) {
    usage.advance(START + day * DAY_MS + DAY_MS / 2);
    usage.add([(learned(usage, day)[DAY_BYTES] ?? 0) - usage.used(DAY_BYTES), 1, 0]);
  }
  assert.equal(learned(usage, 27)[DAY_BYTES], 2 * 4 * 400 * MiB);
});

test('holds on every day do not push an account to the floor: the search goes further back', () => {
  const usage = new Usage(START);
  for (let day = 0; day < 20; day++) use(usage, day, GiB);
  const before = learned(usage, 20);
  for (let day = 20; day < 70; day++) {
    use(usage, day, MiB);
    usage.history.hold(dayOf(START) + day);
  }
  assert.deepEqual(learned(usage, 70), before);
});

test('thirty quiet days end at the floor, and much use at the cap', () => {
  const usage = new Usage(START);
  use(usage, 0, GiB);
  assert.deepEqual(learned(usage, 40), spread(DEFAULT_FIGURES.floor));
  const busy = new Usage(START);
  for (let day = 0; day < 20; day++) use(busy, day, 900 * GiB);
  assert.equal(learned(busy, 20)[DAY_BYTES], DEFAULT_FIGURES.cap[0]);
});

test('history outlives a restart', () => {
  const usage = new Usage(START);
  for (let day = 0; day < 20; day++) use(usage, day, (day + 1) * GiB);
  usage.history.hold(dayOf(START) + 19);
  const copy = new Usage(START + 30 * DAY_MS);
  copy.load(usage.save(false));
  assert.deepEqual(learned(copy, 20), learned(usage, 20));
  assert.deepEqual(learned(copy, 35), learned(usage, 35));
});

test('an unconfirmed session has a tenth, but enough to see that it works, and never more than the account', () => {
  const reduced = reducedLimits(spread(DEFAULT_FIGURES.initial));
  assert.equal(reduced[DAY_BYTES], Math.floor((64 * GiB) / 10));
  assert.equal(reducedLimits(spread(DEFAULT_FIGURES.floor))[cellOf(0, 0)], 32 * MiB);
  assert.equal(reducedLimits(spread([MiB, 5, 5]))[DAY_BYTES], MiB);
  assert.deepEqual(reducedLimits(noLimits()), noLimits());
});

test('what people set and allow goes over what is learned', () => {
  const book = new LimitBook();
  book.put({ scope: 'account/a', cell: DAY_BYTES, limit: 5 });
  book.put({ scope: 'account/a', cell: cellOf(0, 1), limit: null });
  const limits = book.withSet('account/a', spread([1000, 1000, 1000]));
  assert.equal(limits[DAY_BYTES], 5);
  assert.equal(limits[cellOf(0, 1)], Infinity);
  assert.equal(limits[cellOf(0, 0)], 250);
  book.allow({ scope: 'account/a', dimension: 0, extra: 70, until: 100 });
  assert.equal(book.nextEnd('account/a', 99), 100);
  assert.equal(book.withAllowances('account/a', Float64Array.from(limits), 99)[DAY_BYTES], 75);
  assert.equal(book.withAllowances('account/a', Float64Array.from(limits), 100)[DAY_BYTES], 5);
  book.forgetEnded(100);
  assert.equal(book.nextEnd('account/a', 0), Infinity);
  book.clear('account/a');
  assert.deepEqual(book.withSet('account/a', noLimits()), noLimits());
});
