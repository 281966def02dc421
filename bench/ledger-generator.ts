/**
 * node bench/ledger-generator.ts --folder DIR --entries 1000000 [--tenants 200] [--seed 1] [--head-every 4096]
 * Writes a ledger as a server of many tenants would have it: tiles, heads, changes, signed checkpoints and the public
 * key, as docs/design/ledger.md lays them out. The same options give the same tiles (the key is new each time, so the
 * signatures differ); more entries give the same ledger, longer.
 */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { parseArgs } from 'node:util';
import { signCheckpoint } from '../src/ledger/core/checkpoint.ts';
import { digest, encodeChanges, encodeHead } from '../src/ledger/core/head.ts';
import type { LogState } from '../src/ledger/core/head.ts';
import {
  changesPath,
  checkpointPath,
  encodeChangesFile,
  HEADS,
  logFolder,
  logOrigin,
  VKEY,
} from '../src/ledger/core/layout.ts';
import { formatVerifierKey, generateSignerKey, signerNamed } from '../src/ledger/core/note.ts';
import type { SignerKey } from '../src/ledger/core/note.ts';
import { SumTree } from '../src/ledger/core/sum-tree.ts';
import { TILE_WIDTH } from '../src/ledger/core/tiles.ts';
import { LogWriter } from './ledger-log-writer.ts';
import { writeLog } from './ledger-part.ts';
import type { LogHistory, PlanOptions } from './ledger-part.ts';
import { Random } from './ledger-random.ts';

const SOFTWARE = 'waybill 1.0.0';

export interface GeneratorOptions {
  readonly folder: string;
  /** Rounded up to whole heads. */
  readonly entries: number;
  readonly tenants?: number;
  readonly seed?: number;
  readonly headEvery?: number;
  readonly started?: number;
  /** How much time passes: entries a second. */
  readonly rate?: number;
  /** 0: in this thread. */
  readonly workers?: number;
  readonly signer?: SignerKey;
  readonly quietAfter?: Readonly<Record<number, number>>;
}

export interface GeneratedLedger {
  readonly folder: string;
  readonly signer: SignerKey;
  readonly key: string;
  readonly entries: number;
  readonly heads: number;
  /** Blinded identifiers by number of the tenant; 0 is the installation's log. */
  readonly logs: readonly string[];
}

export async function generateLedger(options: GeneratorOptions): Promise<GeneratedLedger> {
  const { folder, tenants = 20, seed = 1, headEvery = 4096, rate = 13, workers = 0 } = options;
  const heads = Math.ceil(options.entries / headEvery);
  const started = options.started ?? Date.UTC(2026, 0, 5);
  const headMilliseconds = Math.max(2, Math.round((headEvery / rate) * 1000));
  const quietAfter = options.quietAfter ?? {};
  const plan: PlanOptions = { folder, seed, tenants, heads, headEvery, started, headMilliseconds, quietAfter };
  const signer = options.signer ?? generateSignerKey('waybill.example/ledger');
  mkdirSync(folder, { recursive: true });
  const numbers = Array.from({ length: tenants + 1 }, (_, number) => number);
  const histories =
    workers === 0 ? numbers.map((number) => writeLog(plan, number)) : await inWorkers(plan, numbers, workers);
  const entries = writeHeads(plan, histories, signer);
  writeFileSync(path.join(folder, VKEY), `${formatVerifierKey(signer.verifier)}\n`);
  return {
    folder,
    signer,
    key: formatVerifierKey(signer.verifier),
    entries,
    heads,
    logs: histories.map(({ log }) => log),
  };
}

async function inWorkers(plan: PlanOptions, numbers: readonly number[], count: number): Promise<LogHistory[]> {
  const histories: LogHistory[] = [];
  // The large logs have low numbers: they come first.
  const waiting = [...numbers];
  await Promise.all(
    Array.from({ length: count }, async () => {
      const worker = new Worker(path.join(import.meta.dirname, 'ledger-part.ts'), { workerData: { plan } });
      for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
        worker.postMessage(number);
        // Rejects when the worker dies.
        const [history] = (await once(worker, 'message')) as [LogHistory];
        histories[number] = history;
      }
      worker.postMessage(null);
    }),
  );
  return histories;
}

/** Everything that is signed, and what each head changed. Answers how many entries there are. */
function writeHeads(plan: PlanOptions, histories: readonly LogHistory[], signer: SignerKey): number {
  const { folder, heads, started, headMilliseconds } = plan;
  const run = new Random(plan.seed, 0).id().toString('hex');
  const writer = new LogWriter(path.join(folder, HEADS));
  rmSync(path.join(folder, HEADS, 'changes'), { recursive: true, force: true });
  const tree = new SumTree();
  const cursors = histories.map(() => 0);
  let parts: Buffer[] = [];
  for (let head = 0; head < heads; head++) {
    const states = histories.flatMap((history, number) => stateAt(history, cursors, number, head));
    for (const { log, size, root } of states) tree.set({ id: Buffer.from(log, 'hex'), size, root });
    const { hash: sumRoot, sum: total, count: tenants } = tree.root();
    const changes = encodeChanges(states);
    const time = started + (head + 1) * headMilliseconds;
    writer.append(encodeHead({ time, sumRoot, total, tenants, changes: digest(changes), run, software: SOFTWARE }));
    parts.push(changes);
    if (parts.length === TILE_WIDTH || head === heads - 1) {
      const file = path.join(folder, changesPath(Math.floor(head / TILE_WIDTH), parts.length));
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, encodeChangesFile(parts));
      parts = [];
    }
  }
  writer.finish();
  writeCheckpoints(folder, histories, signer, writer);
  return tree.root().sum;
}

function stateAt(history: LogHistory, cursors: number[], number: number, head: number): LogState[] {
  const at = cursors[number] ?? 0;
  if (history.heads[at] !== head) return [];
  cursors[number] = at + 1;
  return [{ log: history.log, size: history.sizes[at] ?? 0, root: Buffer.from(history.roots[at] ?? '', 'latin1') }];
}

function writeCheckpoints(folder: string, histories: readonly LogHistory[], signer: SignerKey, heads: LogWriter): void {
  const origin = signer.verifier.name;
  const write = (where: string, name: string, size: number, root: Buffer): void => {
    const note = signCheckpoint({ origin: name, size, root, extensions: [] }, [signerNamed(signer, name)]);
    writeFileSync(path.join(folder, checkpointPath(where)), note);
  };
  for (const { log, sizes, roots } of histories)
    if (sizes.length > 0)
      write(logFolder(log), logOrigin(origin, log), sizes.at(-1) ?? 0, Buffer.from(roots.at(-1) ?? '', 'latin1'));
  write(HEADS, origin, heads.size, heads.root());
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      entries: { type: 'string', default: '1000000' },
      tenants: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      'head-every': { type: 'string', default: '4096' },
      rate: { type: 'string', default: '13' },
      workers: { type: 'string', default: '2' },
    },
  });
  if (values.folder === undefined) throw new Error('--folder DIR says where the ledger goes');
  const started = performance.now();
  const { key, entries, heads } = await generateLedger({
    folder: values.folder,
    entries: Number(values.entries),
    tenants: Number(values.tenants),
    seed: Number(values.seed),
    headEvery: Number(values['head-every']),
    rate: Number(values.rate),
    workers: Number(values.workers),
  });
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${entries} entries, ${heads} heads in ${seconds.toFixed(1)} s; key: ${key}\n`);
}
