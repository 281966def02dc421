/** Which files a download is, and where they go. */
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { FileInfo } from '../../api/files.ts';
import { TreeTarget } from '../../client/local/tree-target.ts';
import { nameOf } from '../../client/remote/place.ts';
import type { RemotePlace } from '../../client/remote/place.ts';
import { walkRemote } from '../../client/remote/walk.ts';
import type { RemoteFile } from '../../client/remote/walk.ts';
import type { Incoming } from '../../client/transfer/download.ts';
import { pool } from '../../client/transfer/pool.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import type { Kit } from './run.ts';

const AT_ONCE = 8;

export async function planGet(kit: Kit, from: readonly RemotePlace[], to: string): Promise<Incoming[]> {
  const into = to.endsWith('/') || from.length > 1 || (await isDirectory(to));
  const files: Incoming[] = [];
  for (const { path: remote, isDirectory: named } of from) {
    const info = await kit.ask((api) => api.stat(remote));
    if (info === null) throw new WaybillError('not-found', `${remote} is not there`);
    if (info.kind === 'directory')
      files.push(...(await planTree(kit, remote, into ? path.join(to, nameOf(remote)) : to)));
    else if (named) throw new WaybillError('not-a-directory', `${remote} is a file`);
    else files.push(await planFile(info, remote, to, into));
  }
  const targets = new Set(files.map(({ target }) => target));
  if (targets.size < files.length)
    throw new WaybillError('option-invalid', 'two of the files would have the same name here');
  return files;
}

async function planFile(info: FileInfo, remote: string, to: string, into: boolean): Promise<Incoming> {
  if (info.partial) throw new WaybillError('in-use', `the upload of ${remote} is not complete`);
  const folder = await TreeTarget.open(into ? to : path.dirname(to));
  const target = await folder.place([into ? nameOf(remote) : path.basename(to)]);
  return { path: remote, target, ...factsOf(info) };
}

async function planTree(kit: Kit, remote: string, to: string): Promise<Incoming[]> {
  const tree = await kit.ask((api) => walkRemote(api, remote));
  for (const { path: left, why } of tree.left) kit.skipped(left, why, new WaybillError('permission-denied', why));
  const target = await TreeTarget.open(to);
  for (const names of tree.directories)
    await target.directory(names).catch((error: unknown) => {
      kit.skipped(names.join('/'), asWaybillError(error).message, asWaybillError(error));
    });
  return placeFiles(kit, tree.files, target);
}

/** A name that cannot be here leaves its file out, and no other. */
export async function placeFiles(kit: Kit, files: readonly RemoteFile[], target: TreeTarget): Promise<Incoming[]> {
  const placed: Incoming[] = [];
  for (const { path: remote, names, size, modified } of files) {
    try {
      placed.push({ path: remote, target: await target.place(names), size, modified, version: null });
    } catch (thrown) {
      const error = asWaybillError(thrown);
      if (error.code === 'internal') throw thrown;
      kit.skipped(remote, error.message, error);
    }
  }
  // Large ones are taken up by version; a listing does not say which it is.
  const large = placed.filter(({ size }) => size > SEGMENT_BYTES);
  await pool(AT_ONCE, large, async (file) => {
    const info = await kit.ask((api) => api.stat(file.path));
    if (info?.kind === 'file') Object.assign(file, factsOf(info));
  });
  return placed;
}

function factsOf({ size, version, modified }: FileInfo): Pick<Incoming, 'size' | 'version' | 'modified'> {
  return { size, version, modified: Math.floor(Date.parse(modified) / 1000) };
}

async function isDirectory(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isDirectory() ?? false;
}

export async function isLocalFile(file: string): Promise<boolean> {
  return (await lstat(file).catch(() => null))?.isFile() ?? false;
}
