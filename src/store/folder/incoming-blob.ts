/**
 * The blob of an upload in progress: incoming/<blob>, written only by the front that holds the upload. Nothing here is
 * durable: under Node's permission model a front has no fsync, and the broker would not take its word for it.
 */
import fs from 'node:fs';
import { WaybillError, asWaybillError } from '../../base/errors.ts';
import { BlobFile, isAbsent, openDescriptor } from './blob-file.ts';
import { incomingPath } from './blob-reader.ts';
import type { BlobFolders } from './blob-reader.ts';

export class IncomingBlobFile extends BlobFile {
  async write(parts: readonly Buffer[], position: number): Promise<void> {
    let length = 0;
    for (const part of parts) length += part.length;
    const written = await this.writev(parts, position);
    if (written === length) return;
    // A short write is what a nearly full disk answers; the next one says ENOSPC.
    const whole = Buffer.concat(parts, length);
    for (let done = written; done < length;) {
      const count = await this.writev([whole.subarray(done)], position + done);
      if (count === 0) throw new WaybillError('store-full', `blob ${this.name}: the store takes no more bytes`);
      done += count;
    }
  }

  async cut(length: number): Promise<void> {
    this.begin();
    await new Promise<void>((resolve, reject) => {
      fs.fstat(this.fd, (error, found) => {
        if (error !== null) reject(this.failure(error));
        // Never longer: that would make a hole where content is missing.
        else if (found.size <= length) resolve();
        else
          fs.ftruncate(this.fd, length, (failed) => {
            if (failed === null) resolve();
            else reject(this.failure(failed));
          });
      });
    }).finally(() => {
      this.end();
    });
  }

  private writev(parts: readonly Buffer[], position: number): Promise<number> {
    this.begin();
    return new Promise((resolve, reject) => {
      fs.writev(this.fd, parts, position, (error, count) => {
        this.end();
        if (error === null) resolve(count);
        else reject(this.failure(error));
      });
    });
  }
}

export async function openIncoming(folders: BlobFolders, blob: string, create: boolean): Promise<IncomingBlobFile> {
  const { O_RDWR, O_CREAT } = fs.constants;
  try {
    const fd = await openDescriptor(incomingPath(folders, blob), create ? O_RDWR | O_CREAT : O_RDWR);
    return new IncomingBlobFile(fd, blob);
  } catch (error) {
    if (isAbsent(error)) {
      throw new WaybillError('content-missing', `blob ${blob} of an upload in progress is not in the store`, {
        cause: error,
      });
    }
    throw asWaybillError(error);
  }
}
