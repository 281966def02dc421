/** Sets of byte ranges: sorted, apart from each other, bounded in number. */
export type ByteRange = readonly [offset: number, length: number];

/** Past this many, the smallest gap is filled: a set may then say more than was added, never less. */
export const RANGES_MAX = 256;

/** The set with one more range in it. Cheap when it goes on where the last one ended, which is what readers do. */
export function addRange(ranges: readonly ByteRange[], offset: number, length: number): ByteRange[] {
  if (length <= 0) return [...ranges];
  const end = offset + length;
  // The first that ends at or after the new one's start: what is before stays as it is.
  let from = ranges.length;
  while (from > 0 && endOf(ranges[from - 1]) >= offset) from--;
  let to = from;
  let [first, last] = [offset, end];
  for (; to < ranges.length; to++) {
    const range = ranges[to];
    if (range === undefined || range[0] > end) break;
    first = Math.min(first, range[0]);
    last = Math.max(last, endOf(range));
  }
  const merged = [...ranges.slice(0, from), [first, last - first] as const, ...ranges.slice(to)];
  return merged.length > RANGES_MAX ? closeSmallestGap(merged) : merged;
}

function endOf(range: ByteRange | undefined): number {
  return range === undefined ? 0 : range[0] + range[1];
}

function closeSmallestGap(ranges: readonly ByteRange[]): ByteRange[] {
  let best = 1;
  let smallest = Infinity;
  for (let index = 1; index < ranges.length; index++) {
    const gap = (ranges[index]?.[0] ?? 0) - endOf(ranges[index - 1]);
    if (gap < smallest) [best, smallest] = [index, gap];
  }
  const offset = ranges[best - 1]?.[0] ?? 0;
  return [...ranges.slice(0, best - 1), [offset, endOf(ranges[best]) - offset], ...ranges.slice(best + 1)];
}
