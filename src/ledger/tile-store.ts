/** Promises of whoever keeps the tiles of all logs. Paths are relative, with "/" between names. */
import type { TileSource } from './core/tiles.ts';

export interface TileFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface TileStore extends TileSource {
  /**
   * Durable with their names when it resolves. A crash before may leave any of them absent or cut short: nothing points
   * to them yet, and the same bytes are written again.
   */
  write(files: readonly TileFile[]): Promise<void>;
  /** Whole or as before, whatever power does; durable when it resolves. For checkpoints. */
  replace(file: TileFile): Promise<void>;
  /** What is not there is no error. */
  remove(paths: readonly string[]): Promise<void>;
}

/** The same tiles seen from below one folder. */
export function below(source: TileSource, folder: string): TileSource {
  return { read: (path) => source.read(`${folder}/${path}`) };
}
