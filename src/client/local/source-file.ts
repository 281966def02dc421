/** Files that are sent: whole pieces of what was listed, or a failure. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { WaybillError } from '../../base/errors.ts';

/** What was a file when it was listed and is a pipe now would wait for ever. */
export async function openSource(local: string): Promise<FileHandle> {
  return open(local, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `${local} cannot be read (${why})`, { cause });
  });
}

export interface SourceFile {
  readonly local: string;
  readonly size: number;
  /** Milliseconds. */
  readonly modified: number;
}

/** The bytes from `start` to `end`, of the file as it was listed. */
export async function readRange(file: SourceFile, handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(end - start);
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new WaybillError('changed-meanwhile', `${file.local} became shorter`);
    done += bytesRead;
  }
  const { size, mtimeMs } = await handle.stat();
  if (size !== file.size || mtimeMs !== file.modified)
    throw new WaybillError('changed-meanwhile', `${file.local} is being changed while it is sent`);
  return bytes;
}
