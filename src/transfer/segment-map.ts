/** Which blob holds each segment of a content: runs in order, without gaps, `null` being zeros. Pure. */
import { SEGMENT_PLAIN } from '../keys/layout.ts';
import type { SegmentRun } from '../broker/calls.ts';

interface Run {
  first: number;
  count: number;
  blob: string | null;
}

export function segmentsOf(size: number): number {
  return Math.ceil(size / SEGMENT_PLAIN);
}

export class SegmentMap {
  private runs: Run[];

  /** Null when the runs are not in order, have a gap, or do not reach the end: then nobody knows what the content is. */
  static of(runs: readonly SegmentRun[], segments: number): SegmentMap | null {
    const map = new SegmentMap();
    for (const run of runs) {
      if (run.first !== map.count) return null;
      map.append(run.count, run.blob);
    }
    if (map.count < segments) return null;
    map.resize(segments);
    return map;
  }

  constructor() {
    this.runs = [];
  }

  get count(): number {
    const last = this.runs.at(-1);
    return last === undefined ? 0 : last.first + last.count;
  }

  /** Undefined past the end. */
  blobAt(segment: number): string | null | undefined {
    return this.runs[this.indexOf(segment)]?.blob;
  }

  set(segment: number, blob: string | null): void {
    const index = this.indexOf(segment);
    const run = this.runs[index];
    if (run === undefined || run.blob === blob) return;
    const parts: Run[] = [
      { first: run.first, count: segment - run.first, blob: run.blob },
      { first: segment, count: 1, blob },
      { first: segment + 1, count: run.first + run.count - segment - 1, blob: run.blob },
    ];
    const before = this.runs[index - 1];
    const after = this.runs[index + 1];
    const around = [...(before ? [before] : []), ...parts, ...(after ? [after] : [])];
    this.runs.splice(before ? index - 1 : index, around.length - 2, ...merge(around));
  }

  /** New segments are zeros. */
  resize(segments: number): void {
    while (this.count > segments) {
      const last = this.runs.at(-1);
      if (last === undefined) return;
      if (last.first >= segments) this.runs.pop();
      else last.count = segments - last.first;
    }
    if (segments > this.count) this.append(segments - this.count, null);
  }

  toRuns(): SegmentRun[] {
    return this.runs.map((run) => ({ ...run }));
  }

  clone(): SegmentMap {
    const copy = new SegmentMap();
    copy.runs = this.toRuns();
    return copy;
  }

  private append(count: number, blob: string | null): void {
    const last = this.runs.at(-1);
    if (last?.blob === blob) last.count += count;
    else this.runs.push({ first: this.count, count, blob });
  }

  /** The run that holds `segment`, by halving; -1 past the end. */
  private indexOf(segment: number): number {
    let low = 0;
    let high = this.runs.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const run = this.runs[middle];
      if (run === undefined) return -1;
      if (segment < run.first) high = middle - 1;
      else if (segment >= run.first + run.count) low = middle + 1;
      else return middle;
    }
    return -1;
  }
}

function merge(runs: readonly Run[]): Run[] {
  const merged: Run[] = [];
  for (const run of runs) {
    if (run.count === 0) continue;
    const last = merged.at(-1);
    if (last?.blob === run.blob) last.count += run.count;
    else merged.push({ ...run });
  }
  return merged;
}
