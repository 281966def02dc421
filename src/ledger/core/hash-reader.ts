/**
 * Hashes of a tree out of tiles that nobody vouches for. The right edge is checked against the root, then each tile
 * against its parent, before any hash of it is used: what comes out is what the root commits to, or an error that names
 * the tile. (The way of golang.org/x/mod/sumdb/tlog.)
 */
import { WaybillError } from '../../base/errors.ts';
import { checkSize, EMPTY_ROOT, foldRight, HASH_BYTES, perfectRoot } from './merkle.ts';
import { readTile, TILE_HEIGHT, TILE_WIDTH, tilePath, tileWidth } from './tiles.ts';
import type { TileSource } from './tiles.ts';

/** The perfect subtree over the leaves from index * 2^level to (index + 1) * 2^level. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Promise: what it answers is what the root commits to. */
export interface HashReader {
  readonly size: number;
  readonly root: Buffer;
  hashes(nodes: readonly TreeNode[]): Promise<Buffer[]>;
}

/** Full tiles kept after use: 8 MiB. */
const TILES_KEPT = 1024;

function damaged(message: string): WaybillError {
  return new WaybillError('ledger-damaged', message);
}

export class TileHashReader implements HashReader {
  readonly size: number;
  readonly root: Buffer;
  private readonly source: TileSource;
  private edge: Promise<Map<number, Buffer>> | null = null;
  /** By level and index, the one used last at the end. Only what is authenticated stays. */
  private readonly kept = new Map<string, Buffer>();

  constructor(source: TileSource, size: number, root: Uint8Array) {
    checkSize(size);
    this.source = source;
    this.size = size;
    this.root = Buffer.from(root);
  }

  async hashes(nodes: readonly TreeNode[]): Promise<Buffer[]> {
    // One after another: neighbours share their tiles, and then the second finds them kept.
    const hashes: Buffer[] = [];
    for (const node of nodes) hashes.push(await this.hashOf(node));
    return hashes;
  }

  private async hashOf({ level, index }: TreeNode): Promise<Buffer> {
    const inside = level % TILE_HEIGHT;
    const tileLevel = (level - inside) / TILE_HEIGHT;
    const first = index * 2 ** inside;
    if ((index + 1) * 2 ** level > this.size) throw damaged(`a tree of ${this.size} has no node ${index} at ${level}`);
    const tile = await this.tile(tileLevel, Math.floor(first / TILE_WIDTH));
    const at = (first % TILE_WIDTH) * HASH_BYTES;
    return perfectRoot(tile.subarray(at, at + 2 ** inside * HASH_BYTES));
  }

  /** The hashes of a tile as wide as it is in this tree, authenticated. At level 0 they are leaf hashes. */
  async tile(level: number, index: number): Promise<Buffer> {
    const width = tileWidth(level, index, this.size);
    if (width === 0) throw damaged(`a tree of ${this.size} has no tile ${index} at level ${level}`);
    const edge = await this.rightEdge();
    const partial = width < TILE_WIDTH ? edge.get(level) : undefined;
    if (partial !== undefined) return partial;
    const name = `${level}/${index}`;
    const before = this.kept.get(name);
    const tile = before ?? (await this.readFull(level, index));
    this.kept.delete(name);
    this.kept.set(name, tile);
    if (this.kept.size > TILES_KEPT) for (const oldest of [...this.kept.keys()].slice(0, 1)) this.kept.delete(oldest);
    return tile;
  }

  private async readFull(level: number, index: number): Promise<Buffer> {
    const parent = await this.tile(level + 1, Math.floor(index / TILE_WIDTH));
    const at = (index % TILE_WIDTH) * HASH_BYTES;
    const tile = await readHashes(this.source, level, index, TILE_WIDTH);
    if (!perfectRoot(tile).equals(parent.subarray(at, at + HASH_BYTES)))
      throw damaged(`${tilePath({ level, index, width: TILE_WIDTH })} is not what the tree commits to`);
    return tile;
  }

  /**
   * The partial tiles by level. Together they hold exactly the perfect subtrees of this size, so the root is over them
   * and over nothing else.
   */
  rightEdge(): Promise<Map<number, Buffer>> {
    this.edge ??= this.readEdge().catch((error: unknown) => {
      this.edge = null;
      throw error;
    });
    return this.edge;
  }

  private async readEdge(): Promise<Map<number, Buffer>> {
    const edge = new Map<number, Buffer>();
    const names: string[] = [];
    const subtrees: Buffer[] = [];
    for (const { level, index, width } of edgeTiles(this.size).reverse()) {
      const tile = await readHashes(this.source, level, index, width);
      edge.set(level, tile);
      names.push(tilePath({ level, index, width }));
      subtrees.push(...perfectParts(tile));
    }
    const root = subtrees.length === 0 ? EMPTY_ROOT : foldRight(subtrees);
    if (!root.equals(this.root))
      throw damaged(
        names.length === 0
          ? 'the root of the empty tree is wrong'
          : `${names.join(', ')} do not lead to the root of the tree of ${this.size}`,
      );
    return edge;
  }
}

/** The partial tiles of a tree of this size, lowest level first. */
export function edgeTiles(size: number): { level: number; index: number; width: number }[] {
  const tiles: { level: number; index: number; width: number }[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / TILE_WIDTH)) {
    const width = rest % TILE_WIDTH;
    if (width > 0) tiles.push({ level, index: Math.floor(rest / TILE_WIDTH), width });
  }
  return tiles;
}

/** The perfect subtrees over the hashes of a partial tile, from left to right. */
export function perfectParts(tile: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  const width = tile.length / HASH_BYTES;
  for (let part = TILE_WIDTH / 2, at = 0; part >= 1; part /= 2) {
    if ((width & part) === 0) continue;
    parts.push(perfectRoot(tile.subarray(at * HASH_BYTES, (at + part) * HASH_BYTES)));
    at += part;
  }
  return parts;
}

async function readHashes(source: TileSource, level: number, index: number, width: number): Promise<Buffer> {
  const { bytes, width: found } = await readTile(source, { level, index, width });
  if (bytes.length !== found * HASH_BYTES)
    throw damaged(`${tilePath({ level, index, width: found })} has ${bytes.length} bytes, not ${found * HASH_BYTES}`);
  // A copy: what was checked must not change when the source uses its buffer again.
  return Buffer.from(bytes.subarray(0, width * HASH_BYTES));
}
