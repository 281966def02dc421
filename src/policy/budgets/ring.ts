/**
 * What was used in one sliding window: buckets of time, only those that are not empty. A bucket counts whole until all of
 * it has left the window, so the sum is never less than what was really used, and more by one bucket's time at most.
 * Time comes in as an argument and may not go back; when it does, it counts as standing still.
 */
import { DIMENSIONS } from './windows.ts';
import type { Amounts, WindowRow } from './windows.ts';

const STEP = DIMENSIONS.length + 1;

export class Ring {
  private readonly bucketMs: number;
  private readonly windowMs: number;
  /** Flat: number of the bucket, then its amounts; oldest first, from `head`. */
  private buckets: number[] = [];
  private head = 0;
  private readonly totals: number[] = DIMENSIONS.map(() => 0);

  constructor({ seconds, bucketMs }: WindowRow) {
    this.bucketMs = bucketMs;
    this.windowMs = seconds * 1000;
  }

  used(dimension: number): number {
    return this.totals[dimension] ?? 0;
  }

  get isEmpty(): boolean {
    return this.head === this.buckets.length;
  }

  /** Drops what has left the window. */
  advance(now: number): void {
    const oldest = Math.floor((now - this.windowMs) / this.bucketMs);
    const { buckets } = this;
    while (this.head < buckets.length && (buckets[this.head] ?? 0) < oldest) {
      for (let dimension = 0; dimension < STEP - 1; dimension++) this.change(dimension, -this.at(this.head, dimension));
      this.head += STEP;
    }
    if (this.head > 64 * STEP || this.head === buckets.length) {
      this.buckets = buckets.slice(this.head);
      this.head = 0;
    }
  }

  add(amounts: Amounts, now: number): void {
    const { buckets } = this;
    const bucket = Math.floor(now / this.bucketMs);
    const last = buckets.length - STEP;
    // Nothing goes into an older bucket than the last: it would leave the window too early.
    if (last < this.head || (buckets[last] ?? 0) < bucket) buckets.push(bucket, ...amounts);
    else for (let dimension = 0; dimension < STEP - 1; dimension++) this.put(last, dimension, amounts[dimension] ?? 0);
    for (let dimension = 0; dimension < STEP - 1; dimension++) this.change(dimension, amounts[dimension] ?? 0);
  }

  /** Takes back what was added at `then`, as far as it is there: false when it has left the window. */
  takeBack(dimension: number, amount: number, then: number): boolean {
    const at = this.find(Math.floor(then / this.bucketMs));
    if (at === null || this.at(at, dimension) < amount) return false;
    this.put(at, dimension, -amount);
    this.change(dimension, -amount);
    return true;
  }

  /** Whether something that was added at `then` is still in it. */
  holds(dimension: number, then: number): boolean {
    const at = this.find(Math.floor(then / this.bucketMs));
    return at !== null && this.at(at, dimension) > 0;
  }

  /** For `Ring.load`: a flat list of numbers. */
  save(into: number[]): void {
    into.push((this.buckets.length - this.head) / STEP);
    for (let index = this.head; index < this.buckets.length; index++) into.push(this.buckets[index] ?? 0);
  }

  /** Returns where the list goes on. */
  load(from: Float64Array, start: number): number {
    const end = start + 1 + (from[start] ?? 0) * STEP;
    this.buckets = [...from.subarray(start + 1, end)];
    this.head = 0;
    this.totals.fill(0);
    for (let at = 0; at < this.buckets.length; at += STEP)
      for (let dimension = 0; dimension < STEP - 1; dimension++) this.change(dimension, this.at(at, dimension));
    return end;
  }

  private find(bucket: number): number | null {
    for (let at = this.buckets.length - STEP; at >= this.head; at -= STEP) {
      const found = this.buckets[at] ?? 0;
      if (found === bucket) return at;
      if (found < bucket) return null;
    }
    return null;
  }

  private at(bucket: number, dimension: number): number {
    return this.buckets[bucket + 1 + dimension] ?? 0;
  }

  private put(bucket: number, dimension: number, change: number): void {
    this.buckets[bucket + 1 + dimension] = this.at(bucket, dimension) + change;
  }

  private change(dimension: number, change: number): void {
    this.totals[dimension] = (this.totals[dimension] ?? 0) + change;
  }
}
