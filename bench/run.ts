/**
 * npm run bench [-- --rows get,put] [--rounds 3] [--servers Waybill,OpenSSH] [--write]
 * Prints the Reach table: Waybill beside its rivals in one run, the servers taking turns within each round, medians.
 * Encryption at rest and the broker are on, because nothing turns them off. `--write` also writes bench/RESULTS.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareLocal, rowsFor, type Place, type Row } from './rows.ts';
import { startOpenssh, startProftpd, startRclone, startWaybill, type BenchServer, type Workspace } from './servers.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    servers: { type: 'string' },
    megabytes: { type: 'string', default: '1024' },
    sessions: { type: 'string', default: '1000' },
    write: { type: 'boolean', default: false },
    /** Folder of another checkout with its packages installed: a column "before", and what the ratio is against. */
    before: { type: 'string' },
  },
});

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** Whom the ratio is against. */
const RIVAL = options.before === undefined ? 'OpenSSH' : 'before';

type Figures = Map<string, number[]>;
const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function line(row: Row, servers: readonly BenchServer[], figures: Figures): string {
  const ours = median(figures.get('Waybill') ?? []);
  const theirs = median(figures.get(RIVAL) ?? []);
  const cells = servers.map(({ name }) => {
    const values = figures.get(name) ?? [];
    return values.length === 0
      ? '-'
      : `${figure(median(values))} (${figure(Math.min(...values))}-${figure(Math.max(...values))})`;
  });
  const ratio = theirs / ours;
  const verdict = Number.isNaN(ratio) ? '-' : ratio >= row.aim ? 'aim' : ratio >= row.bar ? 'bar' : 'short';
  return `| ${row.title}, ${row.unit} | ${cells.join(' | ')} | ${Number.isNaN(ratio) ? '-' : `${ratio.toFixed(2)}x`} | ${row.bar.toFixed(2)}x | ${row.aim.toFixed(2)}x | ${verdict} |`;
}

async function measure(row: Row, servers: readonly BenchServer[], place: Place): Promise<Figures> {
  const figures: Figures = new Map(servers.map(({ name }) => [name, []]));
  const report = (server: BenchServer, error: unknown): void => {
    process.stderr.write(`${row.id} ${server.name}: ${error instanceof Error ? error.message : String(error)}\n`);
  };
  for (const server of servers) {
    await row.prepare?.(server, place).catch((error: unknown) => {
      report(server, error);
    });
  }
  const rounds = Math.min(Number(options.rounds), row.rounds ?? Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      if (row.only !== undefined && !row.only.includes(server.name)) continue;
      // What the run before left to be written to the disk is not this one's burden.
      execFileSync('sync');
      try {
        figures.get(server.name)?.push(await row.run(server, place));
      } catch (error) {
        report(server, error);
      }
    }
  }
  return figures;
}

async function main(): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'waybill-bench-'));
  const local = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'waybill-bench-'));
  const place: Place = {
    local,
    megabytes: Number(options.megabytes),
    smallFiles: 2000,
    idleSessions: Number(options.sessions),
  };
  const servers: BenchServer[] = [];
  try {
    const key = join(data, 'client_key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    mkdirSync(join(data, 'servers'));
    const work = { data: join(data, 'servers'), key, publicKey: `${key}.pub` };
    const wanted = options.servers?.split(',');
    for (const [name, start] of [
      ['Waybill', (place: Workspace) => startWaybill(place)],
      ['before', (place: Workspace) => (options.before === undefined ? null : startWaybill(place, options.before))],
      ['OpenSSH', startOpenssh],
      ['ProFTPD', startProftpd],
      ['rclone', startRclone],
    ] as const) {
      if (wanted !== undefined && !wanted.includes(name)) continue;
      const server = await start(work);
      if (server === null && name === 'before') continue;
      if (server === null) process.stderr.write(`${name} is not installed and not measured\n`);
      else servers.push(server);
    }
    prepareLocal(place);
    const head = [
      `Machine: ${String(cpus().length)} x ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB; Node ${process.version}; commit ${execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()}; ${new Date().toISOString().slice(0, 10)}.`,
      `Servers: ${servers.map(({ name, version }) => `${name} ${version}`).join('; ')}. Client of every row but the idle one: OpenSSH sftp, aes256-gcm@openssh.com, ed25519 key; idle sessions: npm ssh2.`,
      `Command: \`npm run bench -- ${process.argv.slice(2).join(' ')}\`. Medians of ${options.rounds} (least-most), servers taking turns; ratio = ${RIVAL} / Waybill, more is better for Waybill.`,
      '',
      `| work | ${servers.map(({ name }) => name).join(' | ')} | ratio | bar | aim | |`,
      `|---|${servers.map(() => '---').join('|')}|---|---|---|---|`,
    ];
    process.stdout.write(head.join('\n') + '\n');
    const lines: string[] = [];
    for (const row of rowsFor(place.idleSessions)) {
      if (options.rows !== undefined && !options.rows.split(',').includes(row.id)) continue;
      const printed = line(row, servers, await measure(row, servers, place));
      lines.push(printed);
      process.stdout.write(printed + '\n');
    }
    if (options.write)
      writeFileSync(
        join(import.meta.dirname, 'RESULTS.md'),
        ['# Reach: Waybill beside its rivals', '', ...head, ...lines, ''].join('\n'),
      );
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(data, { recursive: true, force: true });
    rmSync(local, { recursive: true, force: true });
  }
}

await main();
