/**
 * npm run bench -- wan [--rows ID,...] [--runs 5] [--seconds 25] [--emulator PATH] [--state FILE] [--write] [--list]
 * Fast transfers over long, lossy links beside TCP of the kernel and sftp; as root. bench/README.md says what it needs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { chart } from './chart.ts';
import { estimate, listed } from './estimate.ts';
import type { Wanted } from './estimate.ts';
import { removeLeftovers } from './leftovers.ts';
import { planAll } from './plan.ts';
import type { Measurement } from './plan.ts';
import { hasCommand, onAnyExit } from './processes.ts';
import { about, lineOf, report } from './report.ts';
import { Session } from './session.ts';
import { Sources } from './sources.ts';
import { load, runsIn, save } from './state.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string' },
    /** Of each row, by name. */
    who: { type: 'string' },
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '25' },
    /** Of the file of who is to finish; as --seconds when left out. */
    'file-seconds': { type: 'string' },
    /** Of sftp for the small files; without it all of them, once. */
    'small-seconds': { type: 'string' },
    /** No run begins later. */
    minutes: { type: 'string', default: 'Infinity' },
    emulator: { type: 'string' },
    state: { type: 'string' },
    write: { type: 'boolean', default: false },
    /** What else is to be known of a measurement: a paragraph of the report. */
    note: { type: 'string' },
    /** Where it is written, instead of bench/. */
    out: { type: 'string' },
    /** A small client over the core instead of the command. */
    core: { type: 'boolean', default: false },
    policy: { type: 'string', default: 'fair' },
    files: { type: 'string', default: '10000' },
    megabytes: { type: 'string', default: '2048' },
    verbose: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

function number(
  name: 'runs' | 'seconds' | 'file-seconds' | 'small-seconds' | 'minutes' | 'files' | 'megabytes',
): number {
  const value = Number(options[name]);
  if (!(value > 0)) throw new Error(`--${name} is a number above 0`);
  return value;
}

const MiB = 2 ** 20;
const emulator = options.emulator ?? process.env['WAYBILL_LINK_EMULATOR'] ?? null;
const seconds = number('seconds');
const all = planAll({
  seconds,
  fileSeconds: options['file-seconds'] === undefined ? seconds : number('file-seconds'),
  smallSeconds: options['small-seconds'] === undefined ? null : number('small-seconds'),
  way: { core: options.core, policy: options.policy, verbose: options.verbose },
  loopbackBytes: number('megabytes') * MiB,
  smallFiles: number('files'),
});

function wantedRows(): Measurement[] {
  const ids = options.rows?.split(',');
  const unknown = ids?.find((id) => !all.some((row) => row.id === id || row.section === id));
  if (unknown !== undefined) throw new Error(`there is no row ${unknown}; --list names them`);
  return all.filter(({ id, section }) => ids === undefined || ids.includes(id) || ids.includes(section));
}

function wantedNames(): string[] | null {
  const names = options.who?.split(',') ?? null;
  const unknown = names?.find((name) => !all.some(({ contenders }) => contenders.some((one) => one.name === name)));
  if (unknown !== undefined) throw new Error(`there is no contender ${unknown}; --list names them`);
  return names;
}

const runs = options.runs === '0' ? 0 : number('runs');
const wanted: Wanted = { rows: wantedRows(), who: wantedNames(), runs };
const measured = load(options.state, `${options.core ? 'the core, ' : ''}policy ${options.policy}`);
const commit = execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], {
  encoding: 'utf8',
}).trim();

function head(picture: boolean): string[] {
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim();
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const made = emulator === null ? 'netem' : 'an emulator between two network namespaces';
  return [
    '# Fast transfers over long, lossy links',
    '',
    `Machine: ${machine}; ${kernel}; Node ${process.version}. ${about(measured)}`,
    `Links: ${made}. Command: \`npm run bench -- wan\`; medians (least-most). What the columns mean and what is timed: [README.md](README.md).`,
    '',
    ...(options.note === undefined ? [] : [options.note, '']),
    ...(picture ? ['![Share of what each link can carry](WAN.svg)', ''] : []),
  ];
}

function write(): void {
  const folder = options.out ?? path.join(import.meta.dirname, '..');
  const picture = chart(all, measured);
  if (picture !== null) writeFileSync(path.join(folder, 'WAN.svg'), picture);
  writeFileSync(path.join(folder, 'WAN.md'), report(all, measured, head(picture !== null)));
}

async function measureAll(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root');
  for (const command of ['iperf3', 'sftp', 'nsenter', 'ip'])
    if (!hasCommand(command)) throw new Error(`${command} is not installed`);
  const shm = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  removeLeftovers([...new Set([shm, tmpdir()])]);
  const [memory = '', disk = ''] = [shm, tmpdir()].map((place) =>
    mkdtempSync(path.join(place, `waybill-wan-${process.pid}-`)),
  );
  onAnyExit(() => {
    for (const folder of [memory, disk]) rmSync(folder, { recursive: true, force: true });
  });
  process.stdout.write(listed(estimate(wanted, measured), wanted.runs));
  const session = new Session({
    ...{ wanted, measured, emulator, commit, folder: disk, sources: new Sources(memory) },
    deadline: performance.now() + number('minutes') * 60_000,
    changed: (row, who) => {
      save(options.state, measured);
      if (who === null) return;
      const count = runsIn(measured, row.id, who).length;
      process.stdout.write(
        `${new Date().toISOString().slice(11, 19)} run ${count} ${lineOf(row, who, measured) ?? ''}\n`,
      );
      if (options.write) write();
    },
  });
  await session.run();
}

if (options.list) process.stdout.write(listed(estimate(wanted, measured), wanted.runs));
else {
  await measureAll();
  if (options.write) write();
}
process.exit(0);
