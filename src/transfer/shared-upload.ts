/**
 * All handles of a session that write one path write one upload. Each close that changed something commits a version;
 * handles that stay open go on with a new upload over it.
 */
import type { Attributes } from '../broker/calls.ts';
import type { WaybillError } from '../base/errors.ts';
import { asWaybillError } from '../base/errors.ts';
import type { ReadingPorts } from './reading.ts';
import { Turns } from './turns.ts';
import { Upload } from './upload.ts';
import type { UploadFlags } from './upload.ts';

export class SharedUpload {
  readonly path: string;
  /** No handle writes any more: a reader that was here goes on with the committed version. */
  ended = false;
  private readonly ports: ReadingPorts;
  private readonly turns = new Turns();
  private upload: Upload;
  private writers = 1;
  private failure: WaybillError | null = null;

  static async open(ports: ReadingPorts, path: string, flags: UploadFlags): Promise<SharedUpload> {
    return new SharedUpload(ports, path, await Upload.open(ports, path, flags));
  }

  private constructor(ports: ReadingPorts, path: string, upload: Upload) {
    this.ports = ports;
    this.path = path;
    this.upload = upload;
  }

  get attributes(): Attributes {
    return this.upload.attributes;
  }

  get version(): string | null {
    return this.upload.version;
  }

  /** One more writer; false when the last one has gone meanwhile. */
  join(truncate: boolean): Promise<boolean> {
    return this.turns.run(async () => {
      if (this.ended) return false;
      this.writers += 1;
      if (truncate) await this.upload.truncate(0);
      return true;
    });
  }

  write(offset: number | 'end', data: Buffer): Promise<void> {
    return this.turns.run(() => {
      this.check();
      try {
        const done = this.upload.write(offset === 'end' ? this.upload.content.size : offset, data);
        return done?.catch((error: unknown) => {
          throw this.fail(error);
        });
      } catch (error) {
        throw this.fail(error);
      }
    });
  }

  truncate(size: number): Promise<void> {
    return this.guarded(() => this.upload.truncate(size));
  }

  sync(): Promise<void> {
    return this.guarded(() => this.upload.sync());
  }

  /** Null when the upload has ended. A failure to read fails that read alone. */
  read(offset: number, length: number): Promise<readonly Buffer[] | null> {
    return this.turns.run(async () => (this.ended ? null : await this.upload.read(offset, length)));
  }

  setTimes(mtime: number, atime: number): void {
    this.upload.setTimes(mtime, atime);
  }

  leave(): Promise<void> {
    return this.turns.run(async () => {
      if (this.ended) return;
      this.writers -= 1;
      if (this.writers > 0 && !this.upload.changed && this.failure === null) return;
      await this.settle();
    });
  }

  /** The connection is gone: nothing is committed that no CLOSE asked for. */
  abandon(): Promise<void> {
    return this.turns.run(async () => {
      if (this.ended) return;
      this.ended = true;
      try {
        await this.upload.suspend();
      } finally {
        await this.upload.end();
      }
    });
  }

  /** For all its writers. */
  discard(): Promise<void> {
    return this.turns.run(async () => {
      if (this.ended) return;
      this.ended = true;
      try {
        await this.upload.discard();
      } finally {
        await this.upload.end();
      }
    });
  }

  private async settle(): Promise<void> {
    this.ended = this.writers === 0;
    try {
      this.check();
      if (this.upload.changed) await this.upload.commit();
      else await this.giveUp();
    } catch (error) {
      const failure = this.fail(error);
      if (this.ended) await this.forget();
      throw failure;
    }
    await this.upload.end();
    if (!this.ended) await this.reopen();
  }

  private async giveUp(): Promise<void> {
    await this.upload.applyTimes();
    await this.upload.discard();
  }

  /** What failed cannot become a version: its space goes back. The failure that is told is the first one. */
  private async forget(): Promise<void> {
    await this.upload.discard().catch(() => undefined);
    await this.upload.end().catch(() => undefined);
  }

  private async reopen(): Promise<void> {
    try {
      const flags = { create: false, exclusive: false, truncate: false };
      this.upload = await Upload.open(this.ports, this.path, flags);
    } catch (error) {
      // This close did make its version; the handles that stay are told when they are used.
      this.fail(error);
      this.ended = true;
    }
  }

  private guarded(operation: () => Promise<void>): Promise<void> {
    return this.turns.run(async () => {
      this.check();
      try {
        await operation();
      } catch (error) {
        throw this.fail(error);
      }
    });
  }

  private check(): void {
    if (this.failure !== null) throw this.failure;
  }

  private fail(error: unknown): WaybillError {
    const failure = asWaybillError(error);
    if (failure.code !== 'offset-invalid') this.failure ??= failure;
    return failure;
  }
}
