/**
 * npm run bench -- wan [--rows ID,...] [--runs 5] [--seconds 25] [--emulator PATH] [--state FILE] [--write]
 * Fast transfers over long, lossy links beside TCP of the kernel and sftp; as root. bench/README.md says what it needs.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openEmulatedLink } from './emulated-link.ts';
import { loopback } from './link.ts';
import type { Link } from './link.ts';
import { hasNetem, openNetemLink } from './netem-link.ts';
import { OURS, planAll } from './plan.ts';
import type { Measurement } from './plan.ts';
import { hasCommand, onAnyExit } from './processes.ts';
import { lineOf, report } from './report.ts';
import type { Measured } from './report.ts';
import type { Contender, Task } from './rivals.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string' },
    /** Of each row, by name. */
    who: { type: 'string' },
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '25' },
    emulator: { type: 'string' },
    /** What was measured is kept here; runs that are in it already are not repeated. */
    state: { type: 'string' },
    write: { type: 'boolean', default: false },
    /** A small client over the core instead of the command. */
    core: { type: 'boolean', default: false },
    policy: { type: 'string', default: 'fair' },
    files: { type: 'string', default: '10000' },
    megabytes: { type: 'string', default: '2048' },
    verbose: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const MiB = 2 ** 20;
const emulator = options.emulator ?? process.env['WAYBILL_LINK_EMULATOR'] ?? null;
const way = { core: options.core, policy: options.policy, verbose: options.verbose };
const all = planAll({
  seconds: Number(options.seconds),
  way,
  loopbackBytes: Number(options.megabytes) * MiB,
  smallFiles: Number(options.files),
});

function wanted(): Measurement[] {
  const ids = options.rows?.split(',');
  const unknown = ids?.find((id) => !all.some((row) => row.id === id || row.section === id));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; --list names them`);
  return all.filter(({ id, section }) => ids === undefined || ids.includes(id) || ids.includes(section));
}

function load(): Measured {
  if (options.state === undefined || !existsSync(options.state)) return {};
  return JSON.parse(readFileSync(options.state, 'utf8')) as Measured;
}

/** Bytes that no layer can make smaller; a block of them, over and over. */
function writeBytes(file: string, bytes: number, block: Buffer): void {
  const descriptor = openSync(file, 'w');
  for (let at = 0; at < bytes; at += block.length) writeSync(descriptor, block, 0, Math.min(block.length, bytes - at));
  closeSync(descriptor);
}

class Sources {
  private readonly folder: string;
  private readonly block = randomBytes(32 * MiB);
  private made: { key: string; path: string } | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  of({ bytes, files }: Measurement): string {
    const key = `${bytes}-${files}`;
    if (this.made?.key === key) return this.made.path;
    if (this.made !== null) rmSync(this.made.path, { recursive: true, force: true });
    const source = path.join(this.folder, files === 1 ? 'file' : 'tree');
    if (files === 1) writeBytes(source, bytes, this.block);
    else {
      mkdirSync(source);
      const each = Math.floor(bytes / files);
      for (let at = 0; at < files; at++) writeBytes(path.join(source, `file-${at}`), each, this.block.subarray(at));
    }
    this.made = { key, path: source };
    return source;
  }
}

function openLink(row: Measurement, seed: number, seconds: number): Promise<Link> {
  if (row.link === null) return Promise.resolve(loopback());
  if (emulator !== null) return openEmulatedLink(emulator, row.link, seed, seconds);
  if (hasNetem()) return openNetemLink(row.link, seconds);
  throw new Error('this kernel has no netem; name an emulator (--emulator PATH), as bench/README.md describes it');
}

/**
 * What sftp and HTTPS have on hosts that nobody tuned; iperf3 names its own. By the routes: a namespace may not set what the
 * machine has not allowed.
 */
function useCubic({ a, b }: Link): void {
  for (const { enter } of [a, b]) {
    const inside = (line: string): string =>
      execFileSync('env', [...enter, 'ip', ...line.split(' ')], { encoding: 'utf8' });
    for (const route of inside('-4 route show')
      .split('\n')
      .map((line) => line.trim()))
      if (route !== '') inside(`route replace ${route.replaceAll(/ +/g, ' ')} congctl cubic`);
  }
}

async function measure(row: Measurement, who: Contender, run: number, sources: Sources): Promise<boolean> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'waybill-wan-'));
  const remove = onAnyExit(() => {
    rmSync(scratch, { recursive: true, force: true });
  });
  // Ours is to finish; of the others it is enough to see the rate.
  const seconds = who.name === OURS ? row.patience : row.seconds;
  const { bytes, files } = row;
  const source = sources.of(row);
  const link = await openLink(row, run + 1, row.patience * 2 + 180);
  try {
    if (row.link !== null) useCubic(link);
    const spec = row.link ?? { mbit: 0, rtt: 0 };
    const task: Task = { link, spec, seconds, bytes, files, scratch, source };
    const result = await who.run(task);
    if (result === null) return false;
    ((measured[row.id] ??= {})[who.name] ??= []).push(result);
    return true;
  } finally {
    await link.close();
    rmSync(scratch, { recursive: true, force: true });
    remove();
  }
}

function head(): string[] {
  const commit = execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim();
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const made = emulator === null ? 'netem' : 'an emulator between two network namespaces';
  return [
    '# Fast transfers over long, lossy links',
    '',
    `Machine: ${machine}; ${kernel}; Node ${process.version}; commit ${commit.trim()}; ${new Date().toISOString().slice(0, 10)}.`,
    `Links: ${made}. Command: \`npm run bench -- wan\`, transfers of ${options.seconds} s of link time; medians (least-most).`,
    'What the columns mean and what is timed: [README.md](README.md).',
    '',
  ];
}

async function runAll(): Promise<void> {
  const shm = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(path.join(shm, 'waybill-wan-'));
  onAnyExit(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const sources = new Sources(folder);
  const names = options.who?.split(',');
  for (const row of wanted())
    // Each in turn, run by run: what changes on the machine meets all of them.
    for (let run = 0; run < Number(options.runs); run++)
      for (const who of row.contenders) {
        if (names?.includes(who.name) === false || (measured[row.id]?.[who.name]?.length ?? 0) > run) continue;
        try {
          if (!(await measure(row, who, run, sources))) continue;
          process.stdout.write(`${lineOf(row, who.name, measured) ?? ''}\n`);
        } catch (error) {
          process.stderr.write(`${row.id} ${who.name}: ${error instanceof Error ? error.message : String(error)}\n`);
        }
        if (options.state !== undefined) writeFileSync(options.state, JSON.stringify(measured));
      }
}

const measured = load();
if (options.list) for (const { id, section, title } of all) process.stdout.write(`${section}\t${id}\t${title}\n`);
else {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root');
  for (const command of ['iperf3', 'sftp', 'nsenter', 'ip'])
    if (!hasCommand(command)) throw new Error(`${command} is not installed`);
  await runAll();
  const text = report(all, measured, head());
  if (options.write) writeFileSync(path.join(import.meta.dirname, '..', 'WAN.md'), text);
}
process.exit(0);
