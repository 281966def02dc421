/**
 * A process that records and seals as the broker does, over real files, and is killed: by itself with SIGKILL at the n-th
 * of its writes (before it, after it, or with half of the file written), or by whoever started it at any moment. It
 * says on its standard output what it has been promised: one line for each entry that is durable.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import type { EntryStore } from '../../src/ledger/entry-store.ts';
import type { TileStore } from '../../src/ledger/tile-store.ts';
import { TileFolder } from '../../src/store/folder/tile-folder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';

const [folder = '', dieAt = '0', how = 'before', first = '0'] = process.argv.slice(2);
const TENANTS = ['a1', 'b2', 'c3'].map((two) => two.repeat(16));
const limit = Number(dieAt);
let effects = 0;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function effect(work: () => Promise<unknown>, torn: () => Promise<unknown>): Promise<void> {
  effects++;
  if (effects !== limit) {
    await work();
    return;
  }
  if (how === 'torn') await torn();
  if (how === 'after') await work();
  die();
}

function dying(inner: TileStore): TileStore {
  return {
    read: (path) => inner.read(path),
    write: async (files) => {
      for (const file of files) {
        const half = { path: file.path, bytes: file.bytes.subarray(0, Math.floor(file.bytes.length / 2)) };
        await effect(
          () => inner.write([file]),
          () => inner.write([half]),
        );
      }
    },
    replace: (file) =>
      effect(
        () => inner.replace(file),
        // A checkpoint's draft, which was not yet renamed.
        () => inner.write([{ path: `${file.path}.new`, bytes: file.bytes.subarray(0, 10) }]),
      ),
    remove: (paths) =>
      effect(
        () => inner.remove(paths),
        () => inner.remove(paths.slice(0, 1)),
      ),
  };
}

class DyingStore extends SqliteLedger implements EntryStore {
  override async write<T>(action: () => T): Promise<T> {
    let value: T | undefined;
    await effect(
      async () => (value = await super.write(action)),
      () => Promise.resolve(),
    );
    return value as T;
  }

  override async writePatiently<T>(action: () => T): Promise<T> {
    let value: T | undefined;
    await effect(
      async () => (value = await super.writePatiently(action)),
      () => Promise.resolve(),
    );
    return value as T;
  }
}

const database = new Database(join(folder, 'waybill.db'));
const store = new DyingStore(database);
const { recorder, sequencer } = await openLedger({
  store,
  tiles: dying(new TileFolder(join(folder, 'ledger'))),
  keyFile: join(folder, 'ledger.key'),
  nameOf: () => '',
  node: { name: 'crash', software: 'test' },
  build: { runtime: '', dependencies: '00'.repeat(32) },
  report: (error) => {
    writeSync(2, `${String(error)}\n`);
  },
});
writeSync(1, 'open\n');
for (let number = Number(first); ; number += 4) {
  const group = [0, 1, 2, 3].map((more) =>
    database
      .write(() => {
        recorder.append(TENANTS[(number + more) % 3] ?? '', {
          kind: 'release',
          session: 'ab'.repeat(16),
          reading: null,
          folder: null,
          file: null,
          version: null,
          first: 0,
          count: 1,
          bytes: number + more,
          path: '/',
        });
      })
      .then(() => writeSync(1, `${number + more}\n`)),
  );
  await Promise.all(group);
  await sequencer.seal();
}
