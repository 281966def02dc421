/**
 * A list of passwords that are known from breaches, as a file that is never read whole: lines in order, each the first
 * five digits of a password's SHA-1, the other 35 and a count, "PREFIX:SUFFIX:COUNT" (the ranges of k-anonymity services
 * one after another) or "PREFIXSUFFIX:COUNT" (their file in one piece). SHA-1 names the entry and protects nothing.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { WaybillError } from '../base/errors.ts';

export interface BreachedPasswords {
  contains(password: string): Promise<boolean>;
}

/** Ships with us: docs/sign-in.md says what is in it. */
export const OWN_LIST = new URL('known-passwords.txt', import.meta.url).pathname;

const LINE = /^([0-9A-Fa-f]{5}):?([0-9A-Fa-f]{35}):\d{1,12}$/;
/** Longer than any line is. */
const LINE_MAX = 64;

/** In all of these files. Throws `option-invalid` when one is not such a list. */
export async function openBreachedPasswords(files: readonly string[]): Promise<BreachedPasswords> {
  for (const file of files) await checkFile(file);
  return {
    contains: async (password) => {
      const wanted = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase();
      for (const file of files) if (await withFile(file, (handle, size) => find(handle, size, wanted))) return true;
      return false;
    },
  };
}

async function checkFile(file: string): Promise<void> {
  await withFile(file, async (handle, size) => {
    for (const share of [0, 0.25, 0.5, 0.75]) await lineAt(handle, size, Math.floor(size * share));
    if (size === 0) throw new WaybillError('option-invalid', `${file} is empty; it should list breached passwords`);
  });
}

async function withFile<T>(file: string, work: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (cause) {
    throw new WaybillError('option-invalid', `the list of breached passwords ${file} cannot be read`, { cause });
  }
  try {
    return await work(handle, (await handle.stat()).size);
  } finally {
    await handle.close();
  }
}

async function find(handle: FileHandle, size: number, wanted: string): Promise<boolean> {
  // Of all lines that begin at `low` or later and before `high`, one may be it.
  let [low, high] = [0, size];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const line = await lineAt(handle, size, middle);
    if (line === null || line.start >= high) high = middle;
    else if (line.hash === wanted) return true;
    else if (line.hash < wanted) low = line.end;
    else high = middle;
  }
  return false;
}

interface Line {
  readonly hash: string;
  readonly start: number;
  readonly end: number;
}

/** The first line that begins at `offset` or after it; null when none does. */
async function lineAt(handle: FileHandle, size: number, offset: number): Promise<Line | null> {
  const from = Math.max(0, offset - 1);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2 * LINE_MAX + 2), 0, 2 * LINE_MAX + 2, from);
  const text = buffer.toString('latin1', 0, bytesRead);
  const begin = offset === 0 ? 0 : text.indexOf('\n') + 1;
  if ((offset !== 0 && begin === 0) || from + begin >= size) return null;
  const stop = text.indexOf('\n', begin);
  const end = stop === -1 ? text.length : stop;
  const [, prefix, suffix] = LINE.exec(text.slice(begin, end).replace(/\r$/, '')) ?? [];
  if (prefix === undefined || suffix === undefined)
    throw new WaybillError('option-invalid', 'a list of breached passwords has a line that is not PREFIX:SUFFIX:COUNT');
  return { hash: (prefix + suffix).toUpperCase(), start: from + begin, end: Math.min(size, from + end + 1) };
}
