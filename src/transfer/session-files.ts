/** Everything that a signed-in session does with files. */
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Attributes, BrokerCaller } from '../broker/calls.ts';
import { openBlob } from '../store/folder/blob-reader.ts';
import { openIncoming } from '../store/folder/incoming-blob.ts';
import type { BlobStore } from './blobs.ts';
import { SessionMemory } from './front-memory.ts';
import { ReadHandle, WriteHandle } from './handles.ts';
import type { HandleOwner, SessionHandle } from './handles.ts';
import { Reading } from './reading.ts';
import type { ReadingPorts } from './reading.ts';
import { SharedUpload } from './shared-upload.ts';
import type { DirectoryPage, OpenFile, OpenOptions, Quota, ResumableFiles, UploadingFile } from './transfer.ts';

/** Entries of a directory per broker call. */
const PAGE = 500;
/** Records of finished readings that may be on their way; the next CLOSE then waits for one to arrive. */
const BACKGROUND = 32;

export interface SessionFilesOptions {
  readonly broker: BrokerCaller;
  /** The session's id. */
  readonly session: string;
  /** Folders of ciphertext, as the broker's `hello` names them. */
  readonly blobs: string;
  readonly incoming: string;
  readonly log: Pick<Log, 'warn'>;
}

export function createSessionFiles(options: SessionFilesOptions): ResumableFiles {
  const folders = { blobs: options.blobs, incoming: options.incoming };
  const store: BlobStore = {
    open: (blob) => openBlob(folders, blob),
    openIncoming: (blob, create) => openIncoming(folders, blob, create),
  };
  return new TransferSession({ broker: options.broker, session: options.session, store, log: options.log });
}

class TransferSession implements ResumableFiles, HandleOwner {
  private readonly ports: ReadingPorts;
  private readonly log: Pick<Log, 'warn'>;
  private readonly handles = new Set<SessionHandle>();
  private readonly uploads = new Map<string, Promise<SharedUpload>>();
  private readonly inBackground = new Set<Promise<void>>();
  private over: Promise<void> | null = null;

  constructor({ broker, session, store, log }: Omit<ReadingPorts, 'memory'> & Pick<SessionFilesOptions, 'log'>) {
    this.ports = { broker, session, store, memory: new SessionMemory() };
    this.log = log;
  }

  async stat(path: string): Promise<Attributes> {
    const upload = await this.uploadAt(path);
    return upload?.attributes ?? this.ports.broker.call('files.stat', { ...this.session, path });
  }

  async list(path: string, after: string | null, limit = PAGE): Promise<DirectoryPage> {
    const page = await this.ports.broker.call('files.list', { ...this.session, path, after, limit });
    if (this.uploads.size === 0) return page;
    const folder = path.endsWith('/') ? path : `${path}/`;
    const entries = page.entries.map(async (entry) => {
      const upload = await this.uploadAt(folder + entry.name);
      return upload === null ? entry : { ...upload.attributes, name: entry.name };
    });
    return { ...page, entries: await Promise.all(entries) };
  }

  async mkdir(path: string): Promise<void> {
    await this.ports.broker.call('files.mkdir', { ...this.session, path });
  }

  async rmdir(path: string): Promise<void> {
    await this.ports.broker.call('files.rmdir', { ...this.session, path });
  }

  async remove(path: string): Promise<void> {
    await this.ports.broker.call('files.remove', { ...this.session, path });
  }

  async rename(from: string, to: string, replace: boolean): Promise<void> {
    await this.ports.broker.call('files.rename', { ...this.session, from, to, replace });
  }

  async setTimes(path: string, mtime: number, atime: number): Promise<void> {
    const upload = await this.uploadAt(path);
    if (upload !== null) upload.setTimes(mtime, atime);
    else await this.ports.broker.call('files.set-times', { ...this.session, path, mtime, atime });
  }

  async truncate(path: string, size: number): Promise<void> {
    const options = { read: false, write: true, append: false, create: false, exclusive: false, truncate: false };
    const file = await this.open(path, options);
    try {
      await file.truncate(size);
    } finally {
      await file.close();
    }
  }

  quota(path: string): Promise<Quota> {
    return this.ports.broker.call('files.quota', { ...this.session, path });
  }

  async open(path: string, options: OpenOptions): Promise<OpenFile> {
    this.check();
    return this.keep(options.write ? await this.openToWrite(path, options) : await this.openToRead(path, options.from));
  }

  async openUpload(path: string, options: Parameters<ResumableFiles['openUpload']>[1]): Promise<UploadingFile> {
    this.check();
    return this.keep(await this.openToWrite(path, { ...options, read: false, write: true, append: false }));
  }

  private async keep<H extends SessionHandle>(handle: H): Promise<H> {
    this.handles.add(handle);
    if (this.over !== null) {
      await handle.abandon();
      this.check();
    }
    return handle;
  }

  abandon(): Promise<void> {
    this.over ??= this.end();
    return this.over;
  }

  gone(handle: SessionHandle): void {
    this.handles.delete(handle);
    // Looking for an upload forgets it when it has ended.
    if (this.uploads.has(handle.path)) void this.uploadAt(handle.path);
  }

  async background(work: Promise<void>): Promise<void> {
    const entry: Promise<void> = work
      .catch((error: unknown) => {
        this.log.warn({ err: error }, 'a finished reading could not be recorded');
      })
      .finally(() => this.inBackground.delete(entry));
    this.inBackground.add(entry);
    if (this.inBackground.size > BACKGROUND) await Promise.race(this.inBackground);
  }

  private get session(): { session: string } {
    return { session: this.ports.session };
  }

  private check(): void {
    if (this.over !== null) throw new WaybillError('session-ended', 'the session is over');
  }

  private async openToRead(path: string, from?: number): Promise<SessionHandle> {
    const source = (await this.uploadAt(path)) ?? (await Reading.open(this.ports, path, from));
    return new ReadHandle(this.ports, this, path, source);
  }

  private async openToWrite(path: string, options: OpenOptions): Promise<WriteHandle> {
    for (;;) {
      const present = await this.uploadAt(path);
      // Somebody else's OPEN may have come first while this one looked.
      if (present === null && this.uploads.has(path)) continue;
      if (present === null) return new WriteHandle(this, await this.startUpload(path, options), options);
      if (options.exclusive) throw new WaybillError('already-exists', `${path} is being written`);
      if (await present.join(options.truncate)) return new WriteHandle(this, present, options);
      this.uploads.delete(path);
    }
  }

  private async startUpload(path: string, options: OpenOptions): Promise<SharedUpload> {
    const starting = SharedUpload.open(this.ports, path, options);
    this.uploads.set(path, starting);
    try {
      return await starting;
    } catch (error) {
      if (this.uploads.get(path) === starting) this.uploads.delete(path);
      throw error;
    }
  }

  /** This session's own upload at the path, while somebody writes it. */
  private async uploadAt(path: string): Promise<SharedUpload | null> {
    const starting = this.uploads.get(path);
    if (starting === undefined) return null;
    const upload = await starting.catch(() => null);
    if (upload?.ended === false) return upload;
    if (this.uploads.get(path) === starting) this.uploads.delete(path);
    return null;
  }

  private async end(): Promise<void> {
    const results = await Promise.allSettled([...this.handles].map((handle) => handle.abandon()));
    for (const result of results) {
      if (result.status === 'rejected')
        this.log.warn({ err: result.reason as unknown }, 'a file could not be put away');
    }
    await Promise.all(this.inBackground);
    this.handles.clear();
    this.uploads.clear();
    this.ports.memory.close();
  }
}
