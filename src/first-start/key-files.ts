/** Key files of the data folder: private ones are the broker's alone, and one that cannot be used stops the start. */
import { open, readFile } from 'node:fs/promises';
import { WaybillError } from '../base/errors.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';

const FILE_MAX = 64 * 1024;

/** Null when there is none. */
export async function readPrivate(file: string): Promise<string | null> {
  const found = await readBounded(file);
  if (found === null) return null;
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    throw unusable(file, `others can read it (mode ${mode}). If nobody has, run: chmod 600 ${file}`);
  }
  return found.text;
}

export async function readBounded(file: string): Promise<{ text: string; mode: number } | null> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw unusable(file, 'it cannot be opened', error);
  }
  try {
    const { mode, size } = await handle.stat();
    if (size > FILE_MAX) throw unusable(file, 'it is too long for a key');
    return { text: await readFile(handle, 'utf8'), mode };
  } finally {
    await handle.close();
  }
}

export function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof KeyRefused) throw unusable(file, error.message, error);
    throw error;
  }
}

export function unusable(file: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError('data-folder-invalid', `the key file ${file} cannot be used: ${why}`, { cause });
}
