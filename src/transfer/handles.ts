/** The two kinds of open files that a protocol sees. */
import { WaybillError, asWaybillError } from '../base/errors.ts';
import type { Attributes } from '../broker/calls.ts';
import { Reading } from './reading.ts';
import type { ReadingPorts } from './reading.ts';
import type { SharedUpload } from './shared-upload.ts';
import type { OpenFile, OpenOptions, UploadingFile } from './transfer.ts';

/** What a handle tells its session when it goes. `report` is for what the client needs no answer about. */
export interface HandleOwner {
  gone(handle: SessionHandle): void;
  background(work: Promise<void>): Promise<void>;
}

export interface SessionHandle extends OpenFile {
  /** The session is over. */
  abandon(): Promise<void>;
}

function checkRange(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new WaybillError('offset-invalid', 'offset or length is not one that a file can have');
  }
  if (!Number.isSafeInteger(offset + length)) throw new WaybillError('offset-invalid', 'the range ends past 2^53');
}

function closed(path: string): WaybillError {
  return new WaybillError('handle-invalid', `${path} is closed`);
}

export class ReadHandle implements SessionHandle {
  readonly path: string;
  private readonly ports: ReadingPorts;
  private readonly owner: HandleOwner;
  /** Reads of a path that this session is writing show the writing; afterwards the committed version. */
  private upload: SharedUpload | null;
  private reading: Promise<Reading> | null;
  private attributes: Attributes;
  private open = true;

  constructor(ports: ReadingPorts, owner: HandleOwner, path: string, source: Reading | SharedUpload) {
    this.ports = ports;
    this.owner = owner;
    this.path = path;
    this.attributes = source.attributes;
    this.upload = source instanceof Reading ? null : source;
    this.reading = source instanceof Reading ? Promise.resolve(source) : null;
  }

  stat(): Attributes {
    return this.upload === null || this.upload.ended ? this.attributes : this.upload.attributes;
  }

  async read(offset: number, length: number, until?: number): Promise<readonly Buffer[]> {
    if (!this.open) throw closed(this.path);
    checkRange(offset, length);
    if (this.upload !== null) {
      const parts = await this.upload.read(offset, length);
      if (parts !== null) return parts;
      this.upload = null;
    }
    this.reading ??= this.openCommitted();
    return (await this.reading).read(offset, length, until);
  }

  write(): Promise<void> {
    return Promise.reject(new WaybillError('permission-denied', `${this.path} is open for reading only`));
  }

  truncate(): Promise<void> {
    return this.write();
  }

  setTimes(mtime: number, atime: number): void {
    if (this.upload !== null && !this.upload.ended) {
      this.upload.setTimes(mtime, atime);
      return;
    }
    const { broker, session } = this.ports;
    this.attributes = { ...this.attributes, mtime, atime };
    void this.owner.background(
      broker.call('files.set-times', { session, path: this.path, mtime, atime }).then(() => undefined),
    );
  }

  sync(): Promise<void> {
    return this.open ? Promise.resolve() : Promise.reject(closed(this.path));
  }

  /** The client waits for nothing: what was sent is recorded behind its back, and the release was recorded long ago. */
  async close(): Promise<void> {
    if (!this.open) throw closed(this.path);
    await this.owner.background(this.finish());
  }

  async abandon(): Promise<void> {
    if (this.open) await this.finish();
  }

  private async finish(): Promise<void> {
    this.open = false;
    this.owner.gone(this);
    await (await this.reading)?.close();
  }

  private async openCommitted(): Promise<Reading> {
    const reading = await Reading.open(this.ports, this.path);
    this.attributes = reading.attributes;
    if (!this.open) await reading.close();
    return reading;
  }
}

export class WriteHandle implements SessionHandle, UploadingFile {
  readonly path: string;
  private readonly owner: HandleOwner;
  private readonly upload: SharedUpload;
  private readonly options: OpenOptions;
  private open = true;

  constructor(owner: HandleOwner, upload: SharedUpload, options: OpenOptions) {
    this.owner = owner;
    this.path = upload.path;
    this.upload = upload;
    this.options = options;
  }

  stat(): Attributes {
    return this.upload.attributes;
  }

  async read(offset: number, length: number): Promise<readonly Buffer[]> {
    this.check();
    checkRange(offset, length);
    if (!this.options.read) throw new WaybillError('permission-denied', `${this.path} is open for writing only`);
    const parts = await this.upload.read(offset, length);
    if (parts === null) throw closed(this.path);
    return parts;
  }

  write(offset: number, data: Buffer): Promise<void> {
    try {
      this.check();
      checkRange(offset, data.length);
    } catch (error) {
      return Promise.reject(asWaybillError(error));
    }
    if (data.length === 0) return Promise.resolve();
    return this.upload.write(this.options.append ? 'end' : offset, data);
  }

  async truncate(size: number): Promise<void> {
    this.check();
    checkRange(size, 0);
    await this.upload.truncate(size);
  }

  setTimes(mtime: number, atime: number): void {
    this.check();
    this.upload.setTimes(mtime, atime);
  }

  async sync(): Promise<void> {
    this.check();
    await this.upload.sync();
  }

  async close(): Promise<void> {
    this.check();
    this.open = false;
    try {
      await this.upload.leave();
    } finally {
      this.owner.gone(this);
    }
  }

  async abandon(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.owner.gone(this);
    await this.upload.abandon();
  }

  get version(): string | null {
    return this.upload.version;
  }

  suspend(): Promise<void> {
    return this.abandon();
  }

  async discard(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.owner.gone(this);
    await this.upload.discard();
  }

  private check(): void {
    if (!this.open) throw closed(this.path);
  }
}
