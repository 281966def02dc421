import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFull, WaybillError } from '../../src/base/errors.ts';
import { Retries } from '../../src/base/retries.ts';

const full = new WaybillError('store-full', 'no space left in the store');

function scene() {
  const reported: unknown[] = [];
  const retries = new Retries({ again: isFull, report: (error) => reported.push(error), milliseconds: 5 });
  return { retries, reported };
}

test('work that meets a full disk is tried again until it is done, in order', async () => {
  const { retries, reported } = scene();
  let tries = 0;
  const done: number[] = [];
  const work = (number: number) => (): Promise<void> => {
    tries++;
    if (tries < 7) return Promise.reject(full);
    done.push(number);
    return Promise.resolve();
  };
  await Promise.all([retries.run(work(1)), retries.run(work(2))]);
  assert.deepEqual(done, [1, 2]);
  assert.equal(retries.waiting, 0);
  assert.deepEqual(reported, []);
});

test('what trying again does not help is reported, and done with', async () => {
  const { retries, reported } = scene();
  const broken = new Error('broken');
  await retries.run(() => Promise.reject(broken));
  assert.deepEqual(reported, [broken]);
  assert.equal(retries.waiting, 0);
});

test('stopping tries once more, then gives up and says so', async () => {
  const { retries, reported } = scene();
  let room = false;
  const first = retries.run(() => (room ? Promise.resolve() : Promise.reject(full)));
  const second = retries.run(() => Promise.reject(full));
  room = true;
  await retries.stop();
  await Promise.all([first, second]);
  assert.deepEqual(reported, [full]);
  await retries.run(() => Promise.reject(full));
  assert.equal(reported.length, 2);
});
