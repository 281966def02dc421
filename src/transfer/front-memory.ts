/**
 * Memory that transfer holds, as one place to reason about it.
 *
 * Per session: ciphertext read ahead <= READ_AHEAD, plus OVERDRAFT reads of at most 1 MiB when that is used up;
 * plaintext kept for the next read <= PLAIN_WINDOW (and 1 MiB per file); sealed frames that are not yet written
 * <= WRITE_BEHIND plus one write; plaintext of unfinished frames <= DIRTY plus 128 KiB per open upload. What a caller
 * of `read` still holds of the answers is the caller's to bound.
 *
 * Per front process, over all sessions: PROCESS_FACTOR times each of these.
 */
import { FRAME_PLAIN, FRAME_STORED } from '../keys/layout.ts';
import { BufferPool, MemoryBudget } from './memory.ts';

const MiB = 1024 * 1024;
export const CHUNK_FRAMES = 16;
export const READ_AHEAD = 4 * MiB;
export const PLAIN_WINDOW = 4 * MiB;
export const PLAIN_PER_FILE = MiB;
export const WRITE_BEHIND = 4 * MiB;
export const DIRTY = 4 * MiB;
/** Every upload may hold two unfinished frames whatever the session holds: the last one and the one being written. */
export const DIRTY_PER_UPLOAD = 2 * FRAME_PLAIN;
export const OVERDRAFT = 8;
const PROCESS_FACTOR = 16;

const processReadAhead = new MemoryBudget(READ_AHEAD * PROCESS_FACTOR);
const processPlain = new MemoryBudget(PLAIN_WINDOW * PROCESS_FACTOR);
const processWriteBehind = new MemoryBudget(WRITE_BEHIND * PROCESS_FACTOR);
const processDirty = new MemoryBudget(DIRTY * PROCESS_FACTOR);

/** Bytes that all sessions of this process hold now. */
export function memoryHeld(): { readAhead: number; plain: number; writeBehind: number; dirty: number } {
  return {
    readAhead: processReadAhead.used,
    plain: processPlain.used,
    writeBehind: processWriteBehind.used,
    dirty: processDirty.used,
  };
}

/** Chunks and frames are taken and given back all the time; the pools hold 16 + 4 MiB at the most. */
export const chunkPool = new BufferPool(CHUNK_FRAMES * FRAME_STORED, 16);
export const framePool = new BufferPool(FRAME_PLAIN, 64);

export class SessionMemory {
  readonly readAhead = new MemoryBudget(READ_AHEAD, processReadAhead);
  readonly plain = new MemoryBudget(PLAIN_WINDOW, processPlain);
  readonly writeBehind = new MemoryBudget(WRITE_BEHIND, processWriteBehind);
  readonly dirty = new MemoryBudget(DIRTY, processDirty);
  private overdraft = 0;
  private readonly waiting: (() => void)[] = [];

  /** A place for a read that must go on although the budget is used up; at most OVERDRAFT at once. */
  async borrow(): Promise<void> {
    if (this.overdraft < OVERDRAFT) this.overdraft += 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  repay(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.overdraft -= 1;
    else next();
  }

  close(): void {
    for (const budget of [this.readAhead, this.plain, this.writeBehind, this.dirty]) budget.close();
  }
}
