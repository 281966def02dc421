/** Range (RFC 9110 section 14): pure. */

export interface ByteRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
}

/** More than this many, or ranges that overlap, is what attacks look like (RFC 9110 section 17.15). */
const RANGES_MAX = 16;
const HEADER_MAX = 1024;
const SPEC = /^(?:(\d{1,16})-(\d{1,16})?|-(\d{1,16}))$/;

/** `all`: no range that we have to follow; `none`: well formed, and nothing of the file is in it. */
export type Wanted =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  | { readonly kind: 'some'; readonly ranges: readonly ByteRange[] };

export function wantedOf(header: string | undefined, size: number): Wanted {
  const specs = header === undefined || header.length > HEADER_MAX ? null : specsOf(header);
  // A server may ignore a Range that it does not understand; another unit is none.
  if (specs === null) return { kind: 'all' };
  if (specs.length > RANGES_MAX) return { kind: 'none' };
  const ranges = specs.map((spec) => resolve(spec, size)).filter((range) => range !== null);
  if (ranges.length === 0) return { kind: 'none' };
  return overlapping(ranges) ? { kind: 'none' } : { kind: 'some', ranges };
}

interface Spec {
  readonly first: number | null;
  readonly last: number | null;
}

function specsOf(header: string): Spec[] | null {
  const list = /^bytes=(.*)$/i.exec(header)?.[1];
  if (list === undefined) return null;
  const specs: Spec[] = [];
  for (const part of list.split(',')) {
    const found = SPEC.exec(part.trim());
    if (found === null) return null;
    const [, first, last, suffix] = found;
    const spec: Spec =
      first === undefined
        ? { first: null, last: Number(suffix) }
        : { first: Number(first), last: last === undefined ? null : Number(last) };
    if (spec.first !== null && spec.last !== null && spec.last < spec.first) return null;
    specs.push(spec);
  }
  return specs;
}

function resolve({ first, last }: Spec, size: number): ByteRange | null {
  if (first === null) {
    const length = Math.min(last ?? 0, size);
    return length === 0 ? null : { first: size - length, last: size - 1 };
  }
  return first >= size ? null : { first, last: Math.min(last ?? size - 1, size - 1) };
}

function overlapping(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  return sorted.some((range, index) => index > 0 && range.first <= (sorted[index - 1]?.last ?? -1));
}
