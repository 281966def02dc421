/** One way, either direction: what differs is sent; what is too much is removed when that was asked for. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { WaybillError } from '../../base/errors.ts';
import { TreeTarget } from '../../client/local/tree-target.ts';
import { walk } from '../../client/local/walk.ts';
import type { LocalFile } from '../../client/local/walk.ts';
import { joined } from '../../client/remote/place.ts';
import type { RemotePlace } from '../../client/remote/place.ts';
import { walkRemote } from '../../client/remote/walk.ts';
import type { RemoteFile } from '../../client/remote/walk.ts';
import { pool } from '../../client/transfer/pool.ts';
import { planSync } from '../../client/transfer/sync-plan.ts';
import type { Side, SyncPlan } from '../../client/transfer/sync-plan.ts';
import { placeFiles } from './get.ts';
import { makeDirectories } from './put.ts';
import type { Kit } from './run.ts';

export interface SyncInput {
  readonly follow: boolean;
  readonly checksum: boolean;
  readonly delete: boolean;
  readonly force: boolean;
  readonly 'dry-run': boolean;
}

const AT_ONCE = 4;

export async function syncUp(kit: Kit, local: string, to: RemotePlace, input: SyncInput): Promise<void> {
  const here = await localSide(kit, local, input.follow, Math.ceil);
  const there = await remoteSide(kit, to.path);
  const plan = planSync(sides(here.files), sides(there), 'upload', input.checksum ? 'checksum' : 'time');
  await compareAll(kit, plan, here.files, there);
  safeToRemove(input, here.files.size, plan.remove.length, here.leftOut);
  if (input['dry-run']) {
    sayPlan(kit, plan, input.delete);
    return;
  }
  await makeDirectories(kit, [to.path, ...here.directories.map((names) => names.reduce(joined, to.path))]);
  const files = plan.send.map((name) => {
    const { local: file, size, modified } = of(here.files, name);
    return { local: file, size, modified, path: joined(to.path, name) };
  });
  await kit.put(files);
  if (!input.delete) return;
  for (const name of plan.remove) {
    await kit.ask((api) => api.remove(joined(to.path, name)));
    kit.transport.tell({ event: 'removed', name: joined(to.path, name) });
  }
}

export async function syncDown(kit: Kit, from: RemotePlace, local: string, input: SyncInput): Promise<void> {
  const tree = await kit.ask((api) => walkRemote(api, from.path));
  for (const { path: left, why } of tree.left) kit.skipped(left, why, new WaybillError('permission-denied', why));
  const there = byName(tree.files);
  const exists = (await stat(local).catch(() => null)) !== null;
  const here = exists ? await localSide(kit, local, false, Math.floor) : { files: new Map<string, LocalFile & Side>() };
  const plan = planSync(sides(there), sides(here.files), 'download', input.checksum ? 'checksum' : 'time');
  await compareAll(kit, plan, here.files, there);
  safeToRemove(input, there.size, plan.remove.length, tree.left.length);
  if (input['dry-run']) {
    sayPlan(kit, plan, input.delete);
    return;
  }
  const target = await TreeTarget.open(local);
  for (const names of tree.directories) await target.directory(names);
  await kit.get(
    await placeFiles(
      kit,
      plan.send.map((name) => of(there, name)),
      target,
    ),
  );
  if (!input.delete) return;
  for (const name of plan.remove) {
    await rm(path.join(target.root, ...name.split('/')));
    kit.transport.tell({ event: 'removed', name });
  }
}

async function localSide(kit: Kit, local: string, follow: boolean, round: (seconds: number) => number) {
  if ((await stat(local).catch(() => null))?.isDirectory() !== true)
    throw new WaybillError('not-a-directory', `${local} is no directory`);
  const walked = await walk(local, follow);
  for (const { local: left, why, isFault } of walked.left)
    kit.skipped(left, why, isFault ? new WaybillError('name-invalid', why) : null);
  const files = new Map(walked.files.map((file) => [file.names.join('/'), file]));
  const seconds = (file: LocalFile): LocalFile & Seconds => ({ ...file, seconds: round(file.modified / 1000) });
  return {
    files: new Map([...files].map(([name, file]) => [name, seconds(file)])),
    directories: walked.directories,
    leftOut: walked.left.length,
  };
}

interface Seconds {
  readonly seconds?: number;
}

async function remoteSide(kit: Kit, top: string): Promise<Map<string, RemoteFile>> {
  const info = await kit.ask((api) => api.stat(top));
  if (info === null) return new Map();
  if (info.kind !== 'directory') throw new WaybillError('not-a-directory', `${top} is a file`);
  return byName((await kit.ask((api) => walkRemote(api, top))).files);
}

function byName(files: readonly RemoteFile[]): Map<string, RemoteFile> {
  return new Map(files.map((file) => [file.names.join('/'), file]));
}

function sides(files: ReadonlyMap<string, Side & Seconds>): Map<string, Side> {
  return new Map(
    [...files].map(([name, { size, modified, seconds }]) => [name, { size, modified: seconds ?? modified }]),
  );
}

function of<T>(files: ReadonlyMap<string, T>, name: string): T {
  const file = files.get(name);
  if (file === undefined) throw new WaybillError('internal', 'a file of a plan is on no side');
  return file;
}

async function compareAll(
  kit: Kit,
  plan: SyncPlan,
  here: ReadonlyMap<string, LocalFile>,
  there: ReadonlyMap<string, RemoteFile>,
): Promise<void> {
  await pool(AT_ONCE, plan.compare, async (name) => {
    const own = await digestOf(of(here, name).local);
    if ((await kit.ask((api) => api.checksum(of(there, name).path))) !== own) plan.send.push(name);
  });
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** A source that is empty by mistake (a disk that is not mounted) must not empty the other side. */
function safeToRemove(input: SyncInput, source: number, remove: number, leftOut: number): void {
  if (!input.delete || input.force || remove === 0) return;
  if (source === 0)
    throw new WaybillError(
      'option-invalid',
      `FROM holds no file: --delete would remove all ${remove}; add --force if that is meant`,
    );
  if (leftOut > 0)
    throw new WaybillError(
      'option-invalid',
      `${leftOut} entries of FROM were left out, so --delete could remove what is there; add --force if that is meant`,
    );
}

function sayPlan(kit: Kit, plan: SyncPlan, remove: boolean): void {
  const { output } = kit;
  const gone = remove ? plan.remove : [];
  const people = [...plan.send.map((name) => `send ${name}`), ...gone.map((name) => `remove ${name}`)];
  output.answer(
    { event: 'plan', send: plan.send, remove: gone },
    people.length === 0 ? 'Nothing to do.' : people.join('\n'),
  );
}
