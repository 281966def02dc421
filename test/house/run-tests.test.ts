import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { RIGHT_NAMES } from '../../src/broker/admin-calls.ts';
import { ALL_RIGHTS } from '../../src/policy/rights.ts';
import { chooseTests, LONGEST } from '../../tools/run-tests.ts';

describe('the test command', () => {
  const all = ['test/b.test.ts', 'test/long/c.test.ts', 'test/a/a.test.ts'];

  it('runs everything but the long ones, and the long ones alone when asked', () => {
    assert.deepEqual(chooseTests(all, false, []), ['test/a/a.test.ts', 'test/b.test.ts']);
    assert.deepEqual(chooseTests(all, true, []), ['test/long/c.test.ts']);
  });

  it('chooses by words', () => {
    assert.deepEqual(chooseTests(all, false, ['a/']), ['test/a/a.test.ts']);
    assert.deepEqual(chooseTests(all, false, ['nothing']), []);
  });
});

describe('files of tests that are started first', () => {
  it('are there, and only their order differs', () => {
    const longest = ['test/fast/command.test.ts', 'test/cli/server.test.ts'];
    assert.deepEqual(chooseTests(['test/a.test.ts', ...longest.toReversed()], false, []), [
      ...longest,
      'test/a.test.ts',
    ]);
    for (const file of LONGEST) assert.ok(existsSync(path.join(import.meta.dirname, '../..', file)), file);
  });
});

describe('lists that stand in two places', () => {
  it('rights: policy and administrator calls', () => {
    assert.deepEqual([...RIGHT_NAMES], ALL_RIGHTS);
  });
});
