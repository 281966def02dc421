/** Sets of byte ranges, and the range that a release opens. */
import type { ByteRange } from './fields.ts';

/** The unit of release (keys/layout.ts): entries count segments of this size. */
export const SEGMENT_BYTES = 8 * 1024 * 1024;

/** What the keys of these segments open: `bytes` of plaintext from where the first segment begins. */
export function releasedRange(first: number, count: number, bytes: number): ByteRange {
  return [first * SEGMENT_BYTES, Math.min(bytes, count * SEGMENT_BYTES)];
}

/** Sorted, and without overlaps or neighbours. */
export function union(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = ranges.filter(([, length]) => length > 0).sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [offset, length] of sorted) {
    const last = result.at(-1);
    if (last !== undefined && offset <= last[0] + last[1]) last[1] = Math.max(last[1], offset + length - last[0]);
    else result.push([offset, length]);
  }
  return result;
}
