/** What is in a directory here, to be sent: files in the order of their names, directories, and what is left out with why. */
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { asWaybillError } from '../../base/errors.ts';
import { checkName, compareNames } from '../../base/names.ts';

export interface LocalFile {
  readonly local: string;
  /** Below what was named. */
  readonly names: readonly string[];
  readonly size: number;
  /** Milliseconds. */
  readonly modified: number;
}

export interface Walked {
  readonly files: LocalFile[];
  /** Below what was named, parents first; without the top. */
  readonly directories: (readonly string[])[];
  readonly left: { readonly local: string; readonly why: string; readonly isFault: boolean }[];
}

export async function walk(top: string, follow: boolean): Promise<Walked> {
  const walked: Walked = { files: [], directories: [], left: [] };
  await visit(top, [], follow, walked);
  return walked;
}

async function visit(local: string, names: readonly string[], follow: boolean, walked: Walked): Promise<void> {
  const found = (await readdir(local)).sort(compareNames);
  for (const name of found) {
    if (name.endsWith('.waybill-part') || name.endsWith('.waybill-state')) continue;
    const at = path.join(local, name);
    const below = [...names, name];
    const unfit = unfitName(name);
    if (unfit !== null) {
      walked.left.push({ local: at, why: unfit, isFault: true });
      continue;
    }
    const kind = await kindOf(at, follow);
    if (typeof kind === 'string') {
      walked.left.push({ local: at, why: kind, isFault: false });
    } else if (kind.isDirectory()) {
      walked.directories.push(below);
      await visit(at, below, follow, walked);
    } else walked.files.push({ local: at, names: below, size: kind.size, modified: kind.mtimeMs });
  }
}

function unfitName(name: string): string | null {
  // Bytes that are no UTF-8 come from the system as this.
  if (name.includes('\u{fffd}')) return 'its name is not UTF-8';
  if (name.includes('\\')) return 'a new name may not hold a backslash';
  try {
    checkName(name);
    return null;
  } catch (error) {
    return asWaybillError(error).message;
  }
}

async function kindOf(at: string, follow: boolean) {
  const found = await lstat(at);
  if (found.isFile() || found.isDirectory()) return found;
  if (!found.isSymbolicLink()) return 'it is neither a file nor a directory';
  if (!follow) return 'it is a link (--follow)';
  const target = await stat(at).catch(() => null);
  return target?.isFile() === true ? target : 'it is a link to no file';
}
