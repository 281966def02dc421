import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { decodeBundle } from '../../src/ledger/core/bundle.ts';
import { openCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { decodeEntry } from '../../src/ledger/core/entry.ts';
import { decodeHead } from '../../src/ledger/core/head.ts';
import { logFolder, logOrigin } from '../../src/ledger/core/layout.ts';
import { TileHashReader } from '../../src/ledger/core/hash-reader.ts';
import { Frontier, leafHash } from '../../src/ledger/core/merkle.ts';
import { parseVerifierKey, verifierNamed } from '../../src/ledger/core/note.ts';
import { tilePath, tileWidth } from '../../src/ledger/core/tiles.ts';
import { Recorder } from '../../src/ledger/recorder.ts';
import { openSequencer } from '../../src/ledger/recovery.ts';
import type { Sequencer } from '../../src/ledger/sequencer.ts';
import { openLedgerKey } from '../../src/ledger/signing-key.ts';
import type { LedgerKey } from '../../src/ledger/signing-key.ts';
import { below } from '../../src/ledger/tile-store.ts';
import type { TileStore } from '../../src/ledger/tile-store.ts';
import { TileFolder } from '../../src/store/folder/tile-folder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';

const TENANTS = ['a1', 'b2', 'c3'].map((two) => two.repeat(16));
const NODE = { run: '77'.repeat(16), name: 'node', software: 'waybill test' };
let folder: string;

interface Opened {
  readonly database: Database;
  readonly store: SqliteLedger;
  readonly recorder: Recorder;
  readonly sequencer: Sequencer;
  readonly key: LedgerKey;
  readonly failures: unknown[];
}

async function open(wrap: (tiles: TileStore) => TileStore = (tiles) => tiles): Promise<Opened> {
  const database = new Database(join(folder, 'waybill.db'));
  try {
    const store = new SqliteLedger(database);
    const recorder = new Recorder(store);
    const key = await openLedgerKey(join(folder, 'ledger.key'), store.heads() !== null);
    const tiles = wrap(new TileFolder(join(folder, 'ledger')));
    const failures: unknown[] = [];
    const report = (error: unknown): void => void failures.push(error);
    const sequencer = await openSequencer({ store, tiles, recorder, key, node: NODE, report });
    return { database, store, recorder, sequencer, key, failures };
  } catch (error) {
    database.close();
    throw error;
  }
}

async function record({ database, recorder }: Opened, tenant: string | null, path: string): Promise<void> {
  await database.write(() => {
    recorder.append(tenant, { kind: 'listed', session: 'ab'.repeat(16), folder: null, count: 1, path });
  });
}

/** Checks everything as a stranger with the public key would; answers the paths of each log, in order. */
function readAll({ key, store }: Opened): Map<string, string[]> {
  const vkey = parseVerifierKey(readFileSync(join(folder, 'ledger', 'vkey'), 'utf8').trim());
  assert.equal(key.origin, vkey.name);
  const found = new Map<string, string[]>();
  let total = 0;
  for (const { tenant, log } of store.logs()) {
    const origin = logOrigin(vkey.name, log);
    const entries = readLog(logFolder(log), origin, verifierNamed(vkey, origin));
    total += entries.length;
    const decoded = entries.map((bytes) => decodeEntry(bytes));
    assert.equal(decoded[0]?.kind, 'opened');
    found.set(
      tenant,
      decoded.flatMap((entry) => (entry.kind === 'listed' ? [entry.path] : [])),
    );
  }
  const heads = readLog('heads', vkey.name, vkey).map((bytes) => decodeHead(bytes));
  assert.equal(heads.at(-1)?.total, total);
  heads.reduce((before, { time }) => (assert.ok(time >= before), time), 0);
  return found;
}

/** Every tile that a tree of this size has, at every level, leads to its root; nothing beside the last two writings is left. */
async function checkTiles(place: string, size: number, root: Buffer): Promise<void> {
  const source = below(new TileFolder(join(folder, 'ledger')), place);
  const reader = new TileHashReader(source, size, root);
  for (let level = 0; tileWidth(level, 0, size) > 0; level++)
    for (let index = 0; tileWidth(level, index, size) > 0; index++) await reader.tile(level, index);
}

function readLog(place: string, origin: string, vkey: ReturnType<typeof parseVerifierKey>): Buffer[] {
  const root = join(folder, 'ledger', place);
  const checkpoint = openCheckpoint(readFileSync(join(root, 'checkpoint')), vkey, origin);
  const frontier = new Frontier();
  const entries: Buffer[] = [];
  for (let index = 0; index * 256 < checkpoint.size; index++) {
    const width = Math.min(256, checkpoint.size - index * 256);
    const bundle = decodeBundle(readFileSync(join(root, tilePath({ level: 'entries', index, width }))), width);
    const hashes = bundle.map((bytes) => leafHash(bytes));
    assert.deepEqual(readFileSync(join(root, tilePath({ level: 0, index, width }))), Buffer.concat(hashes));
    for (const hash of hashes) frontier.append(hash);
    entries.push(...bundle);
  }
  assert.deepEqual(frontier.root(), checkpoint.root);
  return entries;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-sequencer-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('entries of several tenants stand in their logs, in order, signed; nothing is left in the metadata', async () => {
  const opened = await open();
  const expected = new Map(TENANTS.map((tenant) => [tenant, [] as string[]]));
  for (let round = 0; round < 5; round++) {
    const writes: Promise<void>[] = [];
    for (let index = 0; index < 150; index++) {
      const tenant = TENANTS[(index * 7) % 3] ?? '';
      const path = `/${round}/${index}`;
      expected.get(tenant)?.push(path);
      writes.push(record(opened, tenant, path));
    }
    await Promise.all(writes);
    await opened.sequencer.seal();
  }
  assert.deepEqual(readAll(opened), expected);
  await opened.sequencer.stop();
  assert.equal(opened.store.countAfter(0), 0);
  assert.deepEqual(opened.store.sealings(), []);
  assert.deepEqual(opened.failures, []);
  opened.database.close();
});

test('goes on after restarts, across the width of tiles', async () => {
  const expected: string[] = [];
  for (const count of [3, 250, 2, 1, 300, 700]) {
    const opened = await open();
    const added = Array.from({ length: count }, (_, index) => `/${expected.length + index}`);
    expected.push(...added);
    await Promise.all(added.map((path) => record(opened, TENANTS[0] ?? '', path)));
    await opened.sequencer.stop();
    assert.deepEqual(opened.failures, []);
    assert.deepEqual(readAll(opened).get(TENANTS[0] ?? ''), expected);
    opened.database.close();
  }
});

class Stop extends Error {}

/** Fails for ever from the n-th effect on, perhaps with half of that effect done: what a crash there leaves. */
function dyingAfter(limit: number, half: boolean, inner: TileStore, effects: { count: number }): TileStore {
  const step = async (work: (torn: boolean) => Promise<void>): Promise<void> => {
    effects.count++;
    if (effects.count < limit) return work(false);
    if (effects.count === limit && half) await work(true);
    throw new Stop('crash');
  };
  return {
    read: (path) => inner.read(path),
    write: async (files) => {
      for (const { path, bytes } of files)
        await step((torn) => inner.write([{ path, bytes: torn ? bytes.subarray(0, bytes.length / 2) : bytes }]));
    },
    replace: (file) => step((torn) => (torn ? Promise.resolve() : inner.replace(file))),
    remove: (paths) => step((torn) => (torn ? Promise.resolve() : inner.remove(paths))),
  };
}

test('a crash at every write of a sealing leaves one history, with every entry', async () => {
  const run = async (limit: number, half: boolean): Promise<number> => {
    rmSync(folder, { recursive: true, force: true });
    folder = mkdtempSync(join(tmpdir(), 'waybill-sequencer-'));
    const expected = new Map([TENANTS[0] ?? '', TENANTS[1] ?? ''].map((tenant) => [tenant, [] as string[]]));
    const fill = async (opened: Opened, count: number): Promise<void> => {
      for (let index = 0; index < count; index++)
        for (const [tenant, paths] of expected) {
          paths.push(`/${paths.length}`);
          await record(opened, tenant, paths.at(-1) ?? '');
        }
    };
    const first = await open();
    await fill(first, 1);
    await first.sequencer.stop();
    first.database.close();
    const effects = { count: 0 };
    const dying = await open((tiles) => dyingAfter(limit, half, tiles, effects)).catch((error: unknown) => {
      assert.ok(error instanceof Stop);
      return null;
    });
    if (dying !== null) {
      await fill(dying, 1);
      await dying.sequencer.seal().catch((error: unknown) => {
        assert.ok(error instanceof Stop);
      });
      // Promised, and not sealed.
      await fill(dying, 1);
      dying.database.close();
    }
    const again = await open();
    await again.sequencer.seal();
    assert.deepEqual(readAll(again), expected);
    assert.deepEqual(again.failures, []);
    again.database.close();
    return effects.count;
  };
  const effects = await run(Infinity, false);
  assert.ok(effects > 10);
  for (let limit = 1; limit <= effects; limit++) for (const half of [false, true]) await run(limit, half);
});

test('a full disk under the tiles: entries wait, and are sealed when there is room', async () => {
  let full = true;
  const opened = await open((inner) => ({
    read: (path) => inner.read(path),
    write: (files) =>
      full ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) : inner.write(files),
    replace: (file) => inner.replace(file),
    remove: (paths) => inner.remove(paths),
  }));
  await record(opened, TENANTS[0] ?? '', '/1');
  await assert.rejects(opened.sequencer.seal(), /no space/);
  await record(opened, TENANTS[0] ?? '', '/2');
  full = false;
  await opened.sequencer.seal();
  assert.deepEqual(readAll(opened).get(TENANTS[0] ?? ''), ['/1', '/2']);
  opened.database.close();
});

test('a store or a ledger that was put back from an older copy is named, and nothing starts', async () => {
  const save = (name: string): void => {
    cpSync(folder, `${folder}-${name}`, { recursive: true });
  };
  const restore = (name: string, part: string): void => {
    rmSync(join(folder, part), { recursive: true, force: true });
    cpSync(join(`${folder}-${name}`, part), join(folder, part), { recursive: true });
  };
  const grow = async (): Promise<void> => {
    const opened = await open();
    await record(opened, TENANTS[0] ?? '', '/1');
    await opened.sequencer.stop();
    opened.database.close();
  };
  try {
    await grow();
    save('old');
    await grow();
    save('new');
    restore('old', 'ledger');
    await assert.rejects(open(), { code: 'ledger-rolled-back' });
    restore('new', 'ledger');
    restore('old', 'waybill.db');
    await assert.rejects(open(), { code: 'ledger-rolled-back' });
    restore('new', 'waybill.db');
    await grow();
  } finally {
    for (const name of ['old', 'new']) rmSync(`${folder}-${name}`, { recursive: true, force: true });
  }
});

test('a key that is gone, or another one, stops the start and changes nothing', async () => {
  const first = await open();
  await record(first, null, '/1');
  await first.sequencer.stop();
  first.database.close();
  const file = join(folder, 'ledger.key');
  const key = readFileSync(file);
  rmSync(file);
  await assert.rejects(open(), { code: 'ledger-key-missing' });
  assert.equal(existsSync(file), false);
  writeFileSync(file, 'nonsense');
  await assert.rejects(open(), { code: 'ledger-key-missing' });
  writeFileSync(file, key);
  const again = await open();
  again.database.close();
});

test('any bit of the growing end that is not as it was is found at the start', async () => {
  const opened = await open();
  for (let index = 0; index < 5; index++) await record(opened, TENANTS[0] ?? '', `/${index}`);
  await opened.sequencer.stop();
  const log = logFolder(opened.store.log(TENANTS[0] ?? '')?.log ?? '');
  opened.database.close();
  const places = [`${log}/checkpoint`, 'heads/checkpoint', 'heads/tile/entries/000.p/1', 'heads/tile/0/000.p/1'];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), fc.nat(), async (place, at) => {
      const file = join(folder, 'ledger', place);
      const bytes = readFileSync(file);
      const changed = Buffer.from(bytes);
      const index = at % changed.length;
      changed[index] = (changed[index] ?? 0) ^ 1;
      writeFileSync(file, changed);
      try {
        const found = await open();
        // A signature line of a key that nobody asked for says nothing.
        found.database.close();
        assert.fail(`${place} with byte ${index} changed was not noticed`);
      } catch (error) {
        assert.match((error as { code?: string }).code ?? String(error), /^ledger-(damaged|rolled-back)$/);
      } finally {
        writeFileSync(file, bytes);
      }
    }),
    { numRuns: 60 },
  );
});

test('tiles of every level stay, also those that a sealing does not change, and superseded ones go', async () => {
  const opened = await open();
  const tenant = TENANTS[0] ?? '';
  for (const count of [700, 3, 1, 1, 80, 1, 256, 2, 1, 1]) {
    await Promise.all(Array.from({ length: count }, (_, index) => record(opened, tenant, `/${index}`)));
    await opened.sequencer.seal();
    for (const { log, size, root } of opened.store.logs()) await checkTiles(logFolder(log), size, root);
    const { size, root } = opened.store.heads() ?? { size: 0, root: Buffer.alloc(0) };
    await checkTiles('heads', size, root);
  }
  // A reader may still hold the checkpoint before the last; older partial tiles are gone.
  const files = readdirSync(join(folder, 'ledger'), { recursive: true, encoding: 'utf8' });
  const partial = files.filter((file) => /\.p\/\d+$/.test(file));
  assert.ok(partial.length <= 12, partial.join(' '));
  await opened.sequencer.stop();
  opened.database.close();
});
