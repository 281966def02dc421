/** Kills a writer of a ledger again and again, and looks at what it left with the eyes of a stranger who has the public key. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeEntry } from '../../src/ledger/core/entry.ts';
import { Frontier, leafHash } from '../../src/ledger/core/merkle.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { TileFolder } from '../../src/store/folder/tile-folder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';
import { entryBytes, signedLogs } from '../ledger/reading.ts';
import type { SignedLog } from '../ledger/reading.ts';
import { seeded } from './load.ts';

const WRITER = join(import.meta.dirname, 'ledger-writer.ts');
/** A start and two sealings are about as many effects. */
const EFFECTS = 45;
const HOWS = ['before', 'after', 'torn'] as const;

export interface LedgerCrashReport {
  readonly kills: number;
  readonly promised: number;
  readonly checkpoints: number;
  readonly entries: number;
}

async function writeUntilKilled(folder: string, random: () => number, next: number): Promise<number[]> {
  const byItself = random() < 0.8;
  const at = byItself ? 1 + Math.floor(random() * EFFECTS) : 0;
  const how = HOWS[Math.floor(random() * HOWS.length)] ?? 'before';
  const child = spawn(process.execPath, [WRITER, folder, String(at), how, String(next)]);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    // Some milliseconds after the start, in the middle of whatever it is doing.
    if (!byItself && out.length > random() * 400) child.kill('SIGKILL');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the writer ended by itself (${code}): ${err}`);
  const whole = out.slice(0, out.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}

/** Whether each checkpoint ever seen is a prefix of what is there now; answers the numbers of the entries. */
function compare(folder: string, seen: readonly SignedLog[]): { numbers: number[]; entries: number } {
  const numbers: number[] = [];
  let count = 0;
  const ledger = join(folder, 'ledger');
  for (const log of signedLogs(ledger)) {
    const { place, root } = log;
    const own = seen.filter((one) => one.place === place);
    const frontier = new Frontier();
    const roots = new Map<number, Buffer>();
    const wanted = new Set(own.map((one) => one.size));
    for (const bytes of entryBytes(ledger, log)) {
      frontier.append(leafHash(bytes));
      if (wanted.has(frontier.size)) roots.set(frontier.size, frontier.root());
      if (place === 'heads') continue;
      count++;
      const entry = decodeEntry(bytes);
      if (entry.kind === 'release') numbers.push(entry.bytes);
    }
    assert.deepEqual(frontier.root(), root);
    for (const one of own) assert.deepEqual(roots.get(one.size), one.root, `${place} at ${one.size} was forked`);
  }
  return { numbers, entries: count };
}

export async function ledgerCrashes(kills: number, seed: number): Promise<LedgerCrashReport> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-ledger-crash-'));
  const random = seeded(seed);
  const promised: number[] = [];
  const seen: SignedLog[] = [];
  try {
    for (let index = 0; index < kills; index++) {
      promised.push(...(await writeUntilKilled(folder, random, index * 100_000)));
      // Every checkpoint that anybody could have fetched at this moment.
      seen.push(...signedLogs(join(folder, 'ledger')));
    }
    await finish(folder);
    const { numbers, entries } = compare(folder, seen);
    const counts = new Map<number, number>();
    for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
    for (const number of promised) assert.equal(counts.get(number), 1, `entry ${number} was promised`);
    assert.equal(counts.size, numbers.length, 'an entry stands twice');
    return { kills, promised: promised.length, checkpoints: seen.length, entries };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function finish(folder: string): Promise<void> {
  const database = new Database(join(folder, 'waybill.db'));
  const ledger = await openLedger({
    store: new SqliteLedger(database),
    tiles: new TileFolder(join(folder, 'ledger')),
    keyFile: join(folder, 'ledger.key'),
    nameOf: () => '',
    node: { name: 'end', software: 'test' },
    build: { runtime: '', dependencies: '00'.repeat(32) },
    report: (error) => {
      throw error;
    },
  });
  await ledger.stop();
  database.close();
}
