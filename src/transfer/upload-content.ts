/**
 * The content of an upload as its writers see it: writes at any offset become frames, frames that are not written
 * whole wait in memory, and what lies below them is read only when it is needed. Operations must come one after the other
 * (shared-upload.ts sees to that).
 */
import { WaybillError } from '../base/errors.ts';
import { plainLength } from '../keys/frame.ts';
import { FRAME_PLAIN, FRAMES_PER_SEGMENT, INLINE_PLAIN, SEGMENT_PLAIN } from '../keys/layout.ts';
import { DirtyFrames } from './dirty-frames.ts';
import type { DirtyFrame } from './dirty-frames.ts';
import type { MemoryBudget } from './memory.ts';
import type { UploadBlob, Wait } from './upload-blob.ts';
import { FROM } from './upload-segments.ts';
import type { UploadSegments } from './upload-segments.ts';

const ZEROS = Buffer.alloc(FRAME_PLAIN);
/** Segments written in part are completed from the oldest on beyond this: 1,024 of them are 8 GiB touched at random. */
const OPEN_SEGMENTS = 1024;

/** Reads a frame that the upload started from and that is not its own. */
export type LoadBase = (frame: number, length: number) => Promise<Buffer>;

export class UploadContent {
  readonly segments: UploadSegments;
  private readonly blob: UploadBlob;
  private readonly loadBase: LoadBase;
  private readonly dirty: DirtyFrames;
  /** The last frame that was read from below, for readers in small steps. */
  private recent: { frame: number; plain: Buffer } | null = null;

  constructor(segments: UploadSegments, blob: UploadBlob, loadBase: LoadBase, budget: MemoryBudget) {
    this.segments = segments;
    this.blob = blob;
    this.loadBase = loadBase;
    this.dirty = new DirtyFrames(budget);
  }

  get size(): number {
    return this.segments.size;
  }

  /** Resolved at once, without a promise, when nothing has to be waited for: that is nearly every write. */
  write(offset: number, data: Buffer): Promise<void> | undefined {
    const wait = this.growTo(offset + data.length);
    let at = 0;
    while (wait === null && at < data.length) {
      const step = this.putPiece(offset + at, data, at);
      if (typeof step !== 'number') break;
      at += step;
    }
    return at < data.length ? this.writeRest(offset, data, at) : undefined;
  }

  async truncate(size: number): Promise<void> {
    if (size >= this.size) {
      for (let wait = this.growTo(size); wait !== null; wait = this.growTo(size)) await wait();
      return;
    }
    const frame = Math.floor(size / FRAME_PLAIN);
    const rest = size % FRAME_PLAIN;
    const keep = rest > 0 && (this.dirty.get(frame) !== undefined || this.segments.from(frame) !== FROM.zeros);
    if (keep) (await this.known(frame)).cut(rest);
    this.recent = null;
    this.dirty.dropFrom(Math.ceil(size / FRAME_PLAIN));
    this.segments.shrink(size);
    if (keep) this.segments.setFrom(frame, FROM.zeros);
  }

  async read(offset: number, length: number): Promise<Buffer[]> {
    const end = Math.min(offset + length, this.size);
    const parts: Buffer[] = [];
    for (let at = offset; at < end;) {
      const frame = Math.floor(at / FRAME_PLAIN);
      const start = at - frame * FRAME_PLAIN;
      const stop = Math.min(FRAME_PLAIN, end - frame * FRAME_PLAIN);
      parts.push(await this.readFrame(frame, start, stop));
      at += stop - start;
    }
    return parts;
  }

  /** Everything lies on disk, in whole segments of one place each. */
  async complete(): Promise<void> {
    for (const frame of this.dirty.numbers()) await this.flush(frame);
    for (const segment of [...this.segments.open.keys()].sort((a, b) => a - b)) await this.completeSegment(segment);
  }

  /**
   * Before a checkpoint, so that it covers what it can: unfinished frames but the last go to disk, and so do base
   * frames in segments that cannot count as their base any more (the file grew there: two segments at the most, once).
   */
  async prepareCheckpoint(): Promise<void> {
    const last = Math.floor((this.size - 1) / FRAME_PLAIN);
    for (const frame of this.dirty.numbers()) if (frame !== last) await this.flush(frame);
    for (const [segment, open] of this.segments.open) {
      if (open.baseLength === this.segments.lengthOf(segment) || !open.from.includes(FROM.base)) continue;
      for (let index = 0; index < this.segments.framesIn(segment); index++) {
        if (open.from[index] === FROM.base) await this.moveIn(segment * FRAMES_PER_SEGMENT + index);
      }
    }
  }

  /** The whole of a content that never left memory. */
  async small(): Promise<Buffer> {
    return Buffer.concat(await this.read(0, INLINE_PLAIN));
  }

  /** Nothing but zeros, stored nowhere. */
  get blank(): boolean {
    return (
      this.dirty.empty && this.segments.open.size === 0 && this.segments.map.toRuns().every((run) => run.blob === null)
    );
  }

  close(): void {
    this.dirty.dropFrom(0);
    this.recent = null;
  }

  private async writeRest(offset: number, data: Buffer, done: number): Promise<void> {
    const end = offset + data.length;
    for (let wait = this.growTo(end); wait !== null; wait = this.growTo(end)) await wait();
    for (let at = done; at < data.length;) {
      const step = this.putPiece(offset + at, data, at);
      if (typeof step === 'number') at += step;
      else await step();
    }
  }

  /** The stored last frame is short; before the file grows past it, it must be in memory as a whole. */
  private growTo(size: number): Wait {
    const { segments } = this;
    if (size > Number.MAX_SAFE_INTEGER - SEGMENT_PLAIN)
      throw new WaybillError('offset-invalid', 'the file would be too long');
    if (size <= segments.size) return null;
    const tail = segments.size % FRAME_PLAIN;
    const frame = Math.floor(segments.size / FRAME_PLAIN);
    const short = tail > 0 && segments.from(frame) !== FROM.zeros;
    if (short && this.dirty.get(frame)?.covers(0, tail) !== true) return () => this.known(frame);
    segments.grow(size);
    if (short) segments.setFrom(frame, FROM.zeros);
    this.recent = null;
    return null;
  }

  /** Takes what of `data` belongs to one frame: the number of bytes taken, or what to wait for. */
  private putPiece(position: number, data: Buffer, at: number): number | (() => Promise<unknown>) {
    const frame = Math.floor(position / FRAME_PLAIN);
    const start = position - frame * FRAME_PLAIN;
    const length = Math.min(FRAME_PLAIN - start, data.length - at);
    const piece = data.subarray(at, at + length);
    const wait =
      length === FRAME_PLAIN && !this.staysInMemory()
        ? this.sealWhole(frame, piece)
        : this.putPart(frame, start, piece);
    return wait ?? length;
  }

  private staysInMemory(): boolean {
    return !this.blob.persisted && this.size <= INLINE_PLAIN;
  }

  private sealWhole(frame: number, plain: Buffer): Wait {
    const wait = this.roomForSegment(frame) ?? this.blob.ready(frame, FRAME_PLAIN);
    if (wait !== null) return wait;
    this.seal(frame, plain);
    return null;
  }

  private putPart(frame: number, start: number, piece: Buffer): Wait {
    const end = start + piece.length;
    const present = this.dirty.get(frame);
    const wait = present === undefined ? this.roomForFrame(frame) : this.connect(frame, present, start, end);
    if (wait !== null) return wait;
    const fills = end === FRAME_PLAIN && !this.staysInMemory() && (start === 0 || present?.from === 0);
    // Asked before the piece is taken, so that it is taken once.
    const unready = fills ? this.blob.ready(frame, FRAME_PLAIN) : null;
    if (unready !== null) return unready;
    const dirty = present ?? this.dirty.make(frame);
    dirty.put(start, piece);
    if (fills && dirty.covers(0, FRAME_PLAIN)) this.seal(frame, dirty.buffer);
    if (this.recent?.frame === frame) this.recent = null;
    return null;
  }

  private roomForFrame(frame: number): Wait {
    const wait = this.roomForSegment(frame);
    if (wait !== null || this.dirty.roomForOne) return wait;
    const oldest = this.dirty.oldest(Math.floor((this.size - 1) / FRAME_PLAIN));
    return oldest === undefined ? null : () => this.flush(oldest);
  }

  private roomForSegment(frame: number): Wait {
    const { open } = this.segments;
    if (open.size < OPEN_SEGMENTS || open.has(Math.floor(frame / FRAMES_PER_SEGMENT))) return null;
    const [oldest] = open.keys();
    return oldest === undefined ? null : () => this.completeSegment(oldest);
  }

  private connect(frame: number, dirty: DirtyFrame, start: number, end: number): Wait {
    if (dirty.touches(start, end)) return null;
    if (this.segments.from(frame) !== FROM.zeros) return () => this.known(frame);
    dirty.fillFrom(null);
    return null;
  }

  /** `plain` may be the dirty frame's own buffer: sealing copies before the buffer goes back. */
  private seal(frame: number, plain: Buffer): void {
    this.blob.seal(frame, plain);
    this.segments.setFrom(frame, FROM.own);
    this.dirty.drop(frame);
    if (this.recent?.frame === frame) this.recent = null;
  }

  /** The frame in memory, with everything known that lies below it. */
  private async known(frame: number): Promise<DirtyFrame> {
    const present = this.dirty.get(frame);
    if (present?.covers(0, FRAME_PLAIN) === true) return present;
    const stored = await this.below(frame);
    const dirty = present ?? this.dirty.make(frame);
    dirty.fillFrom(stored);
    return dirty;
  }

  private async below(frame: number): Promise<Buffer | null> {
    const from = this.segments.from(frame);
    const length = plainLength(frame, this.size);
    if (from === FROM.zeros) return null;
    if (this.recent?.frame === frame) return this.recent.plain;
    const plain = await (from === FROM.own ? this.blob.load(frame, length) : this.loadBase(frame, length));
    this.recent = { frame, plain };
    return plain;
  }

  private async readFrame(frame: number, start: number, stop: number): Promise<Buffer> {
    const dirty = this.dirty.get(frame);
    // A copy: the frame goes on changing, what a reader got must not.
    if (dirty !== undefined)
      return Buffer.from((dirty.covers(start, stop) ? dirty : await this.known(frame)).buffer.subarray(start, stop));
    return ((await this.below(frame)) ?? ZEROS).subarray(start, stop);
  }

  private async flush(frame: number): Promise<void> {
    const length = plainLength(frame, this.size);
    let dirty = this.dirty.get(frame);
    if (dirty === undefined) return;
    if (!dirty.covers(0, length)) dirty = await this.known(frame);
    await this.sealWhenReady(frame, dirty.buffer.subarray(0, length));
  }

  private async sealWhenReady(frame: number, plain: Buffer): Promise<void> {
    for (let wait = this.blob.ready(frame, plain.length); wait !== null; wait = this.blob.ready(frame, plain.length)) {
      await wait();
    }
    this.seal(frame, plain);
  }

  private async moveIn(frame: number): Promise<void> {
    if (this.dirty.get(frame) !== undefined) return this.flush(frame);
    const length = plainLength(frame, this.size);
    await this.sealWhenReady(frame, (await this.below(frame)) ?? ZEROS.subarray(0, length));
  }

  private async completeSegment(segment: number): Promise<void> {
    const first = segment * FRAMES_PER_SEGMENT;
    const frames = this.segments.framesIn(segment);
    const open = this.segments.open.get(segment);
    if (open === undefined) return;
    if (this.onlyZeros(segment, frames)) {
      this.segments.close(segment, null);
      return;
    }
    for (let frame = first; frame < first + frames; frame++) {
      if (this.dirty.get(frame) !== undefined || this.segments.from(frame) !== FROM.own) await this.moveIn(frame);
    }
    this.segments.close(segment, this.segments.own);
  }

  private onlyZeros(segment: number, frames: number): boolean {
    const first = segment * FRAMES_PER_SEGMENT;
    for (let frame = first; frame < first + frames; frame++) {
      if (this.dirty.get(frame) !== undefined || this.segments.from(frame) !== FROM.zeros) return false;
    }
    return true;
  }
}
