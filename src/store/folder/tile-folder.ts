/** Tiles of the ledger as files: see ledger/tile-store.ts for the promises. */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder, writeDurableFile } from '../../base/durable-file.ts';
import type { TileFile, TileStore } from '../../ledger/tile-store.ts';

/** Writes at once; more would take the pool's threads from the transfers. */
const PARALLEL = 4;

export class TileFolder implements TileStore {
  private readonly root: string;
  /** Folders known to be there with a durable name. */
  private readonly known = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  async read(file: string): Promise<Uint8Array | null> {
    try {
      return await readFile(path.join(this.root, file));
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  async write(files: readonly TileFile[]): Promise<void> {
    const folders = new Set(files.map((file) => path.dirname(path.join(this.root, file.path))));
    for (const folder of folders) await this.makeFolder(folder);
    const queue = [...files];
    const work = Array.from({ length: PARALLEL }, async () => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) await this.writeOne(file);
    });
    await Promise.all(work);
    for (const folder of folders) await syncFolder(folder);
  }

  async replace({ path: file, bytes }: TileFile): Promise<void> {
    const whole = path.join(this.root, file);
    await this.makeFolder(path.dirname(whole));
    await writeDurableFile(whole, bytes);
  }

  async remove(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(path.join(this.root, file), { force: true });
  }

  private async writeOne({ path: file, bytes }: TileFile): Promise<void> {
    const handle = await open(path.join(this.root, file), 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  /** Each new folder's name is durable before something is in it. */
  private async makeFolder(folder: string): Promise<void> {
    if (this.known.has(folder)) return;
    const parent = path.dirname(folder);
    if (folder !== this.root) await this.makeFolder(parent);
    const made = await mkdir(folder, { mode: 0o700, recursive: true });
    if (made !== undefined) await syncFolder(parent);
    this.known.add(folder);
    if (this.known.size > 10_000) this.known.clear();
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
