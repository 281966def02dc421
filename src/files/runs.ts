/** Arithmetic of runs and sizes; pure. */
import { WaybillError } from '../base/errors.ts';
import type { SegmentRun } from '../broker/calls.ts';
import { FRAME_PLAIN, NONCE_BYTES, SEGMENT_PLAIN, SEGMENT_STORED, TAG_BYTES } from '../keys/layout.ts';

const FRAME_EXTRA = NONCE_BYTES + TAG_BYTES;

export function segmentCount(size: number): number {
  return Math.ceil(size / SEGMENT_PLAIN);
}

/** Plaintext bytes of the segment in a file of this size. */
export function segmentBytes(size: number, segment: number): number {
  return Math.max(0, Math.min(SEGMENT_PLAIN, size - segment * SEGMENT_PLAIN));
}

/** Stored bytes of `plain` bytes at the start of a segment. */
/** Of the segments first .. first + count - 1 together. */
export function plainBytes(size: number, first: number, count: number): number {
  return Math.max(0, Math.min(size, (first + count) * SEGMENT_PLAIN) - first * SEGMENT_PLAIN);
}

export function storedBytes(plain: number): number {
  return plain + Math.ceil(plain / FRAME_PLAIN) * FRAME_EXTRA;
}

export interface Owned {
  /** Plaintext bytes in the blob. */
  readonly bytes: number;
  /** The least length of the stored file. */
  readonly length: number;
}

/** What the runs of one blob need in a file of this size. */
export function ownedBy(blob: string, runs: readonly SegmentRun[], size: number): Owned {
  let bytes = 0;
  let length = 0;
  for (const run of runs) {
    if (run.blob !== blob) continue;
    const last = run.first + run.count - 1;
    bytes += (run.count - 1) * SEGMENT_PLAIN + segmentBytes(size, last);
    length = Math.max(length, last * SEGMENT_STORED + storedBytes(segmentBytes(size, last)));
  }
  return { bytes, length };
}

export function blobsOf(runs: readonly SegmentRun[]): Set<string> {
  const blobs = new Set<string>();
  for (const run of runs) if (run.blob !== null) blobs.add(run.blob);
  return blobs;
}

/** The run that holds the segment; runs are in order and without gaps. */
export function runAt(runs: readonly SegmentRun[], segment: number): SegmentRun | undefined {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle];
    if (run === undefined) return undefined;
    if (segment < run.first) high = middle - 1;
    else if (segment >= run.first + run.count) low = middle + 1;
    else return run;
  }
  return undefined;
}

function refuse(what: string): never {
  throw new WaybillError('request-invalid', what);
}

/**
 * A front says what a version consists of; it may be one that somebody has taken over. So: exactly the segments of the
 * size, each its own, zeros, or the same segment of the base, which must have had the same length there (the length of
 * the last frame is not stored, it follows from the size).
 */
export function checkRuns(
  runs: readonly SegmentRun[],
  size: number,
  own: string,
  base: { readonly runs: readonly SegmentRun[]; readonly size: number } | null,
): void {
  let next = 0;
  for (const run of runs) {
    if (run.first !== next) refuse('the runs have a gap or overlap');
    next = run.first + run.count;
    if (run.blob !== null && run.blob !== own) checkBaseRun(run, size, base);
  }
  if (next !== segmentCount(size)) refuse(`the runs hold ${next} segments, the size needs ${segmentCount(size)}`);
}

function checkBaseRun(
  run: SegmentRun,
  size: number,
  base: { readonly runs: readonly SegmentRun[]; readonly size: number } | null,
): void {
  if (base === null) refuse('the runs name a blob that is not of this upload');
  const end = run.first + run.count;
  for (let at = run.first; at < end;) {
    const there = runAt(base.runs, at);
    if (there?.blob !== run.blob) refuse('the runs name a blob that is not of this upload or its base');
    at = there.first + there.count;
  }
  if (segmentBytes(size, end - 1) !== segmentBytes(base.size, end - 1))
    refuse(`segment ${end - 1} has another length than in the base`);
}

/** Ascending numbers as [first, count] of those that follow each other. */
export function consecutive(numbers: readonly number[]): [first: number, count: number][] {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1]++;
    else found.push([number, 1]);
  }
  return found;
}
