/** Where each frame of an upload's content lies now. Pure: knows no keys, no files. */
import { FRAME_PLAIN, FRAMES_PER_SEGMENT, SEGMENT_PLAIN } from '../keys/layout.ts';
import type { SegmentRun } from '../broker/calls.ts';
import { SegmentMap, segmentsOf } from './segment-map.ts';

/** What lies below a frame that is not in memory. */
export const FROM = { zeros: 0, base: 1, own: 2 } as const;
export type From = (typeof FROM)[keyof typeof FROM];

/** A segment that is being written, or whose frames are not all in one place. */
export interface OpenSegment {
  readonly from: Uint8Array;
  /** Bytes the base held in this segment when it was opened; -1 when the base alone is not what lies here any more. */
  baseLength: number;
}

export class UploadSegments {
  size: number;
  readonly own: string;
  readonly map: SegmentMap;
  readonly open = new Map<number, OpenSegment>();

  constructor(own: string, size: number, map: SegmentMap) {
    this.own = own;
    this.size = size;
    this.map = map;
  }

  from(frame: number): From {
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    const open = this.open.get(segment);
    if (open !== undefined) return (open.from[frame % FRAMES_PER_SEGMENT] ?? FROM.zeros) as From;
    return this.kind(segment);
  }

  framesIn(segment: number): number {
    return Math.ceil(this.lengthOf(segment) / FRAME_PLAIN);
  }

  lengthOf(segment: number): number {
    return Math.max(0, Math.min(SEGMENT_PLAIN, this.size - segment * SEGMENT_PLAIN));
  }

  /** Frames of the segment that exist by the present size are what the map says, later ones are zeros. */
  opened(segment: number): OpenSegment {
    const known = this.open.get(segment);
    if (known !== undefined) return known;
    const kind = this.kind(segment);
    const from = new Uint8Array(FRAMES_PER_SEGMENT).fill(kind, 0, this.framesIn(segment));
    const made: OpenSegment = { from, baseLength: kind === FROM.base ? this.lengthOf(segment) : -1 };
    this.open.set(segment, made);
    return made;
  }

  setFrom(frame: number, from: From): void {
    const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
    if (from === FROM.own && !this.open.has(segment) && this.map.blobAt(segment) === this.own) return;
    const open = this.opened(segment);
    open.from[frame % FRAMES_PER_SEGMENT] = from;
    if (from === FROM.own && open.from.every((one) => one === FROM.own)) this.close(segment, this.own);
  }

  /** Every frame of the segment is now in that one place. */
  close(segment: number, blob: string | null): void {
    this.open.delete(segment);
    this.map.set(segment, blob);
  }

  grow(size: number): void {
    const last = segmentsOf(this.size) - 1;
    if (this.size % SEGMENT_PLAIN !== 0 && this.map.blobAt(last) !== null) this.opened(last);
    this.size = size;
    this.map.resize(segmentsOf(size));
  }

  shrink(size: number): void {
    const segments = segmentsOf(size);
    if (size % SEGMENT_PLAIN !== 0 && (this.open.has(segments - 1) || this.map.blobAt(segments - 1) !== null)) {
      const open = this.opened(segments - 1);
      open.from.fill(FROM.zeros, Math.ceil((size % SEGMENT_PLAIN) / FRAME_PLAIN));
      open.baseLength = -1;
    }
    for (const segment of this.open.keys()) if (segment >= segments) this.open.delete(segment);
    this.size = size;
    this.map.resize(segments);
  }

  /**
   * A content that a crash may leave behind and that can be read as it is: segments in one place, own frames only when
   * they lie there whole. A segment in between counts as its base when that is still right; else all ends before it.
   */
  settled(): { size: number; runs: SegmentRun[] } {
    const map = this.map.clone();
    for (const segment of [...this.open.keys()].sort((a, b) => a - b)) {
      const open = this.open.get(segment);
      if (open === undefined || open.baseLength === this.lengthOf(segment)) continue;
      const whole = open.from.findIndex((from) => from !== FROM.own);
      const frames = whole === -1 ? FRAMES_PER_SEGMENT : whole;
      if (frames > 0) map.set(segment, this.own);
      if (frames >= this.framesIn(segment)) continue;
      const size = segment * SEGMENT_PLAIN + frames * FRAME_PLAIN;
      map.resize(segmentsOf(size));
      return { size, runs: map.toRuns() };
    }
    return { size: this.size, runs: map.toRuns() };
  }

  private kind(segment: number): From {
    const blob = this.map.blobAt(segment);
    if (blob === this.own) return FROM.own;
    return blob === null || blob === undefined ? FROM.zeros : FROM.base;
  }
}
