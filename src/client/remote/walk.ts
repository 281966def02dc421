/** A tree of the server: its directories are listed at once, so many as its connections carry. */
import { WaybillError } from '../../base/errors.ts';
import { checkName } from '../../base/names.ts';
import type { RemoteFiles } from './files.ts';
import { joined } from './place.ts';

export interface RemoteFile {
  readonly path: string;
  readonly names: readonly string[];
  readonly size: number;
  /** Seconds. */
  readonly modified: number;
}

export interface RemoteTree {
  readonly files: RemoteFile[];
  readonly directories: (readonly string[])[];
  readonly left: { readonly path: string; readonly why: string }[];
}

const AT_ONCE = 8;
/** What a server may make us remember. */
const ENTRIES_MAX = 20_000_000;
const DEPTH_MAX = 256;

export async function walkRemote(remote: RemoteFiles, top: string): Promise<RemoteTree> {
  const tree: RemoteTree = { files: [], directories: [], left: [] };
  let level: (readonly string[])[] = [[]];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) throw new WaybillError('path-too-long', 'the tree is deeper than a path can be');
    const next: (readonly string[])[] = [];
    for (let at = 0; at < level.length; at += AT_ONCE)
      await Promise.all(level.slice(at, at + AT_ONCE).map((names) => listOne(remote, top, names, tree, next)));
    tree.directories.push(...next);
    level = next;
  }
  tree.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return tree;
}

async function listOne(
  remote: RemoteFiles,
  top: string,
  names: readonly string[],
  tree: RemoteTree,
  next: (readonly string[])[],
): Promise<void> {
  const directory = names.reduce(joined, top);
  for await (const entries of remote.list(directory)) {
    for (const { name, kind, size, modified, mayRead, partial } of entries) {
      // Before it becomes part of a path that is asked for.
      checkName(name);
      const below = [...names, name];
      const path = joined(directory, name);
      if (kind === 'directory') next.push(below);
      else if (partial) tree.left.push({ path, why: 'its upload is not complete' });
      else if (!mayRead) tree.left.push({ path, why: 'there is no grant to read it' });
      else tree.files.push({ path, names: below, size, modified: Math.floor(Date.parse(modified) / 1000) });
    }
    if (tree.files.length > ENTRIES_MAX) throw new WaybillError('too-large', 'the tree has too many files');
  }
}
