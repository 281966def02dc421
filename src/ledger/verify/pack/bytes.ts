/** Where the bytes of a pack come from, one after another. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { WaybillError } from '../../../base/errors.ts';

export interface ByteSource {
  /** Up to this many bytes; fewer, or none, only at the end. */
  read(count: number): Promise<Buffer>;
}

export class PackFile implements ByteSource {
  private readonly handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  static async open(file: string): Promise<PackFile> {
    const handle = await open(file, 'r');
    if ((await handle.stat()).isFile()) return new PackFile(handle);
    await handle.close();
    throw new WaybillError('not-found', `${file} is no file`);
  }

  async read(count: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(count);
    let length = 0;
    while (length < count) {
      const { bytesRead } = await this.handle.read(bytes, length, count - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

export class PackBytes implements ByteSource {
  private rest: Buffer;

  constructor(bytes: Buffer) {
    this.rest = bytes;
  }

  read(count: number): Promise<Buffer> {
    const taken = this.rest.subarray(0, count);
    this.rest = this.rest.subarray(count);
    return Promise.resolve(taken);
  }
}
