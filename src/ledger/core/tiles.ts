/** Where things lie in a log of C2SP tlog-tiles: coordinates, paths, and which tiles a growing tree needs. */
import { WaybillError } from '../../base/errors.ts';
import { checkSize, SIZE_MAX } from './merkle.ts';

export const TILE_WIDTH = 256;
/** Subtrees of 2^8 hashes: a tile is eight levels of the tree. */
export const TILE_HEIGHT = 8;
const LEVEL_MAX = 63;
/** `tile/entries/` or `tile/63/`, six groups of digits and `.p/255`. */
const PATH_CHARACTERS_MAX = 64;

/** `width` is 256 for a full tile; less is a partial one. Level 'entries' is the bundle beside the tile of level 0. */
export interface Tile {
  readonly level: number | 'entries';
  readonly index: number;
  readonly width: number;
}

/** Promise: the whole content of that path, or null when there is none. Nothing that it returns is trusted. */
export interface TileSource {
  read(path: string): Promise<Uint8Array | null>;
}

export function tilePath(tile: Tile): string {
  check(tile);
  const partial = tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`;
  return `tile/${tile.level}/${indexPath(tile.index)}${partial}`;
}

/** 1234067 is `x001/x234/067`: no path is both a file and a folder. */
function indexPath(index: number): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  return path;
}

function check({ level, index, width }: Tile): void {
  const levelRight = level === 'entries' || (Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX);
  const indexRight = Number.isInteger(index) && index >= 0 && index <= SIZE_MAX;
  const widthRight = Number.isInteger(width) && width >= 1 && width <= TILE_WIDTH;
  if (!levelRight || !indexRight || !widthRight)
    throw new WaybillError('ledger-damaged', `there is no tile of level ${level}, index ${index}, width ${width}`);
}

const PATH = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

/** The tile of a path, only in the one form that `tilePath` writes; null for anything else. */
export function parseTilePath(path: string): Tile | null {
  if (path.length > PATH_CHARACTERS_MAX) return null;
  const parts = PATH.exec(path);
  if (parts === null) return null;
  const [, level = '', index = '', width] = parts;
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(index.replace(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  try {
    return tilePath(tile) === path ? tile : null;
  } catch {
    return null;
  }
}

/**
 * The hash tiles that must be written when a tree grows, lowest level first: every tile that has a hash it had not
 * before, with the width that it has now. A tile that became full is named full only.
 */
export function* tilesFor(oldSize: number, newSize: number): Generator<Tile & { readonly level: number }> {
  checkSize(oldSize);
  checkSize(newSize);
  for (let level = 0, unit = 1; newSize >= unit; level++, unit *= TILE_WIDTH)
    for (const { index, width } of grown(Math.floor(oldSize / unit), Math.floor(newSize / unit)))
      yield { level, index, width };
}

/** The same for entry bundles. */
export function* bundlesFor(oldSize: number, newSize: number): Generator<Tile & { readonly level: 'entries' }> {
  checkSize(oldSize);
  checkSize(newSize);
  for (const { index, width } of grown(oldSize, newSize)) yield { level: 'entries', index, width };
}

function* grown(before: number, after: number): Generator<{ index: number; width: number }> {
  for (let index = Math.floor(before / TILE_WIDTH), from = before; from < after; index++) {
    const end = Math.min(after, (index + 1) * TILE_WIDTH);
    yield { index, width: end - index * TILE_WIDTH };
    from = end;
  }
}

/** The width that a tile of this level and index has in a tree of this size; 0 when it has none. */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH;
  return Math.max(0, Math.min(TILE_WIDTH, hashes));
}

/** A partial tile may be gone once the full one is there, whose start it is (tlog-tiles, "Partial Tiles"). */
export async function readTile(source: TileSource, tile: Tile): Promise<{ bytes: Buffer; width: number }> {
  const own = await source.read(tilePath(tile));
  if (own !== null) return { bytes: asBuffer(own), width: tile.width };
  const full = tile.width === TILE_WIDTH ? null : await source.read(tilePath({ ...tile, width: TILE_WIDTH }));
  if (full === null) throw new WaybillError('ledger-damaged', `${tilePath(tile)} is missing`);
  return { bytes: asBuffer(full), width: TILE_WIDTH };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
