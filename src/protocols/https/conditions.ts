/** Conditions of requests (RFC 9110 section 13): pure. Our ETags are strong: a version's bytes never change. */

const TAGS_MAX = 4096;

export function entityTag(version: string): string {
  return `"${version}"`;
}

/** For If-None-Match (`weak`) and If-Match. `current` is null when nothing is there. */
export function matches(header: string, current: string | null, comparison: 'weak' | 'strong'): boolean {
  if (current === null) return false;
  if (header.trim() === '*') return true;
  return header
    .slice(0, TAGS_MAX)
    .split(',')
    .map((tag) => tag.trim())
    .some((tag) => (comparison === 'weak' ? tag.replace(/^W\//, '') : tag) === current);
}

/** If-Range: only the very ETag. Dates are to the second, so a date never makes a range certain. */
export function rangeHolds(ifRange: string | undefined, current: string): boolean {
  return ifRange === undefined || ifRange.trim() === current;
}
