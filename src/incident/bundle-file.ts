/** Entry bundles from a folder, synchronously: a thread that scans has nothing else to do meanwhile. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { TILE_WIDTH, tilePath } from '../ledger/core/tiles.ts';

export interface BundleFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** Entries in it: at least as many as were asked for. */
  readonly width: number;
}

export function readBundleFile(folder: string, index: number, width: number, room = new FileRoom()): BundleFile {
  return readWide(folder, width, (count) => tilePath({ level: 'entries', index, width: count }), room);
}

const LARGEST = 64 * 1024 * 1024;

/** Memory for one file after another: what it holds is gone with the next one. */
export class FileRoom {
  private buffer = Buffer.allocUnsafeSlow(128 * 1024);

  /** Null when there is no such file. */
  read(file: string): Buffer | null {
    let descriptor: number;
    try {
      descriptor = openSync(file, 'r');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw error;
    }
    try {
      return this.fill(descriptor, file);
    } finally {
      closeSync(descriptor);
    }
  }

  private fill(descriptor: number, file: string): Buffer {
    for (let used = 0; ;) {
      const count = readSync(descriptor, this.buffer, used, this.buffer.length - used, null);
      if (count === 0) return this.buffer.subarray(0, used);
      used += count;
      if (used < this.buffer.length) continue;
      if (used >= LARGEST) throw new WaybillError('ledger-damaged', `${file} is larger than any part of a ledger`);
      const larger = Buffer.allocUnsafeSlow(this.buffer.length * 2);
      this.buffer.copy(larger);
      this.buffer = larger;
    }
  }
}

/** A running server replaces partial files with wider ones, of which the narrower is the beginning. */
export function readWide(
  folder: string,
  width: number,
  nameOf: (width: number) => string,
  room = new FileRoom(),
): BundleFile {
  for (const count of [width, TILE_WIDTH]) {
    const name = nameOf(count);
    const bytes = room.read(path.join(folder, name));
    if (bytes !== null) return { name, bytes, width: count };
  }
  for (const wider of widths(path.join(folder, `${nameOf(TILE_WIDTH)}.p`))) {
    const name = nameOf(wider);
    const bytes = wider > width ? room.read(path.join(folder, name)) : null;
    if (bytes !== null) return { name, bytes, width: wider };
  }
  throw new WaybillError('ledger-damaged', `${nameOf(width)} is missing`);
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
