/** Ciphertext on its way from the store for one open content: large reads, a few at a time, within the session's budget. */
import { asWaybillError } from '../base/errors.ts';
import { FRAMES_PER_SEGMENT, FRAME_STORED } from '../keys/layout.ts';
import { plainLength, storedLength, storedPosition } from '../keys/frame.ts';
import type { OpenBlobs } from './open-blobs.ts';
import { CHUNK_FRAMES, chunkPool } from './front-memory.ts';
import type { SessionMemory } from './front-memory.ts';
import { damaged, named } from './pinned-content.ts';
import type { PinnedContent } from './pinned-content.ts';

/** What is read ahead of a sequential reader, in chunks of 1 MiB. */
const AHEAD = 2;

interface Load {
  readonly first: number;
  readonly count: number;
  readonly borrowed: boolean;
  readonly done: Promise<void>;
  buffer: Buffer | null;
  ready: boolean;
  failure: Error | null;
  stale: boolean;
  /** Frames not yet opened; at zero the ciphertext goes. */
  left: number;
}

export class ChunkLoads {
  private readonly content: PinnedContent;
  private readonly blobs: OpenBlobs;
  private readonly memory: SessionMemory;
  private readonly frames: number;
  private loads: Load[] = [];
  /** Frames below this have been read ahead in this run of sequential reads. */
  private ahead = 0;
  /** Somebody waits for this one: it must not go before it was taken. */
  private wanted = -1;
  private readonly shed = (): void => {
    for (const load of this.loads) if (load.ready && !load.borrowed && !holds(load, this.wanted)) this.drop(load);
    this.ahead = 0;
  };

  constructor(content: PinnedContent, frames: number, blobs: OpenBlobs, memory: SessionMemory) {
    this.content = content;
    this.frames = frames;
    this.blobs = blobs;
    this.memory = memory;
    memory.readAhead.pressure.add(this.shed);
  }

  /** Stored bytes of a frame when they have come. Throws what reading them failed with. */
  take(frame: number): Buffer | null {
    const load = this.find(frame);
    if (load?.ready !== true) return null;
    if (load.failure !== null) {
      this.drop(load);
      throw load.failure;
    }
    const at = (frame - load.first) * FRAME_STORED;
    return load.buffer?.subarray(at, at + storedLength(plainLength(frame, this.content.size))) ?? null;
  }

  /** The frame taken is opened: its ciphertext is not needed again. */
  opened(frame: number): void {
    const load = this.find(frame);
    if (load === undefined) return;
    load.left -= 1;
    if (load.left <= 0) this.drop(load);
  }

  /** Resolves when the frame can be taken. `last` is the last frame that this reader needs now. */
  async need(frame: number, last: number, sequential: boolean): Promise<void> {
    this.wanted = frame;
    const known = this.find(frame);
    if (known !== undefined) {
      await known.done;
      return;
    }
    const end = chunkEnd(frame, this.frames);
    const wanted = sequential ? end - frame : Math.min(end, last + 1) - frame;
    if (this.memory.readAhead.fits(wanted * FRAME_STORED)) {
      await this.start(frame, wanted, false).done;
      return;
    }
    this.memory.readAhead.press();
    await this.memory.borrow();
    // No more than asked for: what is borrowed must be used up at once.
    await this.start(frame, Math.min(end, last + 1) - frame, true).done;
  }

  /** A sequential reader is at `frame`. */
  readAhead(frame: number): void {
    for (const load of this.loads) if (load.ready && load.first + load.count <= frame) this.drop(load);
    const limit = Math.min(this.frames, (Math.floor(frame / CHUNK_FRAMES) + 1 + AHEAD) * CHUNK_FRAMES);
    let next = Math.max(this.ahead, frame);
    while (next < limit && this.loads.length <= AHEAD) {
      const end = chunkEnd(next, this.frames);
      const stored = typeof this.content.map.blobAt(Math.floor(next / FRAMES_PER_SEGMENT)) === 'string';
      if (stored && this.find(next) === undefined) {
        if (!this.memory.readAhead.fits((end - next) * FRAME_STORED)) return;
        this.start(next, end - next, false);
      }
      next = end;
      this.ahead = next;
    }
  }

  /** The reader went elsewhere: what was read for the old place is of no use. */
  restart(): void {
    this.shed();
    for (const load of this.loads) load.stale = true;
  }

  /** A request is answered or failed: what it borrowed goes back in any case. */
  settled(): void {
    this.wanted = -1;
    for (const load of this.loads) if (load.ready && (load.borrowed || load.stale)) this.drop(load);
  }

  async close(): Promise<void> {
    this.memory.readAhead.pressure.delete(this.shed);
    await Promise.all(this.loads.map((load) => load.done));
    for (const load of this.loads) this.drop(load);
  }

  private find(frame: number): Load | undefined {
    return this.loads.find((load) => holds(load, frame));
  }

  private start(first: number, count: number, borrowed: boolean): Load {
    const buffer = chunkPool.take();
    if (!borrowed) this.memory.readAhead.take(buffer.length);
    const settle = Promise.withResolvers<undefined>();
    const load: Load = {
      first,
      count,
      borrowed,
      buffer,
      ready: false,
      failure: null,
      stale: false,
      left: count,
      done: settle.promise,
    };
    this.loads.push(load);
    this.ahead = Math.max(this.ahead, first + count);
    void this.fill(load, buffer).then(() => {
      load.ready = true;
      settle.resolve(undefined);
    });
    return load;
  }

  private async fill(load: Load, buffer: Buffer): Promise<void> {
    const last = load.first + load.count - 1;
    const length = (load.count - 1) * FRAME_STORED + storedLength(plainLength(last, this.content.size));
    const blob = this.content.map.blobAt(Math.floor(load.first / FRAMES_PER_SEGMENT));
    try {
      if (typeof blob !== 'string') throw damaged(this.content, `segment of frame ${load.first} lies nowhere`);
      const read = await this.blobs.read(blob, buffer.subarray(0, length), storedPosition(load.first));
      if (read < length) {
        const short = storedPosition(load.first) + read;
        throw damaged(this.content, `blob ${blob} is cut short: ends at ${short} of ${short + length - read} bytes`);
      }
    } catch (error) {
      load.failure = named(this.content, asWaybillError(error));
    }
  }

  private drop(load: Load): void {
    this.loads = this.loads.filter((other) => other !== load);
    const buffer = load.buffer;
    if (buffer === null) return;
    load.buffer = null;
    chunkPool.give(buffer);
    if (load.borrowed) this.memory.repay();
    else this.memory.readAhead.give(buffer.length);
  }
}

/** Chunks are aligned, so no chunk lies in two segments, which may be in two blobs. */
function chunkEnd(frame: number, frames: number): number {
  return Math.min(frames, (Math.floor(frame / CHUNK_FRAMES) + 1) * CHUNK_FRAMES);
}

function holds(load: Load, frame: number): boolean {
  return frame >= load.first && frame < load.first + load.count;
}
