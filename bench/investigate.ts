/**
 * node bench/investigate.ts [--entries 1000000] [--tenants 200] [--folder DIR] [--rounds 3] [--cold] [--write]
 * Generates a ledger (or takes the one of --folder, when it has that many entries), builds its index, and asks each
 * question of `waybill investigate` as a person does: one process each. Prints the rate of the build and the medians;
 * `--cold` empties the page cache before each process (root); `--write` also writes bench/INVESTIGATE.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildIndex, IndexFile, investigate, openIfCurrent } from '../src/incident/index.ts';
import type { Filters } from '../src/incident/index.ts';
import { parseVerifierKey } from '../src/ledger/core/note.ts';
import { generateLedger } from './ledger-generator.ts';

const { values: options } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    tenants: { type: 'string', default: '200' },
    folder: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    cold: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const entries = Number(options.entries);
const place = options.folder ?? mkdtempSync(path.join(tmpdir(), 'waybill-investigate-'));
const ledger = path.join(place, 'ledger');
const index = path.join(place, 'index.duckdb');

interface Sample {
  readonly account: string;
  readonly credential: string;
  readonly address: string;
  readonly session: string;
  readonly from: string;
  readonly to: string;
  readonly day: string;
}

interface Question {
  readonly title: string;
  readonly words: readonly string[];
}

function questions({ account, credential, address, session, from, to, day }: Sample): Question[] {
  return [
    { title: 'a session', words: ['--session', session] },
    { title: 'a credential, in one hour', words: ['--credential', credential, '--from', from, '--to', to] },
    { title: 'a credential, ever', words: ['--credential', credential] },
    { title: 'an account, ever', words: ['--account', account] },
    { title: 'an address, ever', words: ['--address', address] },
    { title: 'a network of 65,536 addresses', words: ['--address', '10.3.0.0/16'] },
    { title: 'a client software', words: ['--client', 'WinSCP'] },
    { title: 'a node', words: ['--node', 'node-b'] },
    { title: 'a version of the platform', words: ['--software', '1.0.0'] },
    { title: 'a version, in one day', words: ['--software', '1.0.0', '--from', from, '--to', day] },
    { title: 'a tenant', words: ['--tenant', 'tenant-050'] },
    { title: 'a folder', words: ['--folder', 'tenant-005/inbox'] },
    { title: 'a product, in one hour', words: ['--product', 'Claims', '--from', from, '--to', to] },
    { title: 'a product, ever', words: ['--product', 'Claims'] },
    { title: 'everybody, in one hour', words: ['--from', from, '--to', to] },
    { title: 'everybody, in one day', words: ['--from', from, '--to', day] },
    { title: 'the whole ledger', words: [] },
  ];
}

function filtersOf(words: readonly string[]): Filters {
  const filters: Record<string, readonly string[] | number> = {};
  for (let at = 0; at < words.length; at += 2) {
    const name = (words[at] ?? '').slice(2);
    const value = words[at + 1] ?? '';
    filters[name] = name === 'from' || name === 'to' ? Date.parse(value) : [value];
  }
  return filters;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Seconds from the start of the process to its end; what it says of how much it found. */
function ask(words: readonly string[]): { seconds: number; found: string } {
  if (options.cold) writeFileSync('/proc/sys/vm/drop_caches', '3');
  const waybill = path.join(import.meta.dirname, '..', 'bin', 'waybill');
  const started = performance.now();
  const { stdout, stderr } = spawnSync(
    waybill,
    ['investigate', '--ledger', ledger, '--index', index, '--limit', '100', '--json', ...words],
    { encoding: 'utf8', maxBuffer: 1 << 30 },
  );
  const seconds = (performance.now() - started) / 1000;
  if (!stdout.startsWith('{')) throw new Error(stderr);
  const { total } = JSON.parse(stdout) as { total: { tenants: number; sessions: number; readings: number } };
  return { seconds, found: `${total.tenants} tenants, ${total.sessions} sessions, ${total.readings} readings` };
}

async function sample(key: string): Promise<Sample> {
  const file = await openIfCurrent({ ledger, index, key: parseVerifierKey(key) });
  if (file === null) throw new Error('the index is not complete');
  const row = await file.row(
    `SELECT lower(lpad(hex(idHigh), 16, '0') || lpad(hex(idLow), 16, '0')) AS session, firstTime AS time,
       (SELECT text FROM names WHERE name = s.login) AS account, (SELECT text FROM names WHERE name = s.address) AS address,
       (SELECT text FROM names WHERE name = s.credentials) AS credentials
     FROM sessions s WHERE signedIn = 1 AND (session >> 36) = 3 ORDER BY released DESC LIMIT 1`,
  );
  file.close();
  const time = Math.floor(Number(row['time']) / 3_600_000) * 3_600_000;
  const at = (hours: number): string => new Date(time + hours * 3_600_000).toISOString();
  return {
    ...{ account: String(row['account']), address: String(row['address']), session: String(row['session']) },
    credential: (JSON.parse(String(row['credentials'])) as string[])[0] ?? '',
    ...{ from: at(0), to: at(1), day: at(24) },
  };
}

/** Without the start of a process and the opening of the index. */
async function answerAlone(key: string, words: readonly string[]): Promise<number> {
  const file = await openIfCurrent({ ledger, index, key: parseVerifierKey(key) });
  if (file === null) throw new Error('the index is not complete');
  const times: number[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const started = performance.now();
    await investigate(file, { ledger, filters: filtersOf(words), limit: 100 });
    times.push((performance.now() - started) / 1000);
  }
  file.close();
  return median(times);
}

async function main(): Promise<void> {
  if (!existsSync(path.join(ledger, 'vkey'))) {
    const started = performance.now();
    await generateLedger({ folder: ledger, entries, tenants: Number(options.tenants), workers: 2 });
    process.stderr.write(`generated in ${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  }
  const key = readFileSync(path.join(ledger, 'vkey'), 'utf8').trim();
  IndexFile.remove(index);
  const started = performance.now();
  let memory = 0;
  const watch = setInterval(() => (memory = Math.max(memory, process.memoryUsage.rss())), 200);
  const { added } = await buildIndex({ ledger, index, key: parseVerifierKey(key) });
  clearInterval(watch);
  const seconds = (performance.now() - started) / 1000;
  const lines = [
    '# Questions to a large ledger',
    '',
    `Machine: ${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}; commit ${execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', cwd: import.meta.dirname }).trim()}.`,
    `Ledger: ${added} entries of ${options.tenants} tenants, generated from seed 1. Command: \`node bench/investigate.ts --entries ${entries} --tenants ${options.tenants} --rounds ${options.rounds}${options.cold ? ' --cold' : ''} --write\`.`,
    '',
    `Index built from the tiles, every entry hashed into the tree: ${seconds.toFixed(1)} s, **${Math.round(added / seconds)} entries a second** (bar: 500,000); ${(statSync(index).size / 2 ** 20).toFixed(0)} MiB; at most ${(memory / 2 ** 20).toFixed(0)} MiB of memory.`,
    '',
    `Each question is a process of its own, from its start to its end; page cache ${options.cold ? 'emptied before each' : 'warm'}; medians of ${options.rounds} (bar: 1 s). What is not the answer is the start of Node, the command and DuckDB.`,
    '',
    '| question | whole process, s | the answer in it, s | found |',
    '|---|---|---|---|',
  ];
  const asked = questions(await sample(key));
  const answers: number[] = [];
  for (const { words } of asked) answers.push(await answerAlone(key, words));
  for (const [at, { title, words }] of asked.entries()) {
    const rounds = Array.from({ length: Number(options.rounds) }, () => ask(words));
    const line = `| ${title} | ${median(rounds.map((round) => round.seconds)).toFixed(2)} | ${(answers[at] ?? NaN).toFixed(2)} | ${rounds[0]?.found ?? ''} |`;
    lines.push(line);
    process.stderr.write(`${line}\n`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
  if (options.write) writeFileSync(path.join(import.meta.dirname, 'INVESTIGATE.md'), `${lines.join('\n')}\n`);
  if (options.folder === undefined) rmSync(place, { recursive: true });
}

await main();
