/** One log's growing end: what is needed to append to it and to write the tiles that changed. */
import { WaybillError } from '../base/errors.ts';
import { decodeBundle, encodeBundle } from './core/bundle.ts';
import { leafHash } from './core/merkle.ts';
import { TILE_WIDTH, tilePath } from './core/tiles.ts';
import type { TileSource } from './core/tiles.ts';
import { TreeEdge } from './core/tree-edge.ts';
import { below } from './tile-store.ts';
import type { TileFile, TileStore } from './tile-store.ts';

export class LogWriter {
  /** Of the folder that its tiles lie in. */
  readonly folder: string;
  private readonly edge: TreeEdge;
  /** Entries of the bundle that is not full. */
  private tail: Buffer[];
  private full: TileFile[] = [];
  private grown = false;
  /** The partial file that was written last for a tile, by the tile's full name: it stays until a wider one of it is written. */
  private readonly partial = new Map<string, string>();

  private constructor(folder: string, edge: TreeEdge, tail: Buffer[]) {
    this.folder = folder;
    this.edge = edge;
    this.tail = tail;
  }

  static empty(folder: string): LogWriter {
    return new LogWriter(folder, new TreeEdge(), []);
  }

  /** Throws `ledger-damaged` when the tiles do not lead to this root. */
  static async load(tiles: TileStore, folder: string, size: number, root: Buffer): Promise<LogWriter> {
    if (size === 0) return LogWriter.empty(folder);
    const source = below(tiles, folder);
    try {
      const edge = await TreeEdge.load(source, size, root);
      return new LogWriter(folder, edge, await readTail(source, size));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new WaybillError('ledger-damaged', `the log in ${folder} cannot be gone on with: ${why}`, { cause: error });
    }
  }

  get size(): number {
    return this.edge.size;
  }

  root(): Buffer {
    return this.edge.root();
  }

  append(entry: Buffer): void {
    this.edge.append(leafHash(entry));
    this.tail.push(entry);
    this.grown = true;
    if (this.tail.length < TILE_WIDTH) return;
    const index = this.edge.size / TILE_WIDTH - 1;
    this.full.push({ path: this.at('entries', index, TILE_WIDTH), bytes: encodeBundle(this.tail) });
    this.tail = [];
  }

  /** Every file with something in it that was not given before, and the partial ones that these take the place of. */
  takeFiles(): { readonly files: TileFile[]; readonly superseded: string[] } {
    const files = this.full;
    this.full = [];
    const tiles = this.edge.takeTiles();
    for (const { level, index, width, bytes } of tiles) files.push({ path: this.at(level, index, width), bytes });
    if (this.grown && this.tail.length > 0) {
      const index = Math.floor(this.edge.size / TILE_WIDTH);
      files.push({ path: this.at('entries', index, this.tail.length), bytes: encodeBundle(this.tail) });
    }
    this.grown = false;
    return { files, superseded: files.flatMap(({ path }) => this.replaced(path)) };
  }

  private replaced(written: string): string[] {
    const [tile = written, width] = written.split('.p/');
    const before = this.partial.get(tile);
    if (width === undefined) this.partial.delete(tile);
    else this.partial.set(tile, written);
    return before === undefined || before === written ? [] : [before];
  }

  private at(level: number | 'entries', index: number, width: number): string {
    return `${this.folder}/${tilePath({ level, index, width })}`;
  }
}

/** The entries of the bundle that is not full: not hashed by the edge, so they must be the leaves that the tile beside names. */
async function readTail(source: TileSource, size: number): Promise<Buffer[]> {
  const [index, width] = [Math.floor(size / TILE_WIDTH), size % TILE_WIDTH];
  if (width === 0) return [];
  const bundle = await source.read(tilePath({ level: 'entries', index, width }));
  const tile = await source.read(tilePath({ level: 0, index, width }));
  if (bundle === null || tile === null) throw new Error('its youngest entries are missing');
  const tail = decodeBundle(bundle, width).map((entry) => Buffer.from(entry));
  if (!Buffer.concat(tail.map((entry) => leafHash(entry))).equals(tile))
    throw new Error('its youngest entries are not those of its tree');
  return tail;
}
