/** Entry bundles from a folder, synchronously: a thread that scans has nothing else to do meanwhile. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { TILE_WIDTH, tilePath } from '../ledger/core/tiles.ts';

export interface BundleFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** Entries in it: at least as many as were asked for. */
  readonly width: number;
}

export function readBundleFile(folder: string, index: number, width: number): BundleFile {
  return readWide(folder, width, (count) => tilePath({ level: 'entries', index, width: count }));
}

/** A running server replaces partial files with wider ones, of which the narrower is the beginning. */
export function readWide(folder: string, width: number, nameOf: (width: number) => string): BundleFile {
  for (const count of [width, TILE_WIDTH]) {
    const name = nameOf(count);
    const bytes = readIfThere(path.join(folder, name));
    if (bytes !== null) return { name, bytes, width: count };
  }
  for (const wider of widths(path.join(folder, `${nameOf(TILE_WIDTH)}.p`))) {
    const name = nameOf(wider);
    const bytes = wider > width ? readIfThere(path.join(folder, name)) : null;
    if (bytes !== null) return { name, bytes, width: wider };
  }
  throw new WaybillError('ledger-damaged', `${nameOf(width)} is missing`);
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function widths(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^[0-9]{1,3}$/.test(name))
      .map(Number)
      .filter((width) => width > 0 && width < TILE_WIDTH)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}
