/** Sealed frames on their way to an upload's blob: contiguous ones go in one large write, several writes at once. */
import type { WaybillError } from '../base/errors.ts';
import { asWaybillError } from '../base/errors.ts';
import { storedPosition } from '../keys/frame.ts';
import type { IncomingBlob } from './blobs.ts';
import { CHUNK_FRAMES } from './front-memory.ts';
import type { MemoryBudget } from './memory.ts';

interface Batch {
  readonly first: number;
  count: number;
  bytes: number;
  readonly parts: Buffer[];
}

export class BatchWriter {
  /** Sticky: after it nothing is known to be on disk, and every later write and close fails with it. */
  failure: WaybillError | null = null;
  private readonly blob: IncomingBlob;
  private readonly budget: MemoryBudget;
  /** Told once, with the first failure. */
  private readonly failed: (failure: WaybillError) => void;
  private closed = false;
  private batch: Batch | null = null;
  private readonly writing = new Map<Batch, Promise<void>>();
  private readonly issueNow = (): void => {
    this.issue();
  };

  constructor(blob: IncomingBlob, budget: MemoryBudget, failed: (failure: WaybillError) => void) {
    this.blob = blob;
    this.budget = budget;
    this.failed = failed;
    budget.pressure.add(this.issueNow);
  }

  /** The parts are the writer's from now on. */
  add(frame: number, parts: readonly Buffer[]): void {
    if (this.batch !== null && this.batch.first + this.batch.count !== frame) this.issue();
    this.batch ??= { first: frame, count: 0, bytes: 0, parts: [] };
    const { batch } = this;
    batch.count += 1;
    for (const part of parts) {
      batch.parts.push(part);
      batch.bytes += part.length;
      this.budget.take(part.length);
    }
    if (batch.count >= CHUNK_FRAMES) this.issue();
  }

  /** A frame under way must not be written or read again before it has arrived: the order of writes is the disk's. */
  busy(frame: number): boolean {
    if (this.batch !== null && holds(this.batch, frame)) return true;
    for (const batch of this.writing.keys()) if (holds(batch, frame)) return true;
    return false;
  }

  /** Resolves when everything added before is written, or rejects. */
  async settle(): Promise<void> {
    await this.quiet();
    if (this.failure !== null) throw this.failure;
  }

  /** Resolves when no write is under way, whatever became of them. */
  async quiet(): Promise<void> {
    this.issue();
    await Promise.all(this.writing.values());
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.quiet();
    this.budget.pressure.delete(this.issueNow);
    await this.blob.close();
  }

  private issue(): void {
    const { batch } = this;
    if (batch === null) return;
    this.batch = null;
    this.writing.set(batch, this.write(batch));
  }

  private async write(batch: Batch): Promise<void> {
    try {
      if (this.failure === null) await this.blob.write(batch.parts, storedPosition(batch.first));
    } catch (error) {
      if (this.failure === null) {
        this.failure = asWaybillError(error);
        this.failed(this.failure);
      }
    }
    // Not before `issue` has put it there: an answer at once would otherwise stay for ever.
    await Promise.resolve();
    this.writing.delete(batch);
    this.budget.give(batch.bytes);
    for (const part of batch.parts) free(part);
  }
}

/**
 * Gives the memory of ciphertext back at once. Left to the garbage collector, 64 KiB outside its heap per frame make it
 * collect everything every 16 MiB, which costs more than the encryption. The writer owns what it was given.
 */
function free(part: Buffer): void {
  const { buffer } = part;
  if (buffer instanceof ArrayBuffer && part.length >= 4096 && buffer.byteLength === part.length) buffer.transfer(0);
}

function holds(batch: Batch, frame: number): boolean {
  return frame >= batch.first && frame < batch.first + batch.count;
}
