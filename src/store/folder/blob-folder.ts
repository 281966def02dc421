/**
 * Ciphertext in two folders of one file system: incoming/ (fronts write here) and blobs/ (nobody writes here; the
 * broker moves blobs in and out). What fronts write is hostile: only regular files with a single name are taken.
 */
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, rm, statfs, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import type { BlobReader, BlobStore, Space, StoredBlob } from '../../files/blobs.ts';
import { DirectorySync } from './directory-sync.ts';

const BLOB = /^[0-9a-f]{32}$/;
const SPACE_KNOWN_MS = 250;
/** The unit of st_blocks, whatever the file system's own is. */
const STAT_BLOCK = 512;

export class BlobFolder implements BlobStore {
  readonly blobs: string;
  readonly incomingFolder: string;
  private readonly blobsSync: DirectorySync;
  private readonly incomingSync: DirectorySync;
  private known: { at: number; space: Promise<Space> } | null = null;

  private constructor(blobs: string, incoming: string) {
    this.blobs = blobs;
    this.incomingFolder = incoming;
    this.blobsSync = new DirectorySync(blobs);
    this.incomingSync = new DirectorySync(incoming);
  }

  /** Makes the two folders below `folder` where they are missing. */
  static async open(folder: string): Promise<BlobFolder> {
    const store = new BlobFolder(join(folder, 'blobs'), join(folder, 'incoming'));
    await mkdir(store.blobs, { recursive: true, mode: 0o700 });
    await mkdir(store.incomingFolder, { recursive: true, mode: 0o700 });
    const [a, b] = await Promise.all([lstat(store.blobs), lstat(store.incomingFolder)]);
    if (a.dev !== b.dev)
      throw new WaybillError(
        'data-folder-invalid',
        `${store.blobs} and ${store.incomingFolder} must be on one file system`,
      );
    // Fronts may write there, so the mode may be one of theirs.
    await chmod(store.incomingFolder, 0o700);
    await clear(store.incomingFolder);
    await new DirectorySync(folder).sync();
    return store;
  }

  /** For who only looks: nothing is made, mended or cleared. */
  static at(folder: string): BlobFolder {
    return new BlobFolder(join(folder, 'blobs'), join(folder, 'incoming'));
  }

  async settle(id: string, length: number): Promise<void> {
    const handle = await openPlain(join(this.incomingFolder, id), constants.O_RDWR);
    try {
      await confirm(handle, id, length);
      await rename(join(this.incomingFolder, id), join(this.blobs, id));
      await this.confirmMoved(handle, id);
    } finally {
      await handle.close();
    }
    await this.syncBoth();
  }

  async unsettle(id: string): Promise<void> {
    try {
      await rename(join(this.blobs, id), join(this.incomingFolder, id));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await this.syncBoth();
  }

  async remove(id: string): Promise<void> {
    await removeEntry(join(this.blobs, id));
  }

  async removeIncoming(id: string): Promise<void> {
    await removeEntry(join(this.incomingFolder, id));
  }

  async syncIncoming(id: string): Promise<void> {
    const handle = await openPlain(join(this.incomingFolder, id), constants.O_RDWR).catch((error: unknown) => {
      // An upload that holds nothing of its own yet.
      if (error instanceof WaybillError && error.code === 'content-missing') return null;
      throw error;
    });
    try {
      await handle?.datasync();
    } finally {
      await handle?.close();
    }
    await this.incomingSync.sync();
  }

  committed(): Promise<StoredBlob[]> {
    return listBlobs(this.blobs);
  }

  incoming(): Promise<StoredBlob[]> {
    return listBlobs(this.incomingFolder);
  }

  async open(id: string): Promise<BlobReader> {
    const handle = await openPlain(join(this.blobs, id), constants.O_RDONLY);
    return {
      read: async (buffer, position) => (await handle.read(buffer, 0, buffer.length, position)).bytesRead,
      close: () => handle.close(),
    };
  }

  async incomingBytes(id: string): Promise<number> {
    try {
      return (await lstat(join(this.incomingFolder, id))).blocks * STAT_BLOCK;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  space(fresh?: true): Promise<Space> {
    const now = performance.now();
    if (fresh !== true && this.known !== null && now - this.known.at < SPACE_KNOWN_MS) return this.known.space;
    const space = statfs(this.blobs).then((found) => ({
      total: found.blocks * found.bsize,
      free: found.bavail * found.bsize,
    }));
    this.known = { at: now, space };
    return space;
  }

  /** Both directories of a move: not every file system logs a rename as one step. */
  private async syncBoth(): Promise<void> {
    await Promise.all([this.blobsSync.sync(), this.incomingSync.sync()]);
  }

  /** A front that was taken over may have put another file in its place since it was looked at. */
  private async confirmMoved(handle: FileHandle, id: string): Promise<void> {
    const place = join(this.blobs, id);
    const [held, moved] = await Promise.all([handle.stat({ bigint: true }), lstat(place, { bigint: true })]);
    if (held.ino === moved.ino && held.dev === moved.dev && held.nlink === 1n) return;
    await removeEntry(place);
    throw new WaybillError('request-invalid', `incoming blob ${id} was replaced while it was committed`);
  }
}

/** Durable and of the right length, on the file itself and not on a link. */
async function confirm(handle: FileHandle, id: string, length: number): Promise<void> {
  const found = await handle.stat();
  if (!found.isFile() || found.nlink !== 1)
    throw new WaybillError('request-invalid', `incoming blob ${id} is not a plain file`);
  if (found.size < length)
    throw new WaybillError('content-missing', `incoming blob ${id} has ${found.size} of ${length} bytes`);
  if (found.size > length) await handle.truncate(length);
  await handle.datasync();
}

async function openPlain(file: string, flags: number): Promise<FileHandle> {
  try {
    // O_NONBLOCK: a FIFO put in the blob's place must not stop the broker.
    return await open(file, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isMissing(cause)) throw new WaybillError('content-missing', `${file} does not exist`, { cause });
    if (isA(cause, 'ELOOP') || isA(cause, 'EISDIR'))
      throw new WaybillError('request-invalid', `${file} is not a plain file`, { cause });
    throw cause;
  }
}

async function listBlobs(folder: string): Promise<StoredBlob[]> {
  const found: StoredBlob[] = [];
  for (const name of await readdir(folder)) {
    if (!BLOB.test(name)) continue;
    try {
      const entry = await lstat(join(folder, name));
      if (entry.isFile()) found.push({ id: name, length: entry.size });
    } catch (error) {
      // Removed since the directory was read.
      if (!isMissing(error)) throw error;
    }
  }
  return found;
}

async function removeEntry(place: string): Promise<void> {
  try {
    await unlink(place);
  } catch (error) {
    if (isMissing(error)) return;
    if (!(await lstat(place)).isDirectory()) throw error;
    // Only a front that was taken over makes one here, perhaps deeper than paths can be: what cannot be removed holds
    // nobody's content, and must not keep the server from starting.
    await rm(place, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** What no honest front makes in incoming/ goes at the start; uploads in progress are recovery's to judge. */
async function clear(incoming: string): Promise<void> {
  for (const entry of await readdir(incoming, { withFileTypes: true }))
    if (!entry.isFile() || !BLOB.test(entry.name)) await removeEntry(join(incoming, entry.name));
}

function isMissing(error: unknown): boolean {
  return isA(error, 'ENOENT');
}

function isA(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
