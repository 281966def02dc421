/**
 * Plaintext of a pinned content: reads are answered in the order they came, each frame is decrypted once, and keys
 * and ciphertext of a sequential reader are there before it asks.
 */
import { WaybillError } from '../base/errors.ts';
import { FRAME_PLAIN, FRAMES_PER_SEGMENT, SEGMENT_PLAIN } from '../keys/layout.ts';
import { FrameCipher, plainLength } from '../keys/frame.ts';
import { ChunkLoads } from './chunk-loads.ts';
import type { SessionMemory } from './front-memory.ts';
import type { OpenBlobs } from './open-blobs.ts';
import { PlainWindow } from './plain-window.ts';
import { damaged } from './pinned-content.ts';
import type { PinnedContent } from './pinned-content.ts';
import { segmentsOf } from './segment-map.ts';
import type { SegmentKeys } from './segment-keys.ts';

/** Answers of zeros share this; nobody may write into what `read` gave. */
const ZEROS = Buffer.alloc(FRAME_PLAIN);
/** A pipelined client's reads arrive a little out of order; further apart than this they are random. */
const NEAR = 2 * 1024 * 1024;
/** After so many segments in sequence keys come two at a time: half the records, and still at most 16 MiB ahead. */
const STEADY = 4;

interface ReadRequest {
  at: number;
  readonly end: number;
  readonly parts: Buffer[];
  readonly resolve: (parts: Buffer[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface ContentReaderParts {
  readonly content: PinnedContent;
  readonly keys: SegmentKeys;
  readonly blobs: OpenBlobs;
  readonly memory: SessionMemory;
}

export class ContentReader {
  private readonly content: PinnedContent;
  private readonly keys: SegmentKeys;
  private readonly loads: ChunkLoads;
  private readonly window: PlainWindow;
  private readonly ciphers = new Map<string, FrameCipher>();
  private readonly queue: ReadRequest[] = [];
  private pumping = false;
  private pumped: (() => void) | null = null;
  private expected = 0;
  private sequential = true;
  private streak = 0;
  private closed = false;

  constructor({ content, keys, blobs, memory }: ContentReaderParts) {
    this.content = content;
    this.keys = keys;
    this.loads = new ChunkLoads(content, Math.ceil(content.size / FRAME_PLAIN), blobs, memory);
    this.window = new PlainWindow(memory);
  }

  /** `until`: where what the reader wants ends. */
  read(offset: number, length: number, until = Infinity): Promise<Buffer[]> {
    if (this.closed) return Promise.reject(closedError(this.content.path));
    const end = Math.min(offset + length, this.content.size);
    if (offset >= end) return Promise.resolve([]);
    this.follow(offset, end, until);
    return new Promise((resolve, reject) => {
      this.queue.push({ at: offset, end, parts: [], resolve, reject });
      if (!this.pumping) void this.pump();
    });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.pumping) await new Promise<void>((resolve) => (this.pumped = resolve));
    await this.loads.close();
    this.window.close();
  }

  /** Asks for keys and ciphertext ahead of need. */
  private follow(offset: number, end: number, until: number): void {
    const near = Math.abs(offset - this.expected) <= NEAR;
    if (near !== this.sequential) {
      this.sequential = near;
      if (!near) this.loads.restart();
    }
    const segment = Math.floor((end - 1) / SEGMENT_PLAIN);
    if (near && segment > Math.floor((this.expected - 1) / SEGMENT_PLAIN)) this.streak += 1;
    if (!near) this.streak = 0;
    this.expected = near ? Math.max(this.expected, end) : end;
    const pastMiddle = (end - 1) % SEGMENT_PLAIN >= SEGMENT_PLAIN / 2;
    this.askForKeys(Math.floor(offset / SEGMENT_PLAIN), segment, pastMiddle, Math.ceil(until / SEGMENT_PLAIN));
  }

  private askForKeys(first: number, last: number, pastMiddle: boolean, until: number): void {
    // A read that spans many segments gets the rest of its keys as it comes to them.
    this.early(first, Math.min(last - first + 1, 3));
    // A key that goes out counts in budgets, used or not.
    const ahead = Math.min(this.streak >= STEADY ? 2 : 1, until - last - 1);
    if (this.sequential && pastMiddle && ahead > 0) this.early(last + 1, ahead);
  }

  /** Runs of segments that hold something; zeros have no key and need no release. */
  private early(first: number, count: number): void {
    const end = Math.min(first + count, segmentsOf(this.content.size));
    let from = first;
    while (from < end) {
      let to = from;
      while (to < end && this.holdsContent(to)) to++;
      if (to > from) this.keys.early(from, to - from);
      from = to + 1;
    }
  }

  private holdsContent(segment: number): boolean {
    return this.content.inline !== null || typeof this.content.map.blobAt(segment) === 'string';
  }

  private async pump(): Promise<void> {
    this.pumping = true;
    for (let request = this.queue[0]; request !== undefined; request = this.queue[0]) {
      try {
        while (!this.advance(request)) await this.need(request);
        request.resolve(request.parts);
      } catch (error) {
        request.reject(error);
      }
      this.loads.settled();
      this.queue.shift();
    }
    this.pumping = false;
    this.pumped?.();
  }

  /** Moves a request on with what is there; false when it has to wait. */
  private advance(request: ReadRequest): boolean {
    while (request.at < request.end) {
      if (this.closed) throw closedError(this.content.path);
      const frame = Math.floor(request.at / FRAME_PLAIN);
      const plain = this.frameNow(frame);
      if (plain === null) return false;
      const start = request.at - frame * FRAME_PLAIN;
      const stop = Math.min(plain.length, request.end - frame * FRAME_PLAIN);
      request.parts.push(plain.subarray(start, stop));
      request.at += stop - start;
      // Before the answer is used, so that the store works while this process encrypts it.
      if (this.sequential) this.loads.readAhead(Math.floor(request.at / FRAME_PLAIN));
    }
    return true;
  }

  private async need(request: ReadRequest): Promise<void> {
    const frame = Math.floor(request.at / FRAME_PLAIN);
    const last = Math.floor((request.end - 1) / FRAME_PLAIN);
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    const loaded = this.content.inline === null ? this.loads.need(frame, last, this.sequential) : null;
    // Both are under way before either is waited for, and neither may be left alone when the other fails.
    const [key] = await Promise.allSettled([this.keys.want(segment), loaded]);
    if (key.status === 'rejected') throw key.reason;
  }

  private frameNow(frame: number): Buffer | null {
    const known = this.window.get(frame);
    if (known !== undefined) return known;
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    const length = plainLength(frame, this.content.size);
    const { inline } = this.content;
    const blob = inline === null ? this.content.map.blobAt(segment) : inline.blob;
    if (blob === null) return ZEROS.subarray(0, length);
    if (blob === undefined) throw damaged(this.content, `segment ${segment} lies nowhere`);
    const key = this.keys.peek(segment);
    if (key === undefined) return null;
    const stored = inline === null ? this.loads.take(frame) : inline.bytes;
    if (stored === null) return null;
    return this.open(blob, key, frame, stored);
  }

  private open(blob: string, key: Buffer, frame: number, stored: Buffer): Buffer {
    const plain = this.cipherOf(blob).open(key, frame, stored);
    this.loads.opened(frame);
    if (plain === null) {
      const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
      const inSegment = frame % FRAMES_PER_SEGMENT;
      throw damaged(this.content, `blob ${blob}, segment ${segment}, frame ${inSegment} fails its integrity check`);
    }
    this.window.add(frame, plain);
    return plain;
  }

  private cipherOf(blob: string): FrameCipher {
    let cipher = this.ciphers.get(blob);
    if (cipher === undefined) {
      // One object of 28 bytes per blob of the content; started anew when a much modified file has very many.
      if (this.ciphers.size >= 64) this.ciphers.clear();
      cipher = new FrameCipher(blob);
      this.ciphers.set(blob, cipher);
    }
    return cipher;
  }
}

function closedError(path: string): WaybillError {
  return new WaybillError('handle-invalid', `${path} is closed`);
}
