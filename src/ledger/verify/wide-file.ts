/**
 * The file that holds a tile, a bundle or a part of the changes: of exactly the width that the tree has, or a wider
 * one, of which it is the beginning. A server that runs on takes narrower ones away.
 */
import { WaybillError } from '../../base/errors.ts';
import { decodeBundle, encodeBundle } from '../core/bundle.ts';
import { decodeChangesFile, encodeChangesFile } from '../core/layout.ts';
import { HASH_BYTES } from '../core/merkle.ts';
import { parseTilePath, TILE_WIDTH, tilePath } from '../core/tiles.ts';
import type { TileSource } from '../core/tiles.ts';
import type { LedgerFiles } from './ledger-files.ts';

export const BUNDLE_FILE_MAX = TILE_WIDTH * (2 + 0xffff);
export const TILE_FILE_MAX = TILE_WIDTH * HASH_BYTES;
/** A head changes at most as many logs as a sealing has entries (4,096); several times that is still read. */
export const CHANGES_FILE_MAX = 512 * 1024 * 1024;

export interface WideFile {
  readonly path: string;
  readonly width: number;
  readonly bytes: Buffer;
}

/** `pathOf` gives the path for a width. Null when there is none that is wide enough. */
export async function readWide(
  files: LedgerFiles,
  pathOf: (width: number) => string,
  width: number,
  max: number,
): Promise<WideFile | null> {
  for (const one of width === TILE_WIDTH ? [width] : [width, TILE_WIDTH]) {
    const bytes = await files.read(pathOf(one), max);
    if (bytes !== null) return { path: pathOf(one), width: one, bytes };
  }
  if (width === TILE_WIDTH) return null;
  for (const one of await widthsIn(files, `${pathOf(TILE_WIDTH)}.p`)) {
    const bytes = one > width ? await files.read(pathOf(one), max) : null;
    if (bytes !== null) return { path: pathOf(one), width: one, bytes };
  }
  return null;
}

async function widthsIn(files: LedgerFiles, folder: string): Promise<number[]> {
  const names = (await files.list(folder)).map(({ name }) => name);
  return names
    .filter((name) => /^[1-9][0-9]{0,2}$/.test(name) && Number(name) < TILE_WIDTH)
    .map(Number)
    .sort((a, b) => a - b);
}

/** What is wrong, or null when it is an error of another kind, which is thrown again. */
export function whyDamaged(error: unknown): string {
  if (error instanceof WaybillError && error.code !== 'internal') return error.message;
  throw error;
}

/** The bytes of the first `width` hashes of a tile, entries of a bundle, or parts of the changes. */
export const BEGINNINGS = {
  hashes: ({ bytes }: WideFile, width: number): Buffer => bytes.subarray(0, width * HASH_BYTES),
  entries: ({ bytes, width: all }: WideFile, width: number): Buffer =>
    encodeBundle(decodeBundle(bytes, all).slice(0, width)),
  changes: ({ bytes, width: all }: WideFile, width: number): Buffer =>
    encodeChangesFile(decodeChangesFile(bytes, all).slice(0, width)),
} as const;

/** The tiles of one log for readers that ask for exact widths: cut from wider ones where a server has grown them. */
export function wideSource(files: LedgerFiles, folder: string): TileSource {
  return {
    read: async (name) => {
      const tile = parseTilePath(name);
      if (tile === null) return files.read(`${folder}/${name}`, BUNDLE_FILE_MAX);
      const { level, index } = tile;
      const pathOf = (width: number): string => `${folder}/${tilePath({ level, index, width })}`;
      const max = level === 'entries' ? BUNDLE_FILE_MAX : TILE_FILE_MAX;
      const file = await readWide(files, pathOf, tile.width, max);
      if (file === null || file.width === tile.width) return file?.bytes ?? null;
      return BEGINNINGS[level === 'entries' ? 'entries' : 'hashes'](file, tile.width);
    },
  };
}
