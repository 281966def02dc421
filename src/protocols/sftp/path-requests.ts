/** Requests on paths and directories: sections 6.5 to 6.11 of the draft. */
import { WaybillError } from '../../base/errors.ts';
import type { DirectoryEntry } from '../../broker/calls.ts';
import * as answers from './answers.ts';
import { longName, readAttributes, type WantedAttributes } from './attributes.ts';
import { DirectoryReader } from './directory.ts';
import type { DirectoryHandle } from './handles.ts';
import { readHandle, readNewPath, readPath, row, type AnyRow, type Context, type RequestRow } from './request.ts';
import { FXP } from './wire.ts';

interface PathOnly {
  readonly path: string;
}

interface FromTo {
  readonly path: string;
  readonly otherPath: string;
}

interface SetAttributes {
  readonly path: string;
  readonly wanted: WantedAttributes;
}

function parsePath(reader: Parameters<AnyRow['parse']>[0], context: Context): PathOnly {
  const path = readPath(reader, context);
  reader.done();
  return { path };
}

/** There are no links: what a path names and what it leads to are the same. */
const stat: Omit<RequestRow<PathOnly>, 'name'> = {
  writes: false,
  parse: parsePath,
  handle: ({ path }, id, { files }) => files.stat(path).then((found) => answers.attributes(id, found)),
};

/**
 * Permissions and owner are accepted and change nothing (`sftp -p`, WinSCP and lftp set them and would call a
 * transfer failed otherwise); the answer for a path that is missing is still an error.
 */
export const setStat: Omit<RequestRow<SetAttributes>, 'name'> = {
  writes: true,
  parse(reader, context) {
    const path = readPath(reader, context);
    const wanted = readAttributes(reader);
    reader.done();
    return { path, wanted };
  },
  async handle({ path, wanted: { size, times } }, id, { files }) {
    if (size !== null) await files.truncate(path, size);
    if (times !== null) await files.setTimes(path, times.mtime, times.atime);
    if (size === null && times === null) await files.stat(path);
    return answers.ok(id);
  },
};

export function rename(replace: boolean): Omit<RequestRow<FromTo>, 'name'> {
  return {
    writes: true,
    parse(reader, context) {
      const path = readPath(reader, context);
      const otherPath = readNewPath(reader, context);
      reader.done();
      return { path, otherPath };
    },
    handle: ({ path, otherPath }, id, { files }) => files.rename(path, otherPath, replace).then(() => answers.ok(id)),
  };
}

export function refused(name: string, why: string): AnyRow {
  return row<object>({
    name,
    writes: false,
    parse() {
      throw new WaybillError('unsupported', why);
    },
    handle: (_, id) => answers.ok(id),
  });
}

function change(name: string, act: (path: string, context: Context) => Promise<void>): AnyRow {
  return row<PathOnly>({
    name,
    writes: true,
    parse: parsePath,
    handle: (args, id, context) => act(args.path, context).then(() => answers.ok(id)),
  });
}

async function openDirectory({ path }: PathOnly, id: number, context: Context): Promise<answers.Answer> {
  const slot = context.handles.reserve();
  try {
    const reader = await DirectoryReader.open(context.files, path, context.pages);
    const handle = context.handles.open(slot, (name) => ({ kind: 'directory', name, path, reader }));
    return answers.handle(id, handle.name);
  } catch (error) {
    context.handles.release(slot);
    throw error;
  }
}

async function readDirectory({ handle }: { handle: DirectoryHandle }, id: number, context: Context) {
  const entries = await handle.reader.next();
  if (entries.length === 0) return answers.endOfFile(id);
  const now = context.now();
  const line = (entry: DirectoryEntry) => longName(entry.name, entry, context.owner, now);
  return answers.names(
    id,
    entries.map((entry) => ({ name: entry.name, longName: line(entry), attributes: entry })),
  );
}

export const PATH_REQUESTS: readonly (readonly [type: number, row: AnyRow])[] = [
  [FXP.LSTAT, row({ name: 'LSTAT', ...stat })],
  [FXP.STAT, row({ name: 'STAT', ...stat })],
  [FXP.SETSTAT, row({ name: 'SETSTAT', ...setStat })],
  [FXP.OPENDIR, row<PathOnly>({ name: 'OPENDIR', writes: false, parse: parsePath, handle: openDirectory })],
  [
    FXP.READDIR,
    row<{ handle: DirectoryHandle }>({
      name: 'READDIR',
      // It moves the handle's place, so that two at once would answer the same names.
      writes: true,
      parse(reader, context) {
        const handle = readHandle(reader, context);
        reader.done();
        if (handle.kind !== 'directory') throw new WaybillError('not-a-directory', 'the handle is that of a file');
        return { handle };
      },
      handle: readDirectory,
    }),
  ],
  [FXP.REMOVE, change('REMOVE', (path, { files }) => files.remove(path))],
  [FXP.RMDIR, change('RMDIR', (path, { files }) => files.rmdir(path))],
  [
    FXP.MKDIR,
    row<PathOnly>({
      name: 'MKDIR',
      writes: true,
      parse(reader, context) {
        const path = readNewPath(reader, context);
        readAttributes(reader);
        reader.done();
        return { path };
      },
      handle: ({ path }, id, { files }) => files.mkdir(path).then(() => answers.ok(id)),
    }),
  ],
  [
    FXP.REALPATH,
    row<{ real: string }>({
      name: 'REALPATH',
      writes: false,
      parse: (reader, context) => {
        const real = readPath(reader, context);
        reader.done();
        return { real };
      },
      handle: ({ real }, id) => answers.oneName(id, real),
    }),
  ],
  [FXP.RENAME, row({ name: 'RENAME', ...rename(false) })],
  [FXP.READLINK, refused('READLINK', 'the store has no symbolic links')],
  [FXP.SYMLINK, refused('SYMLINK', 'the store has no symbolic links')],
];
