/** Which files an upload is, where they go, and the directories that they need. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { checkName } from '../../base/names.ts';
import { walk } from '../../client/local/walk.ts';
import { joined, parentOf } from '../../client/remote/place.ts';
import type { RemotePlace } from '../../client/remote/place.ts';
import { pool } from '../../client/transfer/pool.ts';
import type { Outgoing } from '../../client/transfer/upload.ts';
import type { Kit } from './run.ts';

export interface PutPlan {
  readonly files: Outgoing[];
  /** Parents first. */
  readonly directories: string[];
}

const AT_ONCE = 8;

export async function planPut(kit: Kit, from: readonly string[], to: RemotePlace, follow: boolean): Promise<PutPlan> {
  const there = await kit.ask((api) => api.stat(to.path));
  const into = to.isDirectory || from.length > 1 || there?.kind === 'directory';
  if (into && there?.kind === 'file') throw new WaybillError('not-a-directory', `${to.path} is a file`);
  const plan: PutPlan = { files: [], directories: into && there === null ? [to.path] : [] };
  for (const local of from) {
    const found = await stat(local).catch(() => null);
    if (found === null) throw new WaybillError('not-found', `${local} is not there`);
    const name = path.basename(path.resolve(local));
    checkName(name);
    const remote = into ? joined(to.path, name) : to.path;
    if (found.isFile()) plan.files.push({ path: remote, local, size: found.size, modified: found.mtimeMs });
    else if (found.isDirectory()) await planTree(kit, local, remote, follow, plan);
    else throw new WaybillError('option-invalid', `${local} is neither a file nor a directory`);
  }
  if (new Set(plan.files.map((file) => file.path)).size < plan.files.length)
    throw new WaybillError('option-invalid', 'two of the files would have the same name there');
  return plan;
}

export async function planTree(kit: Kit, local: string, remote: string, follow: boolean, plan: PutPlan): Promise<void> {
  const walked = await walk(local, follow);
  for (const { local: left, why, isFault } of walked.left)
    kit.skipped(left, why, isFault ? new WaybillError('name-invalid', why) : null);
  plan.directories.push(remote, ...walked.directories.map((names) => names.reduce(joined, remote)));
  for (const file of walked.files) plan.files.push({ ...file, path: file.names.reduce(joined, remote) });
}

/** Those that are missing, level by level: a parent before what is in it. */
export async function makeDirectories(kit: Kit, directories: readonly string[]): Promise<void> {
  const wanted = new Set(directories);
  for (const one of directories) {
    // Above the first that was asked for, too: as mkdir -p.
    for (let at = parentOf(one); at !== '/'; at = parentOf(at)) wanted.add(at);
  }
  const levels = new Map<number, string[]>();
  for (const one of wanted) {
    const depth = one.split('/').length;
    levels.set(depth, [...(levels.get(depth) ?? []), one]);
  }
  for (const depth of [...levels.keys()].sort((a, b) => a - b))
    await pool(AT_ONCE, levels.get(depth) ?? [], (one) =>
      one === '/' ? Promise.resolve() : kit.ask((api) => api.mkdir(one)),
    );
}
