/** A real ledger, written by the server's own recorder and sequencer, whose tiles are kept in memory: quick to change. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Event } from '../../../src/ledger/core/kinds.ts';
import { parseVerifierKey } from '../../../src/ledger/core/note.ts';
import type { VerifierKey } from '../../../src/ledger/core/note.ts';
import { Recorder } from '../../../src/ledger/recorder.ts';
import { openSequencer } from '../../../src/ledger/recovery.ts';
import type { Sequencer } from '../../../src/ledger/sequencer.ts';
import { openLedgerKey } from '../../../src/ledger/signing-key.ts';
import type { LedgerKey } from '../../../src/ledger/signing-key.ts';
import type { TileFile, TileStore } from '../../../src/ledger/tile-store.ts';
import type { FolderEntry, LedgerFiles } from '../../../src/ledger/verify/ledger-files.ts';
import { Database } from '../../../src/store/sqlite/database.ts';
import { SqliteLedger } from '../../../src/store/sqlite/ledger.ts';

export class MemoryFiles implements TileStore, LedgerFiles {
  readonly files: Map<string, Buffer>;
  /** Set to make removals of superseded files not happen. */
  keepAll = false;

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.files = new Map(files);
  }

  read(file: string): Promise<Buffer | null> {
    return Promise.resolve(this.files.get(file) ?? null);
  }

  write(files: readonly TileFile[]): Promise<void> {
    for (const { path, bytes } of files) this.files.set(path, Buffer.from(bytes));
    return Promise.resolve();
  }

  replace({ path, bytes }: TileFile): Promise<void> {
    this.files.set(path, Buffer.from(bytes));
    return Promise.resolve();
  }

  remove(paths: readonly string[]): Promise<void> {
    if (!this.keepAll) for (const path of paths) this.files.delete(path);
    return Promise.resolve();
  }

  list(folder: string): Promise<FolderEntry[]> {
    const start = folder === '' ? '' : `${folder}/`;
    const found = new Map<string, boolean>();
    for (const file of this.files.keys()) {
      if (!file.startsWith(start)) continue;
      const [name = '', ...rest] = file.slice(start.length).split('/');
      found.set(name, rest.length > 0);
    }
    return Promise.resolve(
      [...found].map(([name, isFolder]) => ({ name, folder: isFolder })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  copy(): MemoryFiles {
    return new MemoryFiles(this.files);
  }
}

export interface Scene {
  readonly files: MemoryFiles;
  readonly key: LedgerKey;
  readonly verifier: VerifierKey;
  readonly recorder: Recorder;
  /** Of the tenant's log. */
  logOf(tenant: string | null): string;
  record(tenant: string | null, ...events: Event[]): Promise<void>;
  seal(): Promise<void>;
  /** Milliseconds since 1970 of everything that is recorded from now on. */
  setTime(time: number): void;
  /** Stops the sequencer and starts another one, as a restart does. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export const NODE = { run: '77'.repeat(16), name: 'node', software: 'waybill test' };

export async function openScene(nameOf: (tenant: string) => string = (tenant) => `tenant ${tenant}`): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-verify-'));
  const files = new MemoryFiles();
  const database = new Database(join(folder, 'waybill.db'));
  const store = new SqliteLedger(database);
  let time = Date.UTC(2026, 5, 1);
  const clock = { now: () => time, monotonic: () => time };
  const key = await openLedgerKey(join(folder, 'ledger.key'), false);
  const open = async (): Promise<{ recorder: Recorder; sequencer: Sequencer }> => {
    const recorder = new Recorder(store, { nameOf, clock });
    const report = (error: unknown): void => {
      throw error;
    };
    return { recorder, sequencer: await openSequencer({ store, tiles: files, recorder, key, node: NODE, report }) };
  };
  let opened = await open();
  return {
    files,
    key,
    verifier: parseVerifierKey(key.vkey),
    get recorder() {
      return opened.recorder;
    },
    logOf: (tenant) => store.log(tenant ?? '0'.repeat(32))?.log ?? '',
    record: (tenant, ...events) =>
      database.write(() => {
        for (const event of events) opened.recorder.append(tenant, event);
      }),
    seal: () => opened.sequencer.seal(),
    setTime: (next) => {
      time = next;
    },
    restart: async () => {
      await opened.sequencer.stop();
      opened = await open();
    },
    close: async () => {
      await opened.sequencer.stop();
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
