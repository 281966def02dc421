/**
 * The file that holds a tile, a bundle or a part of the changes: of exactly the width that the tree has, or a wider
 * one, of which it is the beginning. A server that runs on takes narrower ones away.
 */
import { WaybillError } from '../../base/errors.ts';
import { TILE_WIDTH } from '../core/tiles.ts';
import type { LedgerFiles } from './ledger-files.ts';

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
