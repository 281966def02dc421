/**
 * The test command: `npm test` runs test/**\/*.test.ts, `npm run test:long` what needs minutes (test/long/**).
 * Words after it choose files by a part of their path: `npm test -- ssh/ cli/`.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const root = path.join(import.meta.dirname, '..');

export function chooseTests(all: readonly string[], long: boolean, words: readonly string[]): string[] {
  return all
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.startsWith('test/long/') === long)
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
}

async function run(files: readonly string[], long: boolean): Promise<number> {
  const args = [
    '--test',
    // Tests of real servers are mostly waiting: two at a time even on one core. Long ones measure, so one at a time.
    `--test-concurrency=${long ? 1 : Math.max(2, availableParallelism())}`,
    `--test-timeout=${long ? 1_800_000 : 120_000}`,
    '--test-reporter=spec',
    ...files,
  ];
  // Every file, and every server and command that it starts, is a process of its own: compiling the same sources again
  // each time took more than half of all its time. Fronts are not given this: they may not even know the place.
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(root, 'node_modules', '.cache', 'compiled') };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { long: { type: 'boolean' } }, allowPositionals: true });
  const long = values.long ?? false;
  const files = chooseTests(globSync('test/**/*.test.ts', { cwd: root }), long, positionals);
  if (files.length === 0) {
    process.stderr.write(`No test file matches ${positionals.join(' ')}.\n`);
    process.exitCode = 1;
  } else {
    process.exitCode = await run(files, long);
  }
}
