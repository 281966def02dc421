/**
 * The body of a request in pieces of 256 KiB. A record of TLS is at most 16 KiB, and each comes by itself: what each
 * costs on its way to the blob is more than its encryption (docs/design/performance.md). The next piece comes together
 * while one is used; then the client waits.
 */
import type { Readable } from 'node:stream';
import { BufferPool } from '../../transfer/memory.ts';

/** Four frames: aligned ones are sealed out of the piece, without another copy. */
const PIECE = 256 * 1024;
const pool = new BufferPool(PIECE, 8);

/** Tells whether a body comes fast enough; see watch.ts. */
export interface BodyWatch {
  count(bytes: number): void;
  /** From here on nothing is read: the time is not the client's. */
  pause(): void;
  resume(): void;
  end(): void;
}

/**
 * `each` may use its piece until it resolves. Resolves when no more comes, be it that the connection broke. `enough`: a
 * piece is given as soon as it has so many bytes.
 */
export async function readBody(
  request: Readable,
  watch: BodyWatch,
  each: (piece: Buffer) => Promise<void>,
  enough = PIECE,
): Promise<void> {
  const gathering = new Gathering(request, watch, Math.min(enough, PIECE));
  try {
    for (let piece = await gathering.next(); piece !== null; piece = await gathering.next()) {
      await each(piece);
    }
  } finally {
    gathering.stop();
  }
}

class Gathering {
  private readonly request: Readable;
  private readonly watch: BodyWatch;
  private readonly enough: number;
  private parts: Buffer[] = [];
  private bytes = 0;
  private over: boolean;
  private paused = false;
  /** Of the pool, in use by whoever has the last piece. */
  private lent: Buffer | null = null;
  private wake: (() => void) | null = null;

  constructor(request: Readable, watch: BodyWatch, enough: number) {
    this.request = request;
    this.watch = watch;
    this.enough = enough;
    this.over = request.readableEnded || request.destroyed;
    request.on('data', this.take).on('end', this.finish).on('close', this.finish).on('error', this.finish);
  }

  /** The piece before is used up. Null at the end. */
  async next(): Promise<Buffer | null> {
    if (this.lent !== null) pool.give(this.lent);
    this.lent = null;
    while (this.bytes < this.enough && !this.over) {
      this.goOn();
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.bytes === 0) return null;
    const piece = this.bytes < PIECE ? this.rest() : this.whole();
    this.goOn();
    return piece;
  }

  /** Leaves the rest of the body unread, and the connection as it is: an answer is still to come. */
  stop(): void {
    const { request } = this;
    request.off('data', this.take).off('end', this.finish).off('close', this.finish).off('error', this.finish);
    if (!this.over) request.pause();
    this.watch.end();
  }

  private readonly take = (chunk: Buffer): void => {
    this.watch.count(chunk.length);
    this.parts.push(chunk);
    this.bytes += chunk.length;
    if (this.bytes < this.enough) return;
    if (this.wake !== null) this.rouse();
    else if (!this.paused) {
      this.paused = true;
      this.request.pause();
      this.watch.pause();
    }
  };

  private readonly finish = (): void => {
    this.over = true;
    this.rouse();
  };

  private rouse(): void {
    this.wake?.();
    this.wake = null;
  }

  private goOn(): void {
    if (!this.paused || this.bytes >= this.enough) return;
    this.paused = false;
    this.watch.resume();
    this.request.resume();
  }

  private rest(): Buffer {
    const [only] = this.parts;
    const rest = only !== undefined && this.parts.length === 1 ? only : Buffer.concat(this.parts, this.bytes);
    this.parts = [];
    this.bytes = 0;
    return rest;
  }

  private whole(): Buffer {
    const piece = pool.take();
    let length = 0;
    let used = 0;
    for (const part of this.parts) {
      const copied = part.copy(piece, length);
      length += copied;
      if (copied < part.length) {
        this.parts[used] = part.subarray(copied);
        break;
      }
      used++;
    }
    this.parts = this.parts.slice(used);
    this.bytes -= length;
    this.lent = piece;
    return piece;
  }
}
