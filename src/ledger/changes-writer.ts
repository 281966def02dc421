/** What each head changed, beside the heads log (core/layout.ts). */
import { WaybillError } from '../base/errors.ts';
import { changesPath, decodeChangesFile, encodeChangesFile } from './core/layout.ts';
import { TILE_WIDTH } from './core/tiles.ts';
import type { TileFile, TileStore } from './tile-store.ts';

export class ChangesWriter {
  private count: number;
  private tail: Buffer[];
  private partial: string | null = null;

  private constructor(count: number, tail: Buffer[]) {
    this.count = count;
    this.tail = tail;
  }

  static async load(tiles: TileStore, size: number): Promise<ChangesWriter> {
    const width = size % TILE_WIDTH;
    if (width === 0) return new ChangesWriter(size, []);
    const path = changesPath(Math.floor(size / TILE_WIDTH), width);
    const bytes = await tiles.read(path);
    if (bytes === null) throw new WaybillError('ledger-damaged', `${path} is missing`);
    return new ChangesWriter(
      size,
      decodeChangesFile(bytes, width).map((part) => Buffer.from(part)),
    );
  }

  /** The file that holds it now, and the one that it takes the place of. */
  append(changes: Buffer): { readonly file: TileFile; readonly superseded: string[] } {
    this.tail.push(changes);
    const path = changesPath(Math.floor(this.count / TILE_WIDTH), this.tail.length);
    const file = { path, bytes: encodeChangesFile(this.tail) };
    const superseded = this.partial === null ? [] : [this.partial];
    this.count++;
    this.partial = path;
    if (this.tail.length === TILE_WIDTH) {
      this.tail = [];
      this.partial = null;
    }
    return { file, superseded };
  }
}
