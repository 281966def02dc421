/** Requests on open files: sections 6.3, 6.4, 6.8 (FSTAT) and 6.9 (FSETSTAT) of the draft. */
import { WaybillError } from '../../base/errors.ts';
import type { OpenOptions } from '../../transfer/transfer.ts';
import * as answers from './answers.ts';
import { readAttributes, readSize, type WantedAttributes } from './attributes.ts';
import type { FileHandle, Handle } from './handles.ts';
import { checkCreatable } from './paths.ts';
import {
  mustRead,
  mustWrite,
  readFileHandle,
  readHandle,
  readPath,
  row,
  type AnyRow,
  type Context,
} from './request.ts';
import { FXF, FXP, TRANSFER_BYTES_MAX } from './wire.ts';

interface Open {
  readonly path: string;
  readonly options: OpenOptions;
}

/**
 * APPEND alone means writing, EXCL without CREAT nothing (as on Linux). CREAT or TRUNC without WRITE would leave a file
 * that the same handle cannot fill: refused, because no client means it.
 */
export function openOptions(flags: number): OpenOptions {
  const write = (flags & (FXF.WRITE | FXF.APPEND)) !== 0;
  const read = (flags & FXF.READ) !== 0;
  const create = (flags & FXF.CREAT) !== 0;
  if (!read && !write) throw new WaybillError('request-invalid', 'OPEN for neither reading nor writing');
  if (!write && flags & (FXF.CREAT | FXF.TRUNC))
    throw new WaybillError('unsupported', 'OPEN that creates or truncates a file needs the WRITE flag');
  return {
    read,
    write,
    append: (flags & FXF.APPEND) !== 0,
    create,
    exclusive: create && (flags & FXF.EXCL) !== 0,
    truncate: (flags & FXF.TRUNC) !== 0,
  };
}

async function open({ path, options }: Open, id: number, context: Context): Promise<answers.Answer> {
  const slot = context.handles.reserve();
  try {
    const file = await context.files.open(path, options);
    const handle = context.handles.open(slot, (name) => ({
      kind: 'file',
      name,
      path,
      file,
      readable: options.read,
      writable: options.write,
    }));
    return answers.handle(id, handle.name);
  } catch (error) {
    context.handles.release(slot);
    throw error;
  }
}

async function close({ handle }: { handle: Handle }, id: number, context: Context): Promise<answers.Answer> {
  context.handles.close(handle);
  if (handle.kind === 'file') await handle.file.close();
  else handle.reader.close();
  return answers.ok(id);
}

/** The first `length` bytes of the parts, or null when there are fewer. */
function firstBytes(parts: readonly Buffer[], length: number): readonly Buffer[] | null {
  const first: Buffer[] = [];
  for (const part of parts) {
    if (length === 0) break;
    const taken = part.length <= length ? part : part.subarray(0, length);
    first.push(taken);
    length -= taken.length;
  }
  return length === 0 ? first : null;
}

interface Write {
  readonly handle: FileHandle;
  readonly offset: number;
  readonly body: readonly Buffer[];
}

async function write({ handle, offset, body }: Write, id: number): Promise<answers.Answer> {
  let at = offset;
  for (const part of body) {
    await handle.file.write(at, part);
    at += part.length;
  }
  return answers.ok(id);
}

interface SetAttributes {
  readonly handle: Handle;
  readonly wanted: WantedAttributes;
}

async function setAttributes({ handle, wanted }: SetAttributes, id: number, { files }: Context) {
  if (wanted.size !== null) {
    if (handle.kind !== 'file') throw new WaybillError('is-a-directory', 'a directory has no size to set');
    await mustWrite(handle).file.truncate(wanted.size);
  }
  if (wanted.times !== null) {
    const { mtime, atime } = wanted.times;
    // A file that is being written gets its times with the version that CLOSE makes.
    if (handle.kind === 'file' && handle.writable) handle.file.setTimes(mtime, atime);
    else await files.setTimes(handle.path, mtime, atime);
  }
  return answers.ok(id);
}

export const FILE_REQUESTS: readonly (readonly [type: number, row: AnyRow])[] = [
  [
    FXP.OPEN,
    row<Open>({
      name: 'OPEN',
      writes: ({ options }) => options.write,
      parse(reader, context) {
        const path = readPath(reader, context);
        const options = openOptions(reader.u32());
        readAttributes(reader);
        reader.done();
        return { path: options.create ? checkCreatable(path) : path, options };
      },
      handle: open,
    }),
  ],
  [
    FXP.CLOSE,
    row<{ handle: Handle }>({
      name: 'CLOSE',
      writes: true,
      parse(reader, context) {
        const handle = readHandle(reader, context);
        reader.done();
        return { handle };
      },
      handle: close,
    }),
  ],
  [
    FXP.READ,
    row<{ handle: FileHandle; offset: number; length: number }>({
      name: 'READ',
      writes: false,
      inOrder: true,
      parse(reader, context) {
        const handle = mustRead(readFileHandle(reader, context));
        const offset = readSize(reader);
        // A client may ask for any length; it gets what one answer can hold and asks again for the rest.
        const length = Math.min(reader.u32(), TRANSFER_BYTES_MAX, Number.MAX_SAFE_INTEGER - offset);
        reader.done();
        return { handle, offset, length };
      },
      memory: ({ length }) => length,
      handle: ({ handle, offset, length }, id) =>
        handle.file.read(offset, length).then((parts) => answers.data(id, parts)),
    }),
  ],
  [
    FXP.WRITE,
    row<Write>({
      name: 'WRITE',
      writes: true,
      keepsPacket: true,
      parse(reader, context, body) {
        const handle = mustWrite(readFileHandle(reader, context));
        const offset = readSize(reader);
        const length = reader.u32();
        reader.done();
        // Some clients (the Go library that rclone 1.60 uses) send a short last write in a packet of full size: the
        // length of the data counts, and what follows it in the packet is nothing, as OpenSSH's server has it.
        const data = firstBytes(body, length);
        if (data === null) throw new WaybillError('request-invalid', 'the length of the data does not fit the packet');
        if (offset + length > Number.MAX_SAFE_INTEGER)
          throw new WaybillError('offset-invalid', 'a write beyond 2^53-1 was asked for');
        return { handle, offset, body: data };
      },
      handle: write,
    }),
  ],
  [
    FXP.FSTAT,
    row<{ handle: Handle }>({
      name: 'FSTAT',
      writes: false,
      parse(reader, context) {
        const handle = readHandle(reader, context);
        reader.done();
        return { handle };
      },
      handle({ handle }, id, { files }) {
        if (handle.kind === 'file') return answers.attributes(id, handle.file.stat());
        return files.stat(handle.path).then((found) => answers.attributes(id, found));
      },
    }),
  ],
  [
    FXP.FSETSTAT,
    row<SetAttributes>({
      name: 'FSETSTAT',
      writes: true,
      parse(reader, context) {
        const handle = readHandle(reader, context);
        const wanted = readAttributes(reader);
        reader.done();
        return { handle, wanted };
      },
      handle: setAttributes,
    }),
  ],
];
