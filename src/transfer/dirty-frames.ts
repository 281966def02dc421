/** Plaintext of frames that are not written whole yet. Each holds one range that is known; the rest lies below it. */
import { FRAME_PLAIN } from '../keys/layout.ts';
import { DIRTY_PER_UPLOAD, framePool } from './front-memory.ts';
import type { MemoryBudget } from './memory.ts';

export class DirtyFrame {
  readonly buffer: Buffer = framePool.take();
  from = 0;
  to = 0;

  /** Whether [start, end) can be added without knowing what lies below. */
  touches(start: number, end: number): boolean {
    return this.from === this.to || (start <= this.to && end >= this.from);
  }

  covers(start: number, end: number): boolean {
    return this.from <= start && end <= this.to;
  }

  put(start: number, data: Buffer): void {
    data.copy(this.buffer, start);
    const empty = this.from === this.to;
    this.from = empty ? start : Math.min(this.from, start);
    this.to = empty ? start + data.length : Math.max(this.to, start + data.length);
  }

  /** Makes the whole frame known: what lies below is `stored`, and zeros after it. */
  fillFrom(stored: Buffer | null): void {
    const below = stored?.length ?? 0;
    const { buffer, from, to } = this;
    if (from > 0) {
      const kept = Math.min(below, from);
      stored?.copy(buffer, 0, 0, kept);
      buffer.fill(0, kept, from);
    }
    if (below > to) stored?.copy(buffer, to, to, below);
    buffer.fill(0, Math.max(below, to), FRAME_PLAIN);
    this.from = 0;
    this.to = FRAME_PLAIN;
  }

  /** Zeros from `length` on, as after a truncation. The frame must be known as a whole. */
  cut(length: number): void {
    this.buffer.fill(0, length, FRAME_PLAIN);
  }
}

export class DirtyFrames {
  private readonly budget: MemoryBudget;
  private readonly frames = new Map<number, DirtyFrame>();

  constructor(budget: MemoryBudget) {
    this.budget = budget;
  }

  get(frame: number): DirtyFrame | undefined {
    return this.frames.get(frame);
  }

  get empty(): boolean {
    return this.frames.size === 0;
  }

  /** Whether one more frame may be held; if not, one has to go first. */
  get roomForOne(): boolean {
    return this.frames.size * FRAME_PLAIN < DIRTY_PER_UPLOAD || this.budget.fits(FRAME_PLAIN);
  }

  numbers(): number[] {
    return [...this.frames.keys()].sort((a, b) => a - b);
  }

  /** The one that has been here longest, and rather not the last of the file, which appending goes on with. */
  oldest(last: number): number | undefined {
    for (const frame of this.frames.keys()) if (frame !== last) return frame;
    return this.frames.has(last) ? last : undefined;
  }

  make(frame: number): DirtyFrame {
    const made = new DirtyFrame();
    this.frames.set(frame, made);
    this.budget.take(FRAME_PLAIN);
    return made;
  }

  drop(frame: number): void {
    const dropped = this.frames.get(frame);
    if (dropped === undefined) return;
    this.frames.delete(frame);
    this.budget.give(FRAME_PLAIN);
    framePool.give(dropped.buffer);
  }

  dropFrom(first: number): void {
    for (const frame of this.numbers()) if (frame >= first) this.drop(frame);
  }
}
