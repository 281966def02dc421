/** Entries of a log out of bundles that nobody vouches for: none comes out that the tree does not commit to. */
import { WaybillError } from '../../base/errors.ts';
import { decodeBundle } from './bundle.ts';
import type { TileHashReader } from './hash-reader.ts';
import { checkSize, HASH_BYTES, leafHash } from './merkle.ts';
import { readTile, TILE_WIDTH, tilePath, tileWidth } from './tiles.ts';
import type { TileSource } from './tiles.ts';

export interface EntryBundle {
  /** The index of the first of `entries`. */
  readonly first: number;
  readonly entries: readonly Buffer[];
}

/** The entries from `start` to `end` (not included), a bundle at a time. */
export async function* readEntries(
  source: TileSource,
  reader: TileHashReader,
  start = 0,
  end: number = reader.size,
): AsyncGenerator<EntryBundle> {
  checkSize(start, 'index');
  if (end > reader.size)
    throw new WaybillError('ledger-proof-invalid', `a tree of ${reader.size} has no entry ${end - 1}`);
  for (let first = start; first < end;) {
    const index = Math.floor(first / TILE_WIDTH);
    const entries = await readBundle(source, reader, index);
    const from = first - index * TILE_WIDTH;
    const upTo = Math.min(end - index * TILE_WIDTH, TILE_WIDTH);
    yield { first, entries: entries.slice(from, upTo) };
    first = (index + 1) * TILE_WIDTH;
  }
}

export async function readEntry(source: TileSource, reader: TileHashReader, index: number): Promise<Buffer> {
  for await (const { entries } of readEntries(source, reader, index, index + 1)) return entries[0] as Buffer;
  throw new WaybillError('ledger-proof-invalid', `there is no entry ${index}`);
}

async function readBundle(source: TileSource, reader: TileHashReader, index: number): Promise<Buffer[]> {
  const hashes = await reader.tile(0, index);
  const { bytes, width: found } = await readTile(source, {
    level: 'entries',
    index,
    width: tileWidth(0, index, reader.size),
  });
  const path = tilePath({ level: 'entries', index, width: found });
  const entries = decode(bytes, found, path);
  // A full bundle may stand for a partial one; what it has beyond this tree is not checked, and not given.
  const own = entries.slice(0, hashes.length / HASH_BYTES);
  own.forEach((entry, at) => {
    if (!leafHash(entry).equals(hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)))
      throw new WaybillError(
        'ledger-damaged',
        `${path}: entry ${index * TILE_WIDTH + at} is not what the tree commits to`,
      );
  });
  return own;
}

function decode(bytes: Buffer, count: number, path: string): Buffer[] {
  try {
    return decodeBundle(bytes, count);
  } catch (cause) {
    const why = cause instanceof WaybillError ? cause.message : 'malformed';
    throw new WaybillError('ledger-damaged', `${path}: ${why}`, { cause });
  }
}
