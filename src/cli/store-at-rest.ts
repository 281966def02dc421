/**
 * The store of a data folder that no server runs on, for `waybill check`. Opened for reading only and under the folder's
 * lock, so that no server changes it meanwhile.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { WaybillError } from '../base/errors.ts';
import type { AdminResponse } from '../broker/admin-calls.ts';
import { findingRow } from '../broker/administration.ts';
import { dataFolderAt } from '../config/data-folder.ts';
import { readOptions } from '../config/read-options.ts';
import { checkNext } from '../files/check.ts';
import { Keys } from '../keys/keys.ts';
import { rootKeyProviders } from '../keys/providers.ts';
import { BlobFolder } from '../store/folder/blob-folder.ts';
import { Database } from '../store/sqlite/database.ts';
import { SqliteFiles } from '../store/sqlite/files.ts';
import { lockFolder } from '../store/sqlite/folder-lock.ts';
import { SqliteKeys } from '../store/sqlite/keys.ts';

export interface StoreWalk {
  /** A bounded part; start with ''. */
  next(after: string): Promise<AdminResponse<'check.next'>>;
  close(): void;
}

export async function openStoreAtRest(dataFolder: string): Promise<StoreWalk> {
  const folder = dataFolderAt(dataFolder);
  if (!existsSync(folder.database))
    throw new WaybillError('data-folder-invalid', `${dataFolder} holds no store, and no server answers on it`);
  const rootKeys = rootKeyProviders(readOptions({ data: dataFolder }), () => undefined);
  // A copy from a backup has no run/: there is nothing in it to keep.
  mkdirSync(folder.run, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder.lock);
  if (lock === null)
    throw new WaybillError('already-running', `a server is starting or ending on the data folder ${dataFolder}`);
  let database: Database | null = null;
  const close = (): void => {
    database?.close();
    lock.release();
  };
  try {
    database = new Database(folder.database, { readOnly: true });
    const keys = await Keys.open(new SqliteKeys(database), rootKeys(folder.rootKey), { create: false });
    const options = { store: new SqliteFiles(database), blobs: BlobFolder.at(folder.root), keys };
    return {
      next: async (after) => {
        const part = await checkNext(options, after);
        return { ...part, findings: part.findings.map(findingRow) };
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
