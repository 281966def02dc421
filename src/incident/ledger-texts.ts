/**
 * Entries of which the index knows only the place, read from the tiles for an answer: names are not in the index. Each is
 * checked against the tree that the index was built from, so a tile that was damaged since is named, not believed.
 */
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { decodeEntry } from '../ledger/core/entry.ts';
import type { UnknownEntry } from '../ledger/core/entry.ts';
import { TileHashReader } from '../ledger/core/hash-reader.ts';
import type { Entry } from '../ledger/core/kinds.ts';
import { logFolder } from '../ledger/core/layout.ts';
import { HASH_BYTES, leafHash } from '../ledger/core/merkle.ts';
import { TILE_WIDTH, tileWidth } from '../ledger/core/tiles.ts';
import { readBundleFile } from './bundle-file.ts';
import { folderSource } from './heads.ts';
import { indexOf, logOf } from './places.ts';

export interface TextLog {
  readonly log: number;
  readonly id: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly root: string;
}

export class LedgerTexts {
  private readonly ledger: string;
  private readonly logs: ReadonlyMap<number, TextLog>;
  private readonly readers = new Map<number, TileHashReader>();

  constructor(ledger: string, logs: ReadonlyMap<number, TextLog>) {
    this.ledger = ledger;
    this.logs = logs;
  }

  async entry(place: number): Promise<Entry | UnknownEntry> {
    return decodeEntry(await this.bytes(logOf(place), indexOf(place)));
  }

  /** In the order of the places. */
  async entries(places: readonly number[]): Promise<Map<number, Entry | UnknownEntry>> {
    const found = new Map<number, Entry | UnknownEntry>();
    // Neighbours share their tiles.
    for (const place of [...new Set(places)].sort((a, b) => a - b)) found.set(place, await this.entry(place));
    return found;
  }

  private async bytes(number: number, index: number): Promise<Buffer> {
    const log = this.logs.get(number);
    if (log === undefined) throw new WaybillError('internal', `the index has no log ${number}`);
    const folder = path.join(this.ledger, logFolder(log.id));
    const reader =
      this.readers.get(number) ?? new TileHashReader(folderSource(folder), log.size, Buffer.from(log.root, 'hex'));
    this.readers.set(number, reader);
    const bundle = Math.floor(index / TILE_WIDTH);
    const at = index % TILE_WIDTH;
    const hashes = await reader.tile(0, bundle).catch((error: unknown) => {
      throw inLog(log, error);
    });
    const { name, bytes } = readBundleFile(folder, bundle, tileWidth(0, bundle, log.size));
    const entry = nth(bytes, at);
    if (entry === null || !leafHash(entry).equals(hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)))
      throw new WaybillError(
        'ledger-damaged',
        `${logFolder(log.id)}/${name}: entry ${index} is not what the tree commits to`,
      );
    return entry;
  }
}

function nth(bundle: Buffer, count: number): Buffer | null {
  let at = 0;
  for (let skipped = 0; at + 2 <= bundle.length; skipped++) {
    const end = at + 2 + bundle.readUInt16BE(at);
    if (end > bundle.length) return null;
    if (skipped === count) return bundle.subarray(at + 2, end);
    at = end;
  }
  return null;
}

function inLog(log: TextLog, error: unknown): unknown {
  return error instanceof WaybillError
    ? new WaybillError(error.code, `${logFolder(log.id)}: ${error.message}`, { cause: error })
    : error;
}
