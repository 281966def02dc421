/**
 * What an upload in progress may store: the bytes of its own segments in a file of the greatest size it told. Kept up
 * as it grows, because a file of a terabyte has a hundred thousand segments and as many calls.
 */
import type { SegmentRun } from '../broker/calls.ts';
import { SEGMENT_PLAIN } from '../keys/layout.ts';
import { ownedBy, segmentBytes } from './runs.ts';

export class Charge {
  bytes = 0;
  private size = 0;
  private readonly segments = new Set<number>();

  /** For an upload that starts, or is taken up, with what it has stored already. */
  static of(blob: string, extent: { readonly size: number; readonly runs: readonly SegmentRun[] }): Charge {
    const charge = new Charge();
    charge.size = extent.size;
    charge.bytes = ownedBy(blob, extent.runs, extent.size).bytes;
    for (const run of extent.runs)
      if (run.blob === blob) for (let at = run.first; at < run.first + run.count; at++) charge.segments.add(at);
    return charge;
  }

  /** Bytes more for these segments in a file of this size. */
  more(asked: readonly number[], size: number): number {
    const larger = Math.max(size, this.size);
    let bytes = this.growth(larger);
    for (const segment of new Set(asked)) if (!this.segments.has(segment)) bytes += segmentBytes(larger, segment);
    return bytes;
  }

  add(asked: readonly number[], size: number): void {
    this.bytes += this.more(asked, size);
    this.size = Math.max(size, this.size);
    for (const segment of asked) this.segments.add(segment);
  }

  /** What segments that are there already gain when the file grows: only those at and after its old end do. */
  private growth(larger: number): number {
    const first = Math.floor(this.size / SEGMENT_PLAIN);
    const end = Math.ceil(larger / SEGMENT_PLAIN);
    let bytes = 0;
    const gain = (segment: number): void => {
      bytes += segmentBytes(larger, segment) - segmentBytes(this.size, segment);
    };
    if (end - first > this.segments.size) for (const segment of this.segments) gain(segment);
    else for (let segment = first; segment < end; segment++) if (this.segments.has(segment)) gain(segment);
    return bytes;
  }
}
