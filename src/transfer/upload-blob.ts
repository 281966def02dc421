/**
 * An upload's own blob: incoming/<blob>. Keys, nonces and the order in which disk and broker learn things.
 *
 * What a crash (kill -9, power loss) may find, in the order things happen:
 *  1. `upload.open` - the broker has promised an epoch; nothing else. The upload is gone with this process.
 *  2. `upload.persist` is answered before incoming/<blob> exists, so that no file there is unknown to the broker.
 *  3. Frames are written in any order. What the broker holds of the upload ("vouched") names none of them.
 *  4. `upload.progress durable`: the broker fsyncs blob and folder (a front may not), then it is vouched.
 *  5. A vouched frame may be written again in place with the same length, under a new nonce. Before one is written with
 *     another length (the short last frame grows, a truncation makes it short) the broker is told a size that ends before
 *     it: a resumed upload never starts from a frame whose length nobody knows. That costs a crash up to
 *     64 KiB of what was synced and is being written again.
 *  6. When the disk is full, what lies behind everything the broker was told of is cut off at once; what it may hold stays,
 *     and can be resumed. Nothing that it may hold is ever cut: a hole there would read as zeros after a crash.
 *  7. `upload.discard`: the file is closed first, so that the room is there when the broker removes its name.
 *  8. `upload.commit`, in which the broker fsyncs first. When its answer is lost, the version is there or the upload is, never half of it.
 */
import type { SegmentRun } from '../broker/calls.ts';
import { FrameCipher, NonceSequence, plainLength, storedLength, storedPosition } from '../keys/frame.ts';
import { FRAME_PLAIN, FRAMES_PER_SEGMENT, SEGMENT_PLAIN } from '../keys/layout.ts';
import { BatchWriter } from './batch-writer.ts';
import type { IncomingBlob } from './blobs.ts';
import { damaged } from './pinned-content.ts';
import type { ReadingPorts } from './reading.ts';
import { SegmentKeys } from './segment-keys.ts';
import { SegmentMap, segmentsOf } from './segment-map.ts';

/** So many bytes of an upload a crash of this process may cost at the most, beside what comes in during the fdatasync. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;

export interface OpenedUpload {
  readonly path: string;
  readonly upload: string;
  readonly blob: string;
  readonly epoch: number;
  readonly key: Buffer;
  /** The broker knows this upload from an earlier opening: vouched for is what it starts from. */
  readonly resumed: boolean;
  readonly size: number;
  readonly runs: readonly SegmentRun[];
}

/** What has to be waited for before an operation can go on; null when nothing. */
export type Wait = (() => Promise<unknown>) | null;

export class UploadBlob {
  readonly opened: OpenedUpload;
  persisted: boolean;
  /** Sealed bytes since the last checkpoint. */
  unsynced = 0;
  private readonly ports: ReadingPorts;
  private readonly keys: SegmentKeys;
  private readonly cipher: FrameCipher;
  private readonly nonces: NonceSequence;
  private file: IncomingBlob | null = null;
  private writer: BatchWriter | null = null;
  private vouched: { size: number; map: SegmentMap };
  private checkpointing: Promise<void> | null = null;
  private lastSealed = -1;
  /** So long was the file in what the broker may hold of it, its answer come or not. */
  private toldLength: number;
  private cutting: Promise<void> | null = null;

  constructor(ports: ReadingPorts, opened: OpenedUpload, sizeNow: () => number) {
    this.ports = ports;
    this.opened = opened;
    this.persisted = opened.resumed;
    this.cipher = new FrameCipher(opened.blob);
    this.nonces = new NonceSequence(opened.epoch);
    this.keys = new SegmentKeys(async (first, count) => {
      const size = Math.max(sizeNow(), first * SEGMENT_PLAIN + 1);
      const { session, upload } = { session: ports.session, upload: opened.upload };
      const { keys } = await ports.broker.call('upload.keys', { session, upload, first, count, size });
      return keys;
    });
    // A resumed upload's segment 0 may hold bytes: `upload.keys` gives its key, and records it.
    this.keys.add(0, opened.key);
    const map = opened.resumed ? SegmentMap.of(opened.runs, segmentsOf(opened.size)) : null;
    this.vouched = { size: map === null ? 0 : opened.size, map: map ?? new SegmentMap() };
    this.toldLength = ownLength(opened.blob, this.vouched.map, this.vouched.size);
  }

  get checkpointDue(): boolean {
    return this.unsynced >= CHECKPOINT_BYTES && this.checkpointing === null;
  }

  get failure(): Error | null {
    return this.writer?.failure ?? null;
  }

  /** Whether a frame of that length can be sealed now. */
  ready(frame: number, length: number): Wait {
    if (this.writer === null) return () => this.persist();
    if (this.writer.failure !== null) throw this.writer.failure;
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    if (this.keys.peek(segment) === undefined) return () => this.keys.want(segment);
    if (this.writer.busy(frame)) return () => this.settle();
    const vouched = this.vouchedLength(frame);
    if (vouched !== 0 && vouched !== length) return () => this.unvouch(frame);
    // A checkpoint under way counts frames as they are: none may become short before the broker has heard of it.
    const { checkpointing } = this;
    if (length < FRAME_PLAIN && checkpointing !== null) return () => checkpointing;
    return null;
  }

  /** Only when `ready` said so. `plain` is done with when this returns. */
  seal(frame: number, plain: Buffer): void {
    const key = this.keys.peek(Math.floor(frame / FRAMES_PER_SEGMENT));
    if (key === undefined || this.writer === null) throw new Error('sealed before it was ready');
    this.writer.add(frame, this.cipher.seal(key, this.nonces.next(), frame, plain));
    this.unsynced += plain.length;
    this.askAhead(frame);
  }

  /** The one frame of a small content, for `upload.commit`. */
  sealInline(plain: Buffer): Buffer {
    const key = this.keys.peek(0);
    if (key === undefined) throw new Error('the key of segment 0 is gone');
    return Buffer.concat(this.cipher.seal(key, this.nonces.next(), 0, plain));
  }

  async load(frame: number, length: number): Promise<Buffer> {
    const file = await this.openFile();
    if (this.writer?.busy(frame) === true) await this.settle();
    const key = await this.keys.want(Math.floor(frame / FRAMES_PER_SEGMENT));
    const stored = Buffer.allocUnsafe(storedLength(length));
    const read = await file.read(stored, storedPosition(frame));
    const plain = read < stored.length ? null : this.cipher.open(key, frame, stored);
    if (plain !== null) return plain;
    const place = { path: this.opened.path, version: this.opened.upload };
    throw damaged(place, `blob ${this.opened.blob}, frame ${frame} of an upload in progress fails its integrity check`);
  }

  async persist(): Promise<void> {
    if (!this.persisted) {
      await this.ports.broker.call('upload.persist', { session: this.ports.session, upload: this.opened.upload });
      this.persisted = true;
    }
    await this.openFile();
  }

  async settle(): Promise<void> {
    await this.writer?.settle();
  }

  /** Everything sealed so far is in the file, and no checkpoint is under way: the broker may make it durable. */
  async durable(): Promise<void> {
    await this.checkpointing;
    await this.writer?.settle();
  }

  /** Vouches for a content whose frames are all handed over: in the background, while more is written. */
  checkpoint(content: { size: number; runs: SegmentRun[] }): void {
    if (this.checkpointing !== null || this.writer === null) return;
    this.unsynced = 0;
    const work = this.vouch(content, false).catch(() => undefined);
    this.checkpointing = work.then(() => {
      this.checkpointing = null;
    });
  }

  async vouch(content: { size: number; runs: SegmentRun[] }, idle: boolean): Promise<void> {
    await this.writer?.settle();
    await this.progress(content, idle);
  }

  /** The session ends and this upload failed: what was vouched for is what can be resumed. */
  async idleAsVouched(): Promise<void> {
    await this.progress({ size: this.vouched.size, runs: this.vouched.map.toRuns() }, true);
  }

  /** Also before the broker discards: on a full disk a file that is still open gives no room back. */
  async close(): Promise<void> {
    await this.checkpointing;
    await this.cutting;
    await this.keys.close();
    if (this.writer !== null) await this.writer.close();
    else await this.file?.close();
  }

  /** What cannot become durable any more gives its room back at once, without waiting for the client to close. */
  private async cut(): Promise<void> {
    await this.checkpointing;
    await this.writer?.quiet();
    await this.file?.cut(this.toldLength);
  }

  private async progress(content: { size: number; runs: SegmentRun[] }, idle: boolean): Promise<void> {
    const { session, upload } = { session: this.ports.session, upload: this.opened.upload };
    const map = SegmentMap.of(content.runs, segmentsOf(content.size)) ?? new SegmentMap();
    this.toldLength = Math.max(this.toldLength, ownLength(this.opened.blob, map, content.size));
    await this.ports.broker.call('upload.progress', { session, upload, ...content, durable: true, idle });
    this.vouched = { size: content.size, map };
  }

  private vouchedLength(frame: number): number {
    const { size, map } = this.vouched;
    if (map.blobAt(Math.floor(frame / FRAMES_PER_SEGMENT)) !== this.opened.blob) return 0;
    return plainLength(frame, size);
  }

  private async unvouch(frame: number): Promise<void> {
    await this.checkpointing;
    const size = Math.min(this.vouched.size, frame * FRAME_PLAIN);
    const map = this.vouched.map.clone();
    map.resize(segmentsOf(size));
    await this.progress({ size, runs: map.toRuns() }, false);
  }

  private async openFile(): Promise<IncomingBlob> {
    if (this.file !== null) return this.file;
    const create = !this.opened.runs.some((run) => run.blob === this.opened.blob);
    this.file = await this.ports.store.openIncoming(this.opened.blob, create);
    this.writer = new BatchWriter(this.file, this.ports.memory.writeBehind, ({ code }) => {
      if (code === 'store-full') this.cutting = this.cut().catch(() => undefined);
    });
    return this.file;
  }

  /** Only for a writer in sequence: a key of a segment that holds bytes is recorded as released to the session. */
  private askAhead(frame: number): void {
    const inSequence = frame === this.lastSealed + 1;
    this.lastSealed = frame;
    if (!inSequence || frame % FRAMES_PER_SEGMENT < FRAMES_PER_SEGMENT / 2) return;
    this.keys.early(Math.floor(frame / FRAMES_PER_SEGMENT) + 1, 1);
  }
}

/** The stored length up to the end of the last own segment. */
function ownLength(blob: string, map: SegmentMap, size: number): number {
  let segment = segmentsOf(size) - 1;
  while (segment >= 0 && map.blobAt(segment) !== blob) segment -= 1;
  if (segment < 0) return 0;
  const end = Math.min(size, (segment + 1) * SEGMENT_PLAIN);
  const last = Math.ceil(end / FRAME_PLAIN) - 1;
  return storedPosition(last) + storedLength(plainLength(last, size));
}
