/**
 * The growing end of a log, for who writes it: takes leaf hashes, knows the root, and hands out the tiles that have to
 * be written. A copy of a log's last hashes is all it holds; `TreeEdge.load` makes it again from the tiles.
 */
import { TileHashReader } from './hash-reader.ts';
import { Frontier, HASH_BYTES } from './merkle.ts';
import { TILE_HEIGHT, TILE_WIDTH } from './tiles.ts';
import type { Tile, TileSource } from './tiles.ts';
import { frontierFromTiles } from './tree-proofs.ts';

export interface TileContent extends Tile {
  readonly level: number;
  readonly bytes: Buffer;
}

interface Level {
  hashes: Buffer;
  index: number;
  width: number;
  /** Has hashes that `takeTiles` has not given yet. */
  grown: boolean;
}

function newLevel(): Level {
  return { hashes: Buffer.alloc(TILE_WIDTH * HASH_BYTES), index: 0, width: 0, grown: false };
}

export class TreeEdge {
  private frontier = new Frontier();
  private levels: Level[] = [];
  private full: TileContent[] = [];

  get size(): number {
    return this.frontier.size;
  }

  root(): Buffer {
    return this.frontier.root();
  }

  append(leaf: Uint8Array): void {
    this.frontier.append(leaf, this.onPerfect);
  }

  private readonly onPerfect = (treeLevel: number, hash: Buffer): void => {
    if (treeLevel % TILE_HEIGHT !== 0) return;
    const number = treeLevel / TILE_HEIGHT;
    const level = (this.levels[number] ??= newLevel());
    level.hashes.set(hash, level.width * HASH_BYTES);
    level.width++;
    level.grown = true;
    if (level.width < TILE_WIDTH) return;
    this.full.push({ level: number, index: level.index, width: TILE_WIDTH, bytes: level.hashes });
    this.levels[number] = { ...newLevel(), index: level.index + 1 };
  };

  /** Every tile with a hash that was not given before: what `tilesFor(size at the last call, size)` names. */
  takeTiles(): TileContent[] {
    const tiles = this.full;
    this.full = [];
    this.levels.forEach((level, number) => {
      if (!level.grown) return;
      level.grown = false;
      const bytes = Buffer.from(level.hashes.subarray(0, level.width * HASH_BYTES));
      tiles.push({ level: number, index: level.index, width: level.width, bytes });
    });
    return tiles.sort((a, b) => a.level - b.level || a.index - b.index);
  }

  /** For a writer that may fail and goes on with the edge it had. */
  clone(): TreeEdge {
    const copy = new TreeEdge();
    copy.frontier = this.frontier.clone();
    copy.levels = this.levels.map((level) => ({ ...level, hashes: Buffer.from(level.hashes) }));
    copy.full = [...this.full];
    return copy;
  }

  /** Throws when the tiles do not lead to this root. */
  static async load(source: TileSource, size: number, root: Uint8Array): Promise<TreeEdge> {
    const reader = new TileHashReader(source, size, root);
    const edge = new TreeEdge();
    const partial = await reader.rightEdge();
    edge.frontier = await frontierFromTiles(reader);
    for (let number = 0, rest = size; rest > 0; number++, rest = Math.floor(rest / TILE_WIDTH)) {
      const level = { ...newLevel(), index: Math.floor(rest / TILE_WIDTH), width: rest % TILE_WIDTH };
      level.hashes.set(partial.get(number) ?? Buffer.alloc(0));
      edge.levels[number] = level;
    }
    return edge;
  }
}
