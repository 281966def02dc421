/**
 * What a root key file leaves behind on the disk when it is replaced. Writing over it helps where the file system writes
 * in place; copy-on-write file systems, snapshots and the spare blocks of flash memory keep what they keep
 * (docs/design/keys.md says what shredding does not reach).
 */
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** A draft that a crash left may hold versions that have been retired since. */
export async function wipeLeftover(draft: string): Promise<void> {
  const handle = await openOrNull(draft);
  if (handle === null) return;
  try {
    await overwrite(handle);
  } finally {
    await handle.close();
  }
  await unlink(draft);
}

/** `replace` puts another file under the name; what stood there is overwritten after that, never before. */
export async function overwriteHeld(file: string, replace: () => Promise<void>): Promise<void> {
  const handle = await openOrNull(file);
  try {
    await replace();
    if (handle !== null) await overwrite(handle);
  } finally {
    await handle?.close();
  }
}

/** A second name is somebody's copy on purpose: theirs to keep or to destroy. */
async function overwrite(handle: FileHandle): Promise<void> {
  const { size, nlink } = await handle.stat();
  if (nlink > 1) return;
  await handle.write(Buffer.alloc(size), 0, size, 0);
  await handle.sync();
}

async function openOrNull(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
