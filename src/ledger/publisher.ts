/**
 * Writes a sealing to the tiles. Crash order: 1. tiles, bundles and changes of every log that it touched, durable; 2. the
 * checkpoints of those logs; 3. the checkpoint of the heads. A checkpoint never names a tile that is not there, and
 * the heads never commit a log whose own checkpoint does not stand.
 */
import { signCheckpoint } from './core/checkpoint.ts';
import { signerNamed } from './core/note.ts';
import { checkpointPath, HEADS, logOrigin } from './core/layout.ts';
import type { LogState } from './core/head.ts';
import type { LedgerKey } from './signing-key.ts';
import type { TileFile, TileStore } from './tile-store.ts';

export interface Publication {
  readonly files: readonly TileFile[];
  readonly states: readonly (LogState & { readonly folder: string })[];
  readonly heads: { readonly size: number; readonly root: Buffer };
}

export class Publisher {
  private readonly tiles: TileStore;
  private readonly key: LedgerKey;

  constructor(tiles: TileStore, key: LedgerKey) {
    this.tiles = tiles;
    this.key = key;
  }

  /** Doing it twice writes the same bytes: Ed25519 signatures are deterministic. */
  async publish({ files, states, heads }: Publication): Promise<void> {
    await this.tiles.write(files);
    const { origin } = this.key;
    for (const { log, size, root, folder } of states) await this.checkpoint(folder, logOrigin(origin, log), size, root);
    await this.checkpoint(HEADS, origin, heads.size, heads.root);
  }

  private async checkpoint(folder: string, origin: string, size: number, root: Buffer): Promise<void> {
    const note = signCheckpoint({ origin, size, root, extensions: [] }, [signerNamed(this.key.signer, origin)]);
    await this.tiles.replace({ path: checkpointPath(folder), bytes: Buffer.from(note) });
  }
}
