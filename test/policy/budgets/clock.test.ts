import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BudgetClock } from '../../../src/policy/budgets/clock.ts';
import { DAY_MS } from '../../../src/policy/budgets/windows.ts';
import { TestMachine } from './machine.ts';

const HOUR = 3_600_000;

test('the wall clock may jump as it likes while the server runs', () => {
  const machine = new TestMachine();
  const clock = new BudgetClock(machine, null);
  const start = clock.now();
  machine.jumpWall(40 * DAY_MS);
  assert.equal(clock.now(), start);
  machine.pass(HOUR);
  machine.jumpWall(-80 * DAY_MS);
  assert.equal(clock.now(), start + HOUR);
});

test('a stop takes as long as the machine counted, whatever the wall clock says', () => {
  const machine = new TestMachine();
  const moment = new BudgetClock(machine, null).moment();
  machine.pass(3 * HOUR);
  machine.jumpWall(40 * DAY_MS);
  assert.equal(new BudgetClock(machine, moment).now(), moment.time + 3 * HOUR);
  machine.jumpWall(-90 * DAY_MS);
  assert.equal(new BudgetClock(machine, moment).now(), moment.time + 3 * HOUR);
});

test('over a boot the wall clock is believed up to a day, and never backwards', () => {
  const machine = new TestMachine();
  const moment = new BudgetClock(machine, null).moment();
  machine.pass(2 * HOUR);
  machine.restart();
  machine.pass(HOUR);
  assert.equal(new BudgetClock(machine, moment).now(), moment.time + 3 * HOUR);
  machine.jumpWall(40 * DAY_MS);
  assert.equal(new BudgetClock(machine, moment).now(), moment.time + DAY_MS);
  machine.jumpWall(-90 * DAY_MS);
  assert.equal(new BudgetClock(machine, moment).now(), moment.time);
});

test('a machine that says nothing of its boots, or counts backwards, is believed by the wall clock up to a day', () => {
  const hidden = new TestMachine();
  const moment = new BudgetClock(hidden, null).moment();
  hidden.hideBoot();
  hidden.pass(2 * HOUR);
  assert.equal(new BudgetClock(hidden, moment).now(), moment.time + 2 * HOUR);
  const snapshot = new TestMachine();
  const before = new BudgetClock(snapshot, null).moment();
  snapshot.rewindBoot(10 * HOUR);
  snapshot.pass(HOUR);
  snapshot.jumpWall(40 * DAY_MS);
  assert.equal(new BudgetClock(snapshot, before).now(), before.time + DAY_MS);
});
