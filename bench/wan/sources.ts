/** The files that are transferred: made once for as long as they are of the same size. */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface Size {
  readonly bytes: number;
  readonly files: number;
}

/** Directories of a tree: as many as there are sessions of sftp beside us. */
export const PARTS = 8;
const BLOCK = 32 * 2 ** 20;

/** Where each file of a tree is, below its top. */
export function treeOf(files: number): string[] {
  return Array.from({ length: files }, (_, at) => path.join(`part-${at % PARTS}`, `file-${at}`));
}

export class Sources {
  private readonly folder: string;
  private readonly block = randomBytes(BLOCK);
  private made: { key: string; path: string } | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  of({ bytes, files }: Size): string {
    const key = `${bytes}-${files}`;
    if (this.made?.key === key) return this.made.path;
    if (this.made !== null) rmSync(this.made.path, { recursive: true, force: true });
    const source = path.join(this.folder, files === 1 ? 'file' : 'tree');
    if (files === 1) this.write(source, bytes, 0);
    else {
      for (let part = 0; part < PARTS; part++) mkdirSync(path.join(source, `part-${part}`), { recursive: true });
      for (const [at, name] of treeOf(files).entries())
        this.write(path.join(source, name), Math.floor(bytes / files), (at * 4096) % BLOCK);
    }
    this.made = { key, path: source };
    return source;
  }

  /** Bytes that no layer can make smaller: of one block, over and over. */
  private write(file: string, bytes: number, from: number): void {
    const descriptor = openSync(file, 'w');
    for (let [at, skip] = [0, from]; at < bytes; skip = 0) {
      const length = Math.min(this.block.length - skip, bytes - at);
      at += writeSync(descriptor, this.block, skip, length);
    }
    closeSync(descriptor);
  }
}
