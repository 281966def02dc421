/**
 * The heads log as the index takes it: every entry is hashed into the tree of the signed checkpoint, and the changes
 * beside it must have the digest that stands in the head. The last head's sum tree must be that of all logs.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { decodeBundle } from '../ledger/core/bundle.ts';
import { openCheckpoint } from '../ledger/core/checkpoint.ts';
import type { OpenedCheckpoint } from '../ledger/core/checkpoint.ts';
import { readEntries } from '../ledger/core/entry-reader.ts';
import { TileHashReader } from '../ledger/core/hash-reader.ts';
import { decodeChanges, decodeHead, digest } from '../ledger/core/head.ts';
import type { Head, LogState } from '../ledger/core/head.ts';
import { changesPath, checkpointPath, decodeChangesFile, HEADS } from '../ledger/core/layout.ts';
import { leafHash } from '../ledger/core/merkle.ts';
import type { Frontier } from '../ledger/core/merkle.ts';
import type { VerifierKey } from '../ledger/core/note.ts';
import { SumTree } from '../ledger/core/sum-tree.ts';
import { TILE_WIDTH } from '../ledger/core/tiles.ts';
import type { TileSource } from '../ledger/core/tiles.ts';
import { readBundleFile, readWide } from './bundle-file.ts';

export interface HeadChange {
  readonly index: number;
  readonly head: Head;
  readonly states: readonly LogState[];
}

/** Tiles below a folder. */
export function folderSource(folder: string): TileSource {
  return {
    read: (name) =>
      readFile(path.join(folder, name)).catch((error: unknown) => {
        const code = error instanceof Error && 'code' in error ? error.code : null;
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        throw error;
      }),
  };
}

export interface SignedCheckpoint extends OpenedCheckpoint {
  /** As it was signed, with its signatures. */
  readonly note: string;
}

export async function readCheckpoint(ledger: string, key: VerifierKey): Promise<SignedCheckpoint> {
  const bytes = await folderSource(ledger).read(checkpointPath(HEADS));
  if (bytes === null)
    throw new WaybillError('not-found', `${ledger} holds no ledger: ${checkpointPath(HEADS)} is missing`);
  const opened = openCheckpoint(bytes, key, key.name);
  return { ...opened, note: Buffer.from(bytes).toString('utf8') };
}

/** From where `frontier` ends to the checkpoint. Ends with an error, and no answer, when the tree is another one. */
export function* readHeads(
  ledger: string,
  frontier: Frontier,
  { size, root }: OpenedCheckpoint,
): Generator<HeadChange> {
  const folder = path.join(ledger, HEADS);
  while (frontier.size < size) {
    const from = frontier.size;
    const index = Math.floor(from / TILE_WIDTH);
    const end = Math.min(size, (index + 1) * TILE_WIDTH);
    const file = readBundleFile(folder, index, end - index * TILE_WIDTH);
    const entries = decodeBundle(file.bytes, file.width);
    const changes = readChanges(ledger, index, end - index * TILE_WIDTH);
    for (let at = from; at < end; at++) {
      const entry = entries[at - index * TILE_WIDTH] as Buffer;
      frontier.append(leafHash(entry));
      yield headChange(at, entry, changes[at - index * TILE_WIDTH] ?? Buffer.alloc(0));
    }
  }
  if (!frontier.root().equals(root))
    throw new WaybillError('ledger-damaged', 'the heads do not lead to the root that is signed');
}

function headChange(index: number, entry: Buffer, changes: Buffer): HeadChange {
  const head = decodeHead(entry);
  if (!digest(changes).equals(head.changes))
    throw new WaybillError(
      'ledger-damaged',
      `${changesPath(Math.floor(index / TILE_WIDTH), TILE_WIDTH)}: what head ${index} changed is not what it says`,
    );
  return { index, head, states: decodeChanges(changes) };
}

export function readChanges(ledger: string, index: number, width: number): Buffer[] {
  const file = readWide(ledger, width, (count) => changesPath(index, count));
  return decodeChangesFile(file.bytes, file.width);
}

/** Names what does not fit, when a tree came out other than it should; returns when all tiles fit. */
export async function locateDamage(folder: string, where: string, size: number, root: Buffer): Promise<void> {
  const source = folderSource(path.join(folder, where));
  const reader = new TileHashReader(source, size, root);
  try {
    const parts = readEntries(source, reader);
    while ((await parts.next()).done !== true);
  } catch (error) {
    if (error instanceof WaybillError)
      throw new WaybillError(error.code, `${where}/${error.message}`, { cause: error });
    throw error;
  }
}

export function checkSum(tree: SumTree, head: Head): void {
  const { hash, sum, count } = tree.root();
  if (!hash.equals(head.sumRoot) || sum !== head.total || count !== head.tenants)
    throw new WaybillError('ledger-damaged', 'the sum tree over all logs is not the one that the last head commits to');
}
