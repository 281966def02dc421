/** The definitions of RFC 6962 section 2.1, as they stand there: slow, and with nothing in common with what is tested. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { TileSource } from '../../../src/ledger/core/tiles.ts';
import { tilePath } from '../../../src/ledger/core/tiles.ts';
import { encodeBundle } from '../../../src/ledger/core/bundle.ts';

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export const entryOf = (index: number): Buffer => Buffer.from(`entry ${index}`);
export const entries = (size: number, from = 0): Buffer[] =>
  Array.from({ length: size }, (_, index) => entryOf(from + index));

function split(n: number): number {
  return 2 ** Math.floor(Math.log2(n - 1));
}

export function naiveRoot(data: readonly Buffer[]): Buffer {
  if (data.length === 0) return sha256();
  if (data.length === 1) return sha256(Buffer.of(0), data[0] as Buffer);
  const k = split(data.length);
  return sha256(Buffer.of(1), naiveRoot(data.slice(0, k)), naiveRoot(data.slice(k)));
}

export function naivePath(m: number, data: readonly Buffer[]): Buffer[] {
  if (data.length === 1) return [];
  const k = split(data.length);
  return m < k
    ? [...naivePath(m, data.slice(0, k)), naiveRoot(data.slice(k))]
    : [...naivePath(m - k, data.slice(k)), naiveRoot(data.slice(0, k))];
}

export function naiveProof(m: number, data: readonly Buffer[]): Buffer[] {
  const sub = (m: number, data: readonly Buffer[], whole: boolean): Buffer[] => {
    if (m === data.length) return whole ? [] : [naiveRoot(data)];
    const k = split(data.length);
    return m <= k
      ? [...sub(m, data.slice(0, k), whole), naiveRoot(data.slice(k))]
      : [...sub(m - k, data.slice(k), false), naiveRoot(data.slice(0, k))];
  };
  return sub(m, data, true);
}

/** The tiles of a log as tlog-tiles defines them: the n-th tile at level l, hash by hash. */
export function naiveTiles(data: readonly Buffer[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let level = 0; 256 ** level <= data.length; level++) {
    const unit = 256 ** level;
    const count = Math.floor(data.length / unit);
    for (let index = 0; index * 256 < count; index++) {
      const width = Math.min(256, count - index * 256);
      const hashes = Array.from({ length: width }, (_, i) =>
        naiveRoot(data.slice((index * 256 + i) * unit, (index * 256 + i + 1) * unit)),
      );
      files.set(tilePath({ level, index, width }), Buffer.concat(hashes));
      if (level === 0)
        files.set(
          tilePath({ level: 'entries', index, width }),
          encodeBundle(data.slice(index * 256, index * 256 + width)),
        );
    }
  }
  return files;
}

export function sourceOf(files: ReadonlyMap<string, Uint8Array>): TileSource {
  return { read: (path) => Promise.resolve(files.get(path) ?? null) };
}

/** Each proof that is nearly this one: a bit flipped, a hash dropped, added, or two of them swapped. */
export function* nearlySame(proof: readonly Buffer[], bit: number): Generator<Buffer[]> {
  for (let at = 0; at < proof.length; at++) {
    yield proof.map((value, index) => (index === at ? flipped(value, bit) : value));
    yield proof.toSpliced(at, 1);
    yield proof.toSpliced(at, 0, proof[at] as Buffer);
    const next = proof[at + 1];
    if (next !== undefined && !next.equals(proof[at] as Buffer))
      yield proof.toSpliced(at, 2, next, proof[at] as Buffer);
  }
  yield [...proof, sha256(Buffer.from('one more'))];
  yield [sha256(Buffer.from('one more')), ...proof];
}

export function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = bit % (copy.length * 8);
  copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
  return copy;
}

/** Any size, and often one beside a power of two or of a tile. */
export const treeSize = (max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: 1, max }),
    fc
      .tuple(fc.integer({ min: 0, max: Math.floor(Math.log2(max)) }), fc.integer({ min: -1, max: 1 }))
      .map(([power, off]) => Math.max(1, Math.min(max, 2 ** power + off))),
  );
