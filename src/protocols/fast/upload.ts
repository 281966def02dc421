/**
 * Files from the client: a piece counts when its SHA-256 is right, a file is committed when all of its pieces are there, and
 * what a broken transfer leaves is an upload in progress at the end of a piece, which the next one takes up.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { UploadItem } from '../../api/transfers.ts';
import { WaybillError } from '../../base/errors.ts';
import type { ResumableFiles, UploadingFile } from '../../transfer/transfer.ts';
import { DIGEST_BYTES, piecesOf } from '../../udp/layout/stream-layout.ts';
import type { Piece } from '../../udp/layout/stream-layout.ts';
import { Ahead } from './ahead.ts';
import { FileFailure } from './file-failure.ts';
import type { Progress } from './progress.ts';
import { StreamReader } from './streams.ts';
import type { IncomingStream } from './streams.ts';

export interface UploadParts {
  readonly files: ResumableFiles;
  readonly stream: IncomingStream;
  readonly items: readonly UploadItem[];
  readonly progress: Progress;
}

const OPEN_AHEAD = 24;
/** Commits under way while the next files come: the broker makes them durable in groups. */
const COMMITS_MAX = 64;

/** Resolves when every file is durable, or false when the stream ended before. Rejects with FileFailure. */
export async function receiveFiles(parts: UploadParts): Promise<boolean> {
  const { items, progress } = parts;
  const reader = new StreamReader(parts.stream);
  const ahead = new Ahead(items.length, OPEN_AHEAD, (index) => open(parts, itemAt(items, index)));
  const commits = new Commits(progress);
  let file: UploadingFile | null = null;
  try {
    for (const piece of piecesOf(items)) {
      file ??= await ahead.take(piece.item);
      if (!(await receivePiece(reader, file, piece, progress))) return false;
      if (!piece.last) continue;
      await commits.add(file);
      file = null;
    }
    await commits.finish();
    return true;
  } catch (error) {
    throw error instanceof FileFailure ? error : new FileFailure(file?.path ?? null, error);
  } finally {
    const left = [...(file === null ? [] : [file]), ...(await ahead.leftover())];
    await Promise.allSettled([...left.map((one) => putAway(one)), commits.finish()]);
  }
}

async function open({ files }: UploadParts, { path, start }: UploadItem): Promise<UploadingFile> {
  try {
    const resumes = start > 0;
    const file = await files.openUpload(path, { create: !resumes, exclusive: false, truncate: !resumes });
    const there = file.stat().size;
    if (there > start) await file.truncate(start);
    if (there >= start) return file;
    await file.suspend();
    throw new WaybillError('offset-invalid', `the upload is at ${there}, not at ${start}`);
  } catch (error) {
    throw new FileFailure(path, error);
  }
}

/** False when the stream ended before the piece did: then the file is as long as it was before. */
async function receivePiece(
  reader: StreamReader,
  file: UploadingFile,
  { start, end }: Piece,
  progress: Progress,
): Promise<boolean> {
  const hash = createHash('sha256');
  for (let at = start; at < end;) {
    const some = await reader.next(end - at);
    if (some === null) return undo(file, start);
    hash.update(some);
    await file.write(at, some);
    at += some.length;
  }
  const digest = await reader.exactly(DIGEST_BYTES);
  if (digest === null) return undo(file, start);
  if (!timingSafeEqual(hash.digest(), digest)) {
    await undo(file, start);
    throw new FileFailure(file.path, new WaybillError('checksum-mismatch', 'the bytes are other ones than were sent'));
  }
  progress.bytes += end - start;
  return true;
}

async function undo(file: UploadingFile, to: number): Promise<false> {
  await file.truncate(to);
  return false;
}

async function putAway(file: UploadingFile): Promise<void> {
  // An upload without a byte is worth nothing to whoever comes again.
  if (file.stat().size === 0) await file.discard();
  else {
    await file.sync();
    await file.suspend();
  }
}

class Commits {
  private readonly progress: Progress;
  private readonly under = new Set<Promise<void>>();
  private failed: FileFailure | null = null;

  constructor(progress: Progress) {
    this.progress = progress;
  }

  async add(file: UploadingFile): Promise<void> {
    const commit: Promise<void> = file
      .close()
      .then(() => {
        this.progress.files++;
      })
      .catch((error: unknown) => {
        this.failed ??= new FileFailure(file.path, error);
      })
      .finally(() => this.under.delete(commit));
    this.under.add(commit);
    if (this.under.size >= COMMITS_MAX) await Promise.race(this.under);
    if (this.failed !== null) throw this.failed;
  }

  async finish(): Promise<void> {
    await Promise.all(this.under);
    if (this.failed !== null) throw this.failed;
  }
}

function itemAt(items: readonly UploadItem[], index: number): UploadItem {
  const item = items[index];
  if (item === undefined) throw new WaybillError('internal', 'a piece of no item');
  return item;
}
