/** Positioned reads and writes of one open file. Plain callbacks of node:fs: a FileHandle costs twice the time per call. */
import fs from 'node:fs';
import { WaybillError, asWaybillError } from '../../base/errors.ts';

export class BlobFile {
  protected readonly fd: number;
  protected readonly name: string;
  private busy = 0;
  private closing: (() => void) | null = null;

  constructor(fd: number, name: string) {
    this.fd = fd;
    this.name = name;
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let done = 0;
    while (done < buffer.length) {
      const count = await this.readOnce(buffer, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  /** Waits for what is under way: a descriptor number may be another file's as soon as it is closed. */
  async close(): Promise<void> {
    if (this.busy > 0) await new Promise<void>((resolve) => (this.closing = resolve));
    await new Promise<void>((resolve, reject) => {
      fs.close(this.fd, (error) => {
        if (error === null) resolve();
        else reject(asWaybillError(error));
      });
    });
  }

  protected begin(): void {
    this.busy += 1;
  }

  protected end(): void {
    this.busy -= 1;
    if (this.busy === 0) this.closing?.();
  }

  private readOnce(buffer: Buffer, done: number, position: number): Promise<number> {
    this.begin();
    return new Promise((resolve, reject) => {
      fs.read(this.fd, buffer, done, buffer.length - done, position, (error, count) => {
        this.end();
        if (error === null) resolve(count);
        else reject(this.failure(error));
      });
    });
  }

  protected failure(error: NodeJS.ErrnoException): WaybillError {
    // A disk that cannot give back a block is damage of this one content, not a fault of the server.
    if (error.code === 'EIO') {
      return new WaybillError('content-damaged', `blob ${this.name}: the disk cannot read it`, { cause: error });
    }
    if (error.code === 'EFBIG') {
      return new WaybillError('offset-invalid', `blob ${this.name}: the file system has no files of that length`, {
        cause: error,
      });
    }
    return asWaybillError(error);
  }
}

export function openDescriptor(file: string, flags: number, mode = 0o600): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, flags, mode, (error, fd) => {
      if (error === null) resolve(fd);
      else reject(error);
    });
  });
}

export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
