/** Reads ciphertext of committed blobs (blobs/<id>) and of uploads in progress (incoming/<id>). */
import fs from 'node:fs';
import path from 'node:path';
import { WaybillError, asWaybillError } from '../../base/errors.ts';
import { BlobFile, isAbsent, openDescriptor } from './blob-file.ts';

export interface BlobFolders {
  readonly blobs: string;
  readonly incoming: string;
}

function committedPath(folders: BlobFolders, blob: string): string {
  return path.join(folders.blobs, blob);
}

export function incomingPath(folders: BlobFolders, blob: string): string {
  return path.join(folders.incoming, blob);
}

/** A commit may move the blob between two looks, hence the third. */
export async function openBlob(folders: BlobFolders, blob: string): Promise<BlobFile> {
  const committed = committedPath(folders, blob);
  for (const place of [committed, incomingPath(folders, blob), committed]) {
    try {
      return new BlobFile(await openDescriptor(place, fs.constants.O_RDONLY), blob);
    } catch (error) {
      if (!isAbsent(error)) throw asWaybillError(error);
    }
  }
  throw new WaybillError('content-missing', `blob ${blob} is not in the store`);
}
