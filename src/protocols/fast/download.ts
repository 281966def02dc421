/**
 * Files to the client: each is read by the same way as over every other protocol, so no byte is in the stream before it was
 * released. A hold pauses the stream; when somebody approves it, it goes on by itself.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { DownloadItem } from '../../api/transfers.ts';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import { referenceIn } from '../../base/references.ts';
import type { OpenFile, SessionFiles } from '../../transfer/transfer.ts';
import { piecesOf } from '../../udp/layout/stream-layout.ts';
import { Ahead } from './ahead.ts';
import { FileFailure } from './file-failure.ts';
import type { Progress } from './progress.ts';
import type { OutgoingStream } from './streams.ts';

export interface DownloadParts {
  readonly files: SessionFiles;
  readonly stream: OutgoingStream;
  readonly items: readonly DownloadItem[];
  readonly progress: Progress;
  /** How often a held file is asked for again. */
  readonly holdMilliseconds: number;
}

const READ = { read: true, write: false, append: false, create: false, exclusive: false, truncate: false };
const READ_BYTES = 256 * 1024;
const OPEN_AHEAD = 24;
/** Of these the content is asked for with the opening. */
const SMALL_BYTES = 64 * 1024;

interface Opened {
  readonly file: OpenFile;
  /** The whole content of a small one; null: it is read when its turn comes, or the first try was refused. */
  readonly content: readonly Buffer[] | null;
}

/** Resolves when everything is in the stream, or false when the stream ended before. Rejects with FileFailure. */
export async function sendFiles(parts: DownloadParts): Promise<boolean> {
  const { items } = parts;
  const ahead = new Ahead(items.length, OPEN_AHEAD, (index) => open(parts, itemAt(items, index)));
  let opened: Opened | null = null;
  try {
    for (const { item: index, start, end, last } of piecesOf(items)) {
      const item = itemAt(items, index);
      opened ??= await ahead.take(index);
      if (!(await sendPiece(parts, item, opened, start, end))) return false;
      if (!last) continue;
      const { file } = opened;
      opened = null;
      await file.close();
      parts.progress.files++;
    }
    return true;
  } finally {
    const left = [...(opened === null ? [] : [opened]), ...(await ahead.leftover())];
    await Promise.allSettled(left.map(({ file }) => file.close()));
  }
}

async function open({ files }: DownloadParts, { path, size, start, version }: DownloadItem): Promise<Opened> {
  try {
    const file = await files.open(path, READ);
    const there = file.stat();
    if (there.size !== size || (version !== null && there.version !== version)) {
      await file.close();
      throw new WaybillError('changed-meanwhile', 'the file is another one than was listed; list it again');
    }
    const small = start === 0 && size > 0 && size <= SMALL_BYTES;
    // A hold is told when its turn comes.
    const content = small ? await file.read(0, size).catch(() => null) : null;
    return { file, content };
  } catch (error) {
    throw new FileFailure(path, error);
  }
}

async function sendPiece(
  parts: DownloadParts,
  { path }: DownloadItem,
  { file, content }: Opened,
  start: number,
  end: number,
): Promise<boolean> {
  const hash = createHash('sha256');
  for (let at = start; at < end;) {
    const some = content ?? (await readWhenLet(parts, path, file, at, Math.min(READ_BYTES, end - at)));
    for (const part of some) {
      hash.update(part);
      if (!(await parts.stream.write(part))) return false;
      at += part.length;
      parts.progress.bytes += part.length;
    }
    if (some.length === 0)
      throw new FileFailure(path, new WaybillError('changed-meanwhile', 'the file became shorter'));
  }
  return parts.stream.write(hash.digest());
}

async function readWhenLet(
  { stream, progress, holdMilliseconds }: DownloadParts,
  path: string,
  file: OpenFile,
  at: number,
  length: number,
): Promise<readonly Buffer[]> {
  for (;;) {
    try {
      const read = await file.read(at, length);
      if (progress.held !== null) stream.pause(null);
      progress.held = null;
      return read;
    } catch (thrown) {
      const error = asWaybillError(thrown);
      if (error.code !== 'held') throw new FileFailure(path, error);
      const reference = referenceIn(error.message) ?? '';
      if (progress.held !== reference) stream.pause({ cause: 'held', reference });
      progress.held = reference;
      // Nobody can be waited for who ended it; an empty write tells.
      if (!(await stream.write(Buffer.alloc(0)))) throw new FileFailure(path, error);
      await setTimeout(holdMilliseconds);
    }
  }
}

function itemAt(items: readonly DownloadItem[], index: number): DownloadItem {
  const item = items[index];
  if (item === undefined) throw new WaybillError('internal', 'a piece of no item');
  return item;
}
