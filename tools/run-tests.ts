/**
 * The test command: `npm test` runs test/**\/*.test.ts, `npm run test:long` what needs minutes (test/long/**).
 * Words after it choose files by a part of their path: `npm test -- ssh/ cli/`.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const PROJECT = path.join(import.meta.dirname, '..');

/**
 * The files that take longest, the longest first: started last, one of them alone would keep everybody waiting at the
 * end. What is missing here costs a little time, nothing else.
 */
export const LONGEST = [
  'api/wrong-tenant',
  'fast/command',
  'interop/certificates',
  'attack/hostile-front',
  'fast/interrupted',
  'interop/sign-in',
  'browser/login',
  'fast/blocked',
  'ledger/sequencer',
  'story/stolen-key',
  'witness/witness',
  'cli/server',
  'broker/start-stop',
  'sso/browser',
  'interop/paramiko',
  'broker/key-acts',
  'attack/proxies',
  'interop/rclone',
  'browser/sign-in',
  'api/fuzz',
  'events/feed',
  'acme/server',
  'crash/kill',
].map((name) => `test/${name}.test.ts`);

export function chooseTests(all: readonly string[], long: boolean, words: readonly string[]): string[] {
  const place = (file: string): number => (LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length);
  return all
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.startsWith('test/long/') === long)
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort()
    .sort((one, other) => place(one) - place(other));
}

/** Each file is a process of its own: what one leaves behind, or dies of, is not another's. Resolves with the exit code. */
async function runTests(root: string, files: readonly string[], long: boolean): Promise<number> {
  // Each file, and every server and command that it starts, would compile the same sources again: more than half of all
  // its time. Fronts are not given this: they may not even know the place.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(PROJECT, 'node_modules', '.cache', 'compiled');
  const tests = run({
    cwd: root,
    files: files.map((file) => path.join(root, file)),
    // Tests of real servers are a quarter waiting: one more at a time than there are cores. Long ones measure: alone.
    concurrency: long ? 1 : availableParallelism() + 1,
    timeout: long ? 1_800_000 : 120_000,
  });
  const failed: string[] = [];
  const silent = new Set<string>();
  tests.on('test:fail', ({ name, todo }) => {
    // What is still to do may fail.
    if (todo === undefined || todo === false) failed.push(name);
  });
  // A file without any test is told as one test of its name, and as one that passed. (`file` would not do: a suite that
  // several files share is told by its own file.)
  const names = new Map(files.map((file) => [path.join(root, file), file]));
  tests.on('test:pass', ({ name }) => {
    const file = names.get(path.resolve(root, name));
    if (file !== undefined) silent.add(file);
  });
  const report = tests.compose(spec);
  report.pipe(process.stdout);
  await new Promise<void>((resolve, reject) => {
    report.once('end', resolve).once('error', reject);
  });
  for (const file of silent) process.stderr.write(`No test of ${file} ran.\n`);
  return failed.length + silent.size > 0 ? 1 : 0;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { long: { type: 'boolean', default: false }, root: { type: 'string', default: PROJECT } },
    allowPositionals: true,
  });
  const { long, root } = values;
  const files = chooseTests(globSync('test/**/*.test.ts', { cwd: root }), long, positionals);
  if (files.length === 0) {
    process.stderr.write(`No test file matches ${positionals.join(' ')}.\n`);
    process.exitCode = 1;
  } else {
    process.exitCode = await runTests(root, files, long);
  }
}
