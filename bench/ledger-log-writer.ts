/** One log as tiles on disk: takes entries, keeps the tree's edge, writes each tile when it is full. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { leafHash } from '../src/ledger/core/merkle.ts';
import { TILE_WIDTH, tilePath } from '../src/ledger/core/tiles.ts';
import type { Tile } from '../src/ledger/core/tiles.ts';
import { TreeEdge } from '../src/ledger/core/tree-edge.ts';

export class LogWriter {
  private readonly folder: string;
  private readonly made = new Set<string>();
  private readonly edge = new TreeEdge();
  private bundle = Buffer.allocUnsafe(64 * 1024);
  private used = 0;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  get size(): number {
    return this.edge.size;
  }

  root(): Buffer {
    return this.edge.root();
  }

  append(entry: Uint8Array): void {
    const end = this.used + 2 + entry.length;
    if (end > this.bundle.length) this.grow(end);
    this.bundle.writeUInt16BE(entry.length, this.used);
    this.bundle.set(entry, this.used + 2);
    this.used = end;
    this.edge.append(leafHash(entry));
    if (this.edge.size % TILE_WIDTH === 0) this.writeTiles(TILE_WIDTH);
  }

  /** The partial tiles of what there is now. */
  finish(): void {
    const rest = this.edge.size % TILE_WIDTH;
    if (rest > 0) this.writeTiles(rest);
    else this.flushLate();
  }

  private writeTiles(width: number): void {
    const index = Math.floor((this.edge.size - 1) / TILE_WIDTH);
    this.write({ level: 'entries', index, width }, this.bundle.subarray(0, this.used));
    if (width === TILE_WIDTH) this.used = 0;
    for (const tile of this.edge.takeTiles())
      // The growing tiles of higher levels are needed only at the end.
      if (tile.width === TILE_WIDTH || width < TILE_WIDTH || tile.level === 0) this.write(tile, tile.bytes);
      else this.late.set(tile.level, tile);
    if (width < TILE_WIDTH) this.flushLate();
  }

  private readonly late = new Map<number, Tile & { readonly bytes: Buffer }>();

  private flushLate(): void {
    for (const tile of this.late.values()) this.write(tile, tile.bytes);
    this.late.clear();
  }

  private write(tile: Tile, bytes: Uint8Array): void {
    const file = path.join(this.folder, tilePath(tile));
    const folder = path.dirname(file);
    if (!this.made.has(folder)) {
      mkdirSync(folder, { recursive: true });
      this.made.add(folder);
    }
    writeFileSync(file, bytes);
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bundle.length * 2));
    this.bundle.copy(larger, 0, 0, this.used);
    this.bundle = larger;
  }
}
