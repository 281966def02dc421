import { DatabaseSync } from 'node:sqlite';
import { failureOf } from './failures.ts';

/**
 * The lock of a folder: the file's own lock, which the system lets go when the process ends, however it ends. So there
 * is no stale lock to judge after a crash. Null when another process holds it.
 */
export function lockFolder(file: string): { release(): void } | null {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null;
    throw failureOf(error);
  }
  return {
    release: () => {
      lock.close();
    },
  };
}

const SQLITE_BUSY = 5;
