/** Keys over a real database in a temporary folder, with the acts of an operator, and a memory of what was recorded. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyActs } from '../../src/keys/key-acts.ts';
import type { KeyActsParts } from '../../src/keys/key-acts.ts';
import { Keys } from '../../src/keys/keys.ts';
import type { FileKey } from '../../src/keys/keys.ts';
import type { KeyRecord } from '../../src/keys/records.ts';
import { RootKeyFile } from '../../src/keys/root-key.ts';
import type { RootKeyProvider } from '../../src/keys/root-key-provider.ts';
import type { KeyStore } from '../../src/keys/store.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteFiles } from '../../src/store/sqlite/files.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';

export const BLOB = 'ab'.repeat(16);
export const ACT = { actor: 'anna', approvedBy: 'bert' };

export interface SceneOptions {
  readonly folder?: string;
  readonly providers?: (local: RootKeyFile) => readonly RootKeyProvider[];
  readonly wrapStore?: (store: KeyStore) => KeyStore;
  readonly parts?: Partial<KeyActsParts>;
}

export class Scene {
  readonly folder: string;
  readonly file: string;
  readonly database: Database;
  readonly store: KeyStore;
  readonly files: SqliteFiles;
  readonly keys: Keys;
  readonly acts: KeyActs;
  readonly records: KeyRecord[] = [];
  readonly failures: unknown[] = [];
  readonly ended: string[] = [];

  private constructor(folder: string, database: Database, store: KeyStore, keys: Keys, parts: Partial<KeyActsParts>) {
    this.folder = folder;
    this.file = join(folder, 'root.key');
    this.database = database;
    this.store = store;
    this.files = new SqliteFiles(database);
    this.keys = keys;
    this.acts = new KeyActs({
      keys,
      store,
      record: (record) => void this.records.push(record),
      endSessions: (tenant) => this.ended.push(tenant),
      removeContents: () => Promise.resolve({ files: 0, done: true }),
      report: (error) => void this.failures.push(error),
      ...parts,
    });
  }

  static async open(options: SceneOptions = {}): Promise<Scene> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'waybill-keys-'));
    const database = new Database(join(folder, 'waybill.db'));
    try {
      const sqlite = new SqliteKeys(database);
      const store = options.wrapStore?.(sqlite) ?? sqlite;
      const local = new RootKeyFile(join(folder, 'root.key'));
      const keys = await Keys.open(store, options.providers?.(local) ?? local);
      return new Scene(folder, database, store, keys, options.parts ?? {});
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** As a crash leaves it. */
  async reopen(options: Omit<SceneOptions, 'folder'> = {}): Promise<Scene> {
    this.crash();
    return Scene.open({ ...options, folder: this.folder });
  }

  crash(): void {
    if (this.database.sql.isOpen) this.database.close();
  }

  async destroy(): Promise<void> {
    if (this.database.sql.isOpen) await this.acts.stop();
    this.crash();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async tenant(id: string): Promise<void> {
    const row = await this.keys.newTenantKey(id);
    await this.store.write(() => {
      this.keys.insertTenantKey(row);
    });
  }

  /** A file of the tenant with a row of its own. */
  async storeFile(tenant: string, file: string): Promise<FileKey> {
    const key = this.keys.newFileKey(tenant, file);
    await this.store.write(() => {
      this.files.insertFileKey(this.keys.renewed(key));
    });
    return key;
  }

  /** The key as its row has it now. */
  row(file: string): FileKey {
    const found = this.store.fileKeyOf(file);
    if (found === null) throw new Error(`no row for ${file}`);
    return found;
  }

  segment(file: string): string {
    return this.keys.segmentKey(this.row(file), BLOB, 3).toString('hex');
  }
}
