/**
 * The directory that a download goes into. Directories below it are made or must be directories: a link among them could lead
 * out of it, so it is never followed.
 */
import { lstat, mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { checkLocalName } from './names.ts';

export class TreeTarget {
  readonly root: string;
  private readonly made = new Map<string, Promise<void>>();

  private constructor(root: string) {
    this.root = root;
  }

  /** The directory itself may be reached by links: it is what was named. */
  static async open(directory: string): Promise<TreeTarget> {
    await mkdir(directory, { recursive: true });
    return new TreeTarget(await realpath(directory));
  }

  /** Where a file goes, by its names below the root; the directories are there then. */
  async place(names: readonly string[]): Promise<string> {
    for (const name of names) checkLocalName(name);
    await this.directory(names.slice(0, -1));
    return path.join(this.root, ...names);
  }

  async directory(names: readonly string[]): Promise<void> {
    let at = this.root;
    for (const name of names) {
      checkLocalName(name);
      at = path.join(at, name);
      let known = this.made.get(at);
      if (known === undefined) this.made.set(at, (known = makeOne(at)));
      await known;
    }
  }
}

async function makeOne(directory: string): Promise<void> {
  await mkdir(directory).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
  if (!(await lstat(directory)).isDirectory())
    throw new WaybillError('not-a-directory', `${directory} is no directory (links in the target are not followed)`);
}
