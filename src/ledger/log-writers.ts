/** Writers of tenants' logs: those in use are kept, the others are read from their tiles when they are needed again. */
import { logFolder } from './core/layout.ts';
import type { LogRow } from './entry-store.ts';
import { LogWriter } from './log-writer.ts';
import type { TileStore } from './tile-store.ts';

/** Some 30 KB each. */
const KEPT = 512;

export class LogWriters {
  private readonly tiles: TileStore;
  private readonly open = new Map<string, LogWriter>();

  constructor(tiles: TileStore) {
    this.tiles = tiles;
  }

  async of({ tenant, log, size, root }: LogRow): Promise<LogWriter> {
    const kept = this.open.get(tenant);
    const writer = kept ?? (await LogWriter.load(this.tiles, logFolder(log), size, root));
    this.open.delete(tenant);
    this.open.set(tenant, writer);
    return writer;
  }

  /** Between sealings: nobody has one in hand. */
  trim(): void {
    for (const tenant of this.open.keys()) {
      if (this.open.size <= KEPT) return;
      this.open.delete(tenant);
    }
  }

  clear(): void {
    this.open.clear();
  }
}
