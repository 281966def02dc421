/** One upload from `upload.open` to its end: commit, suspend or discard. Operations must come one after the other. */
import { asWaybillError } from '../base/errors.ts';
import type { Attributes, Request, Response } from '../broker/calls.ts';
import { FrameCipher, storedLength, storedPosition } from '../keys/frame.ts';
import { FRAMES_PER_SEGMENT, INLINE_PLAIN } from '../keys/layout.ts';
import { SentRanges } from './sent-ranges.ts';
import { OpenBlobs } from './open-blobs.ts';
import { damaged, named, pinContent } from './pinned-content.ts';
import type { PinnedContent } from './pinned-content.ts';
import { releasedKeys } from './reading.ts';
import type { ReadingPorts } from './reading.ts';
import type { SegmentKeys } from './segment-keys.ts';
import { UploadBlob } from './upload-blob.ts';
import { UploadContent } from './upload-content.ts';
import { FROM, UploadSegments } from './upload-segments.ts';

export interface UploadFlags {
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
}

type CommitContent = Pick<Request<'upload.commit'>, 'size' | 'runs' | 'inline'>;

interface Times {
  readonly mtime: number;
  readonly atime: number;
}

export class Upload {
  readonly content: UploadContent;
  /** Whether closing makes a version. */
  changed: boolean;
  private readonly ports: ReadingPorts;
  private readonly path: string;
  private readonly answer: Response<'upload.open'>;
  private readonly blob: UploadBlob;
  private readonly base: PinnedContent;
  private readonly baseBlobs: OpenBlobs;
  private readonly baseKeys: SegmentKeys;
  private readonly resumed: boolean;
  private times: Times | null = null;
  private writtenAt: number | null = null;
  private baseUsed = false;
  private committed: string | null = null;
  private readonly sent = new SentRanges();

  static async open(ports: ReadingPorts, path: string, flags: UploadFlags): Promise<Upload> {
    const { create, exclusive, truncate } = flags;
    const { session } = ports;
    const answer = await ports.broker.call('upload.open', { session, path, create, exclusive, truncate });
    try {
      return new Upload(ports, path, flags, answer);
    } catch (error) {
      await ports.broker.call('upload.discard', { session, upload: answer.upload });
      throw error;
    }
  }

  private constructor(ports: ReadingPorts, path: string, flags: UploadFlags, answer: Response<'upload.open'>) {
    const { upload, blob, epoch, key, runs, inline, attributes, reading } = answer;
    this.ports = ports;
    this.path = path;
    this.answer = answer;
    this.base = pinContent(path, upload, attributes.size, runs, inline);
    // The epoch grows with every opening of a blob, so a later one than the first is an upload taken up again.
    this.resumed = epoch > 1 || runs.some((run) => run.blob === blob);
    this.changed = this.resumed || flags.truncate || (flags.create && attributes.size === 0);
    const opened = { path, upload, blob, epoch, key, resumed: this.resumed, size: attributes.size, runs };
    const segments = new UploadSegments(blob, attributes.size, this.base.map.clone());
    if (this.base.inline !== null) segments.setFrom(0, FROM.base);
    this.blob = new UploadBlob(ports, opened, () => segments.size);
    this.baseBlobs = new OpenBlobs(ports.store);
    this.baseKeys = releasedKeys(ports, reading);
    const loadBase = (frame: number, length: number): Promise<Buffer> => this.loadBase(frame, length);
    this.content = new UploadContent(segments, this.blob, loadBase, ports.memory.dirty);
  }

  get attributes(): Attributes {
    const { mtime, atime } = this.times ?? {
      mtime: this.writtenAt ?? this.answer.attributes.mtime,
      atime: this.answer.attributes.atime,
    };
    return { ...this.answer.attributes, size: this.content.size, mtime, atime, partial: true };
  }

  get version(): string | null {
    return this.committed ?? this.answer.upload;
  }

  /** Resolved at once, without a promise, when the next write may come at once. */
  write(offset: number, data: Buffer): Promise<void> | undefined {
    this.touch();
    const taken = this.content.write(offset, data);
    const { writeBehind } = this.ports.memory;
    if (taken === undefined && !writeBehind.over && !this.blob.checkpointDue) return undefined;
    return this.afterWrite(taken);
  }

  async truncate(size: number): Promise<void> {
    if (size === this.content.size) return;
    this.touch();
    await this.content.truncate(size);
  }

  async read(offset: number, length: number): Promise<Buffer[]> {
    const parts = await this.content.read(offset, length);
    this.sent.add(offset, parts);
    return parts;
  }

  setTimes(mtime: number, atime: number): void {
    this.times = { mtime, atime };
  }

  async sync(): Promise<void> {
    if (!this.changed) return;
    await this.store(false);
  }

  /** Makes the version; when this resolves it is durable. */
  async commit(): Promise<void> {
    const { session } = this.ports;
    const sealed = await this.finish();
    const { mtime, atime } = this.times ?? { mtime: null, atime: null };
    const { upload } = this.answer;
    await this.endReading();
    const made = await this.ports.broker.call('upload.commit', { session, upload, ...sealed, mtime, atime });
    this.committed = made.version;
  }

  /** Nobody writes any more; what is here can be taken up again. */
  async suspend(): Promise<void> {
    const empty = !this.blob.persisted && this.content.size === 0;
    if (!this.changed || empty) return this.discard();
    if (this.blob.failure !== null) return this.blob.persisted ? this.blob.idleAsVouched() : this.discard();
    await this.store(true);
  }

  async discard(): Promise<void> {
    await this.blob.close().catch(() => undefined);
    await this.endReading();
    await this.ports.broker.call('upload.discard', { session: this.ports.session, upload: this.answer.upload });
  }

  /** Times that were set although nothing was written belong to the version that is there. */
  async applyTimes(): Promise<void> {
    if (this.times === null) return;
    await this.ports.broker.call('files.set-times', { session: this.ports.session, path: this.path, ...this.times });
  }

  /** After commit, suspend or discard: nothing stays open. */
  async end(): Promise<void> {
    this.content.close();
    await Promise.all([this.blob.close(), this.baseKeys.close(), this.baseBlobs.close()]);
  }

  /** `reading` ends with its upload by itself; before that, what was read of the base is told. */
  private async endReading(): Promise<void> {
    if (!this.baseUsed) return;
    this.baseUsed = false;
    const { reading } = this.answer;
    await this.ports.broker.call('file.close', { session: this.ports.session, reading, sent: this.sent.list() });
  }

  private touch(): void {
    this.changed = true;
    this.writtenAt = Math.floor(Date.now() / 1000);
  }

  private async afterWrite(taken: Promise<void> | undefined): Promise<void> {
    await taken;
    if (this.blob.checkpointDue) {
      await this.content.prepareCheckpoint();
      this.blob.checkpoint(this.content.segments.settled());
    }
    await this.ports.memory.writeBehind.below();
  }

  private async store(idle: boolean): Promise<void> {
    await this.blob.persist();
    await this.content.complete();
    await this.blob.durable();
    if (idle) await this.endReading();
    await this.blob.vouch({ size: this.content.size, runs: this.content.segments.map.toRuns() }, idle);
  }

  private async finish(): Promise<CommitContent> {
    const { content, blob } = this;
    if (!blob.persisted && content.size <= INLINE_PLAIN && !content.blank) {
      const plain = await content.small();
      return { size: plain.length, runs: [], inline: blob.sealInline(plain) };
    }
    await content.complete();
    await blob.durable();
    return { size: content.size, runs: content.segments.map.toRuns(), inline: null };
  }

  private async loadBase(frame: number, length: number): Promise<Buffer> {
    const { base } = this;
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    const blob = base.inline?.blob ?? base.map.blobAt(segment);
    if (typeof blob !== 'string') throw damaged(base, `segment ${segment} lies nowhere`);
    this.baseUsed = true;
    const [key, stored] = await Promise.all([
      this.baseKeys.want(segment),
      base.inline?.bytes ?? this.readBase(blob, frame, length),
    ]);
    const plain = new FrameCipher(blob).open(key, frame, stored);
    if (plain === null) {
      const place = `segment ${segment}, frame ${frame % FRAMES_PER_SEGMENT}`;
      throw damaged(base, `blob ${blob}, ${place} fails its integrity check`);
    }
    return plain;
  }

  private async readBase(blob: string, frame: number, length: number): Promise<Buffer> {
    const stored = Buffer.allocUnsafe(storedLength(length));
    try {
      const read = await this.baseBlobs.read(blob, stored, storedPosition(frame));
      if (read === stored.length) return stored;
    } catch (error) {
      throw named(this.base, asWaybillError(error));
    }
    throw damaged(this.base, `blob ${blob} is cut short in frame ${frame}`);
  }
}
