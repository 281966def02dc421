/** The data folder's places, and whether it can be trusted: it holds keys, so it must be the owner's alone. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';

export interface DataFolder {
  readonly root: string;
  /** Root key and host keys. Fronts cannot see it. */
  readonly keys: string;
  readonly meta: string;
  readonly run: string;
  readonly database: string;
  readonly rootKey: string;
  readonly lock: string;
  /** Tiles and checkpoints: nothing in it is secret to who may see the records. */
  readonly ledger: string;
  readonly ledgerKey: string;
}

export function dataFolderAt(root: string): DataFolder {
  const [keys, meta, run] = ['keys', 'meta', 'run'].map((name) => path.join(root, name)) as [string, string, string];
  return {
    root,
    keys,
    meta,
    run,
    database: path.join(meta, 'waybill.db'),
    rootKey: path.join(keys, 'root.key'),
    lock: path.join(run, 'lock'),
    ledger: path.join(root, 'ledger'),
    ledgerKey: path.join(keys, 'ledger.key'),
  };
}

/** Makes what is missing; throws `data-folder-invalid` in one line when it cannot be used. */
export function prepareDataFolder(root: string): DataFolder {
  const folder = dataFolderAt(root);
  for (const place of [folder.root, folder.keys, folder.meta, folder.run]) {
    try {
      mkdirSync(place, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw unusable(place, `it cannot be made (${codeOf(cause)})`, cause);
    }
    checkPrivate(place);
  }
  return folder;
}

function checkPrivate(place: string): void {
  const found = statSync(place);
  if (!found.isDirectory()) throw unusable(place, 'it is not a folder');
  const own = process.getuid?.();
  if (own !== undefined && found.uid !== own) {
    throw unusable(place, `it belongs to user ${found.uid}, the server runs as ${own}`);
  }
  if ((found.mode & 0o077) === 0) return;
  const mode = (found.mode & 0o777).toString(8);
  throw unusable(place, `others can enter it (mode ${mode}). If it is meant for Waybill, run: chmod 700 ${place}`);
}

function unusable(place: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError('data-folder-invalid', `the folder ${place} cannot be used: ${why}`, { cause });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}
