/**
 * npm run bench [-- --tables sftp,https] [--rows get,put] [--rounds 3] [--servers Waybill,OpenSSH,nginx] [--write]
 * Prints the Reach tables: Waybill beside its rivals in one run, the servers taking turns within each round, medians.
 * Encryption at rest and the broker are on, because nothing turns them off. `--write` also writes bench/RESULTS.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { httpsRows } from './https-rows.ts';
import { CIPHER as HTTPS_CIPHER, makeIdentity, startNginx, startWaybillHttps } from './https-servers.ts';
import { prepareLocal, rowsFor, type Place } from './rows.ts';
import { CIPHER, startOpenssh, startProftpd, startRclone, startWaybill } from './servers.ts';
import { headOf, linesOf, type Measured, type Row } from './table.ts';

const { values: options } = parseArgs({
  options: {
    tables: { type: 'string', default: 'sftp,https' },
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

type Starts<S> = readonly (readonly [name: string, start: () => Promise<S | null>])[];

interface Plan<S extends Measured> {
  readonly title: string;
  readonly client: string;
  readonly rival: string;
  readonly starts: Starts<S>;
  readonly rows: readonly Row<S, Place>[];
}

async function startAll<S extends Measured>(starts: Starts<S>, into: S[]): Promise<void> {
  const wanted = options.servers?.split(',');
  for (const [name, start] of starts) {
    if (wanted !== undefined && !wanted.includes(name)) continue;
    const server = await start();
    if (server !== null) into.push(server);
    else if (name !== 'before') process.stderr.write(`${name} is not installed and not measured\n`);
  }
}

/** Its servers run for it alone. Gives what was printed. */
async function run<S extends Measured>(plan: Plan<S>, place: Place): Promise<string[]> {
  const rows = plan.rows.filter(({ id }) => options.rows?.split(',').includes(id) !== false);
  if (rows.length === 0) return [];
  const lines: string[] = [];
  const print = (line: string): void => {
    lines.push(line);
    process.stdout.write(`${line}\n`);
  };
  const servers: S[] = [];
  try {
    await startAll(plan.starts, servers);
    const rival = options.before === undefined ? plan.rival : 'before';
    const table = { servers, rows, rival, rounds: Number(options.rounds) };
    print(`## ${plan.title}\n`);
    print(`Servers: ${servers.map(({ name, version }) => `${name} ${version}`).join('; ')}. ${plan.client}`);
    print(`Ratio: ${rival} and Waybill, more is better for Waybill.\n`);
    for (const line of headOf(table)) print(line);
    for await (const line of linesOf(table, place)) print(line);
    print('');
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return lines;
}

function sftpPlan(data: string, place: Place) {
  const { before } = options;
  const key = join(data, 'client_key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  mkdirSync(join(data, 'servers'));
  const work = { data: join(data, 'servers'), key, publicKey: `${key}.pub` };
  return {
    title: 'SFTP',
    client: `Client of every row but the idle one: OpenSSH sftp, ${CIPHER}, ed25519 key; idle sessions: npm ssh2.`,
    rival: 'OpenSSH',
    starts: [
      ['Waybill', () => startWaybill(work)],
      ['before', () => (before === undefined ? Promise.resolve(null) : startWaybill(work, before))],
      ['OpenSSH', () => startOpenssh(work)],
      ['ProFTPD', () => startProftpd(work)],
      ['rclone', () => startRclone(work)],
    ],
    rows: rowsFor(place.idleSessions),
  } as const;
}

function httpsPlan(data: string) {
  const { before } = options;
  const folder = join(data, 'https');
  mkdirSync(folder);
  const work = { data: folder, ...makeIdentity(data) };
  return {
    title: 'HTTPS',
    client: `Client: curl (files), own sockets (listings); HTTP/1.1, ${HTTPS_CIPHER}, ECDSA P-256. nginx: static files, WebDAV PUT, autoindex.`,
    rival: 'nginx',
    starts: [
      ['Waybill', () => startWaybillHttps(work)],
      ['before', () => (before === undefined ? Promise.resolve(null) : startWaybillHttps(work, before))],
      ['nginx', () => startNginx(work)],
    ],
    rows: httpsRows,
  } as const;
}

function introduction(): string[] {
  const commit = execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  const machine = `${String(cpus().length)} x ${cpus()[0]?.model ?? '?'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return [
    `Machine: ${machine}; Node ${process.version}; commit ${commit.trim()}; ${new Date().toISOString().slice(0, 10)}.`,
    `Command: \`npm run bench -- ${process.argv.slice(2).join(' ')}\`. Medians of ${options.rounds} (least-most), servers taking turns.`,
    '',
  ];
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
  try {
    prepareLocal(place);
    const head = introduction();
    process.stdout.write(`${head.join('\n')}\n`);
    const tables = options.tables.split(',');
    const lines = [
      ...(tables.includes('sftp') ? await run(sftpPlan(data, place), place) : []),
      ...(tables.includes('https') ? await run(httpsPlan(data), place) : []),
    ];
    if (options.write)
      writeFileSync(
        join(import.meta.dirname, 'RESULTS.md'),
        ['# Reach: Waybill beside its rivals', '', ...head, ...lines].join('\n'),
      );
  } finally {
    rmSync(data, { recursive: true, force: true });
    rmSync(local, { recursive: true, force: true });
  }
}

await main();
