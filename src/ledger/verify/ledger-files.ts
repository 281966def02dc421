/** The files of a ledger folder as a verifier reads them: bounded, never more than a regular file, nothing trusted. */
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';

export interface FolderEntry {
  readonly name: string;
  readonly folder: boolean;
}

/** Paths are relative, with "/" between names. */
export interface LedgerFiles {
  /** Null when there is none. Throws `ledger-damaged` for one that is longer than `max`, or is no file. */
  read(file: string, max: number): Promise<Buffer | null>;
  /** Sorted by name; empty when there is no such folder. */
  list(folder: string): Promise<FolderEntry[]>;
}

export class LedgerFolder implements LedgerFiles {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async read(file: string, max: number): Promise<Buffer | null> {
    // Not blocking: a pipe under the name of a tile must not hold the verifier up.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const handle = await open(path.join(this.root, file), flags).catch((error: unknown) => {
      if (isAbsent(error)) return null;
      throw error;
    });
    if (handle === null) return null;
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new WaybillError('ledger-damaged', `${file} is not a file`);
      if (stats.size > max)
        throw new WaybillError('ledger-damaged', `${file} has ${stats.size} bytes, at most ${max} can be right`);
      const bytes = Buffer.allocUnsafe(stats.size);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await handle.close();
    }
  }

  async list(folder: string): Promise<FolderEntry[]> {
    try {
      const found = await readdir(path.join(this.root, folder), { withFileTypes: true });
      return found
        .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
