/** Frames of one open content that are decrypted and may be asked for again by the next read: few, and within the session's budget. */
import type { SessionMemory } from './front-memory.ts';
import { PLAIN_PER_FILE } from './front-memory.ts';

export class PlainWindow {
  private readonly memory: SessionMemory;
  private readonly frames = new Map<number, Buffer>();
  private held = 0;
  private readonly shed = (): void => {
    this.trim(0);
  };

  constructor(memory: SessionMemory) {
    this.memory = memory;
    memory.plain.pressure.add(this.shed);
  }

  get(frame: number): Buffer | undefined {
    return this.frames.get(frame);
  }

  add(frame: number, plain: Buffer): void {
    this.trim(PLAIN_PER_FILE - plain.length);
    if (!this.memory.plain.fits(plain.length)) this.memory.plain.press();
    if (!this.memory.plain.fits(plain.length)) return;
    this.frames.set(frame, plain);
    this.held += plain.length;
    this.memory.plain.take(plain.length);
  }

  remove(frame: number): void {
    const plain = this.frames.get(frame);
    if (plain === undefined) return;
    this.frames.delete(frame);
    this.held -= plain.length;
    this.memory.plain.give(plain.length);
  }

  close(): void {
    this.trim(0);
    this.memory.plain.pressure.delete(this.shed);
  }

  /** The oldest go first: a sequential reader never comes back to them. */
  private trim(limit: number): void {
    for (const frame of this.frames.keys()) {
      if (this.held <= limit) break;
      this.remove(frame);
    }
  }
}
