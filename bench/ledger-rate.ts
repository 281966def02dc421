/**
 * npm run bench:ledger [-- --seconds 5 --writers 256 --rounds 3]
 * Entries a second that the ledger takes over, made durable in groups and sealed into signed tiles meanwhile, as the
 * broker does it: one process, the real metadata store, the real tiles. Each writer waits until its entry is durable.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openLedger } from '../src/ledger/open-ledger.ts';
import { TileFolder } from '../src/store/folder/tile-folder.ts';
import { Checkpointer } from '../src/store/sqlite/checkpointer.ts';
import { Database } from '../src/store/sqlite/database.ts';
import { SqliteLedger } from '../src/store/sqlite/ledger.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    writers: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    tenants: { type: 'string', default: '12' },
  },
});

const id = (number: number): string => number.toString(16).padStart(32, '0');

interface Rate {
  readonly perSecond: number;
  readonly sealed: number;
  /** Milliseconds from the last answer until everything was published. */
  readonly behind: number;
  readonly cpu: number;
}

async function rate(writers: number, seconds: number, tenants: number): Promise<Rate> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-ledger-rate-'));
  const database = new Database(join(folder, 'waybill.db'));
  const checkpointer = new Checkpointer(database, join(folder, 'waybill.db'));
  try {
    const ledger = await openLedger({
      store: new SqliteLedger(database),
      tiles: new TileFolder(join(folder, 'ledger')),
      keyFile: join(folder, 'ledger.key'),
      nameOf: () => '',
      node: { name: 'bench', software: 'bench' },
      build: { runtime: '', dependencies: '00'.repeat(32) },
      report: (error) => {
        throw error;
      },
    });
    let count = 0;
    const start = performance.now();
    const cpu = process.cpuUsage();
    const end = start + seconds * 1000;
    const writer = async (number: number): Promise<void> => {
      while (performance.now() < end) {
        const at = count++;
        await database.write(() => {
          ledger.recorder.append(id(1 + (at % tenants)), {
            kind: 'release',
            session: id(number + 1),
            reading: id(at + 1),
            folder: id(7),
            file: id(at + 1),
            version: id(at + 1),
            first: 0,
            count: 1,
            bytes: 10_240,
            path: `/2026/11/statement-${at}.pdf`,
          });
        });
      }
    };
    await Promise.all(Array.from({ length: writers }, (_, number) => writer(number)));
    const took = (performance.now() - start) / 1000;
    const used = process.cpuUsage(cpu);
    const left = performance.now();
    await ledger.stop();
    const behind = performance.now() - left;
    return { perSecond: count / took, sealed: count, behind, cpu: (used.user + used.system) / 1e6 / took };
  } finally {
    await checkpointer.stop();
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

process.stdout.write(
  '| waiting at once | entries/s, median (least-most) | sealed within, after the last | CPU |\n|---|---|---|---|\n',
);
for (const writers of options.writers === undefined ? [1, 16, 256, 2048] : [Number(options.writers)]) {
  const rates: Rate[] = [];
  for (let round = 0; round < Number(options.rounds); round++)
    rates.push(await rate(writers, Number(options.seconds), Number(options.tenants)));
  const perSecond = rates.map((one) => one.perSecond);
  const cells = [
    writers,
    `${median(perSecond).toFixed(0)} (${Math.min(...perSecond).toFixed(0)}-${Math.max(...perSecond).toFixed(0)})`,
    `${median(rates.map(({ behind }) => behind)).toFixed(0)} ms`,
    `${median(rates.map(({ cpu }) => cpu)).toFixed(2)} cores`,
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}
