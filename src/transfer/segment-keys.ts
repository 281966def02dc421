/**
 * Segment keys of one open content: asked for ahead of need, a few kept, wiped when they go. What asks is given in, for
 * a reader it is `release` and for an upload `upload.keys`.
 */
import { WaybillError } from '../base/errors.ts';

export interface SegmentKey {
  readonly segment: number;
  readonly key: Buffer;
}

export type AskForKeys = (first: number, count: number) => Promise<readonly SegmentKey[]>;

/** Enough for a client that keeps 64 reads of 255 KiB under way (2 segments) several times over. */
const KEPT = 8;

export class SegmentKeys {
  private readonly ask: AskForKeys;
  /** In order of use. */
  private readonly keys = new Map<number, Buffer>();
  private readonly asked = new Map<number, Promise<void>>();
  /** What an early request came back with; told to the first who really needs the key, who then may try again. */
  private readonly failed = new Map<number, unknown>();

  constructor(ask: AskForKeys) {
    this.ask = ask;
  }

  peek(segment: number): Buffer | undefined {
    const key = this.keys.get(segment);
    if (key === undefined) return undefined;
    this.keys.delete(segment);
    this.keys.set(segment, key);
    return key;
  }

  add(segment: number, key: Buffer): void {
    if (key.length !== 32) throw new WaybillError('key-unavailable', `segment ${segment}: not a 256-bit key`);
    // A copy, so that wiping it wipes nothing of the message that it came in.
    this.keys.set(segment, Buffer.from(key));
    for (const [oldest, old] of this.keys) {
      if (this.keys.size <= KEPT) break;
      this.keys.delete(oldest);
      old.fill(0);
    }
  }

  /** Asks for what is not there yet, and leaves a failure for `want`. */
  early(first: number, count: number): void {
    let from = first;
    while (from < first + count && this.known(from)) from++;
    let to = from;
    while (to < first + count && !this.known(to)) to++;
    if (to > from) void this.request(from, to - from);
  }

  async want(segment: number): Promise<Buffer> {
    const asked = this.asked.get(segment);
    if (asked !== undefined) await asked;
    this.raise(segment);
    let key = this.peek(segment);
    if (key === undefined) {
      await this.request(segment, 1);
      this.raise(segment);
      key = this.peek(segment);
    }
    if (key === undefined) throw new WaybillError('key-unavailable', `no key for segment ${segment} came`);
    return key;
  }

  async close(): Promise<void> {
    await Promise.all(this.asked.values());
    for (const key of this.keys.values()) key.fill(0);
    this.keys.clear();
  }

  private known(segment: number): boolean {
    return this.keys.has(segment) || this.asked.has(segment);
  }

  private raise(segment: number): void {
    if (!this.failed.has(segment)) return;
    const error = this.failed.get(segment);
    this.failed.delete(segment);
    throw error;
  }

  private request(first: number, count: number): Promise<void> {
    const segments = Array.from({ length: count }, (_, index) => first + index);
    const answer = this.ask(first, count)
      .then((keys) => {
        for (const { segment, key } of keys) this.add(segment, key);
      })
      .catch((error: unknown) => {
        for (const segment of segments) this.failed.set(segment, error);
      })
      .finally(() => {
        for (const segment of segments) this.asked.delete(segment);
      });
    for (const segment of segments) {
      this.failed.delete(segment);
      this.asked.set(segment, answer);
    }
    return answer;
  }
}
