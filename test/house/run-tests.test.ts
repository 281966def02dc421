import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
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

describe('what the test command says of a run', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-run-'));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const runner = path.join(import.meta.dirname, '../../tools/run-tests.ts');
  const passes = `import { test } from 'node:test'; import { suiteOf } from './suite.mjs'; suiteOf(test);`;
  const files = {
    'suite.mjs': `export const suiteOf = (test) => { test('one', () => {}); };`,
    'passes.test.ts': passes,
    // A suite that several files share is told by its own file: that is no reason to miss one.
    'passes-too.test.ts': passes,
    'fails.test.ts': `import { test } from 'node:test'; test('two', () => { throw new Error('no'); });`,
    'empty.test.ts': `export {};`,
    'ends.test.ts': `process.exit(0);`,
  };

  it('a test that fails and a file in which none ran are failures; nothing else is', () => {
    mkdirSync(path.join(folder, 'test'));
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, 'test', name), text);
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const run = (...words: string[]) =>
      spawnSync(process.execPath, [runner, '--root', folder, ...words], { encoding: 'utf8', env });
    const good = run('passes');
    assert.deepEqual([good.status, good.stderr], [0, ''], good.stdout);
    assert.match(good.stdout, /^ℹ pass 2$/m);
    assert.equal(run('fails').status, 1);
    for (const name of ['empty', 'ends']) {
      const silent = run(name, 'passes.');
      assert.equal(silent.status, 1, silent.stdout);
      assert.equal(silent.stderr, `No test of test/${name}.test.ts ran.\n`);
    }
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
