/**
 * Which bytes of the stream still have to go, in which order: new ones forward, lost ones first. Knows what the peer has
 * (from an earlier attempt, or acknowledged), so nothing is sent twice without need.
 */
import { NumberRanges } from '../wire/number-ranges.ts';
import { ResendQueue } from './resend-queue.ts';

/** Half-open: bytes from `start` up to, not with, `end`. */
export type StreamRange = readonly [start: number, end: number];

/** Pieces apart from each other that are remembered; the receiver's bound is the same (PROTOCOL.md). */
export const STREAM_RANGES_MAX = 65_536;

export class Pieces {
  readonly settled = new NumberRanges(STREAM_RANGES_MAX);
  private readonly resend = new ResendQueue();
  private readonly have: readonly StreamRange[];
  private haveIndex = 0;
  private next = 0;
  private readonly end: number;
  settledBytes = 0;
  resentBytes = 0;

  constructor(end: number, have: readonly StreamRange[]) {
    this.end = end;
    this.have = [...have].filter(([start, stop]) => stop > start).sort((a, b) => a[0] - b[0]);
    for (const [start, stop] of this.have) this.settledBytes += Math.max(0, this.settled.add(start, stop - 1));
    this.skipHad();
  }

  private skipHad(): void {
    for (;;) {
      const range = this.have[this.haveIndex];
      if (range === undefined || this.next < range[0]) return;
      this.next = Math.max(this.next, range[1]);
      this.haveIndex++;
    }
  }

  get isComplete(): boolean {
    return this.settledBytes >= this.end;
  }

  /** Everything below is with the receiver: the source may forget it. */
  get settledBelow(): number {
    return this.settled.count > 0 && this.settled.low(0) === 0 ? this.settled.high(0) + 1 : 0;
  }

  get nextNew(): number {
    return this.next;
  }

  get hasNew(): boolean {
    return this.next < this.end;
  }

  /** Bytes at `nextNew` that belong together. */
  get newRun(): number {
    const range = this.have[this.haveIndex];
    return (range === undefined ? this.end : Math.min(range[0], this.end)) - this.next;
  }

  takeNew(bytes: number): void {
    this.next += bytes;
    this.skipHad();
  }

  /** Whether a lost piece waits; those that arrived after all are dropped on the way. */
  hasLost(): boolean {
    while (this.resend.count > 0) {
      const { offset, length } = this.resend;
      const index = this.settled.find(offset);
      if (index >= this.settled.count || this.settled.low(index) > offset) return true;
      const there = this.settled.high(index) + 1 - offset;
      this.resend.take(Math.min(there, length));
    }
    return false;
  }

  get lostOffset(): number {
    return this.resend.offset;
  }

  get lostLength(): number {
    return this.resend.length;
  }

  takeLost(bytes: number): void {
    this.resentBytes += bytes;
    this.resend.take(bytes);
  }

  onLost(offset: number, length: number): void {
    if (length > 0) this.resend.push(offset, length);
  }

  /** False when the set of settled pieces is full: the packet must not count as acknowledged then. */
  onAcked(offset: number, length: number): boolean {
    if (length === 0) return true;
    const added = this.settled.add(offset, offset + length - 1);
    if (added < 0) return false;
    this.settledBytes += added;
    return true;
  }
}
