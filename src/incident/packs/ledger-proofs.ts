/** Proofs out of a folder of tiles, without any index: what a pack needs of the heads and of one tenant's log. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../../base/errors.ts';
import { openCheckpoint } from '../../ledger/core/checkpoint.ts';
import type { OpenedCheckpoint } from '../../ledger/core/checkpoint.ts';
import { readEntries, readEntry } from '../../ledger/core/entry-reader.ts';
import type { EntryBundle } from '../../ledger/core/entry-reader.ts';
import { TileHashReader } from '../../ledger/core/hash-reader.ts';
import { decodeChanges, decodeHead } from '../../ledger/core/head.ts';
import type { Head } from '../../ledger/core/head.ts';
import {
  changesPath,
  checkpointPath,
  COSIGNED,
  decodeChangesFile,
  HEADS,
  logFolder,
  logOrigin,
} from '../../ledger/core/layout.ts';
import { verifierNamed } from '../../ledger/core/note.ts';
import type { VerifierKey } from '../../ledger/core/note.ts';
import type { SilencePoint } from '../../ledger/core/silence.ts';
import { SumTree } from '../../ledger/core/sum-tree.ts';
import type { SumLeaf } from '../../ledger/core/sum-tree.ts';
import { TILE_WIDTH } from '../../ledger/core/tiles.ts';
import type { TileSource } from '../../ledger/core/tiles.ts';
import { consistencyProof, inclusionProof } from '../../ledger/core/tree-proofs.ts';
import { LedgerFolder } from '../../ledger/verify/ledger-files.ts';
import { CHANGES_FILE_MAX, readWide, wideSource } from '../../ledger/verify/wide-file.ts';
import type { EntryProof } from '../../ledger/verify/pack/commitment.ts';

/** Sum trees that are kept: packs of many tenants ask for the same few heads. */
const TREES_KEPT = 8;

export interface LogSlice {
  readonly size: number;
  readonly root: Buffer;
  readonly reader: TileHashReader;
  readonly source: TileSource;
}

export class LedgerProofs {
  readonly folder: string;
  readonly key: VerifierKey;
  /** The signed note that every proof leads to. */
  readonly note: string;
  readonly heads: OpenedCheckpoint;
  private readonly files: LedgerFolder;
  private readonly source: TileSource;
  private readonly reader: TileHashReader;
  private readonly trees = new Map<number, SumTree>();
  /** The state of all logs at `next - 1`. */
  private states = new Map<string, SumLeaf>();
  private next = 0;
  private part: { index: number; parts: readonly Buffer[] } | null = null;

  private constructor(folder: string, key: VerifierKey, note: string) {
    this.folder = folder;
    this.key = key;
    this.note = note;
    this.heads = openCheckpoint(note, key, key.name);
    this.files = new LedgerFolder(folder);
    this.source = wideSource(this.files, HEADS);
    this.reader = new TileHashReader(this.source, this.heads.size, this.heads.root);
  }

  /** `cosigned`: under the last checkpoint that witnesses have cosigned, when there is one; it may be a little older. */
  static async open(folder: string, key: VerifierKey, cosigned = false): Promise<LedgerProofs> {
    const witnessed = cosigned ? await readIfThere(path.join(folder, COSIGNED)) : null;
    const note = witnessed ?? (await readIfThere(path.join(folder, checkpointPath(HEADS))));
    if (note === null) throw new WaybillError('not-found', `there is no ledger in ${folder}`);
    const proofs = new LedgerProofs(folder, key, note.toString('utf8'));
    if (proofs.heads.size === 0) throw new WaybillError('not-found', 'the ledger has no head yet');
    return proofs;
  }

  get lastHead(): number {
    return this.heads.size - 1;
  }

  async head(index: number): Promise<Head> {
    return decodeHead(await readEntry(this.source, this.reader, index));
  }

  /** Their times ascend. Null when even the first is not before this time. */
  async lastHeadBefore(time: number): Promise<number | null> {
    let [low, high] = [0, this.heads.size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.head(middle)).time < time) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : low - 1;
  }

  /** A head, and the log of this identifier in it. */
  async point(index: number, id: Buffer): Promise<SilencePoint> {
    const entry = await readEntry(this.source, this.reader, index);
    const inclusion = await inclusionProof(this.reader, index, this.heads.size);
    return { index, entry, inclusion, sum: (await this.treeAt(index)).prove(id) };
  }

  async committed(index: number, id: Buffer): Promise<SumLeaf | null> {
    return (await this.treeAt(index)).get(id);
  }

  /** Every log, as the last head commits it. */
  async logs(): Promise<SumLeaf[]> {
    await this.replayTo(this.lastHead);
    return [...this.states.values()];
  }

  /** The last head, from `after` on, that still has the log as it was there. */
  async lastUnchanged(after: number, id: Buffer): Promise<number> {
    const log = id.toString('hex');
    for (let index = after + 1; index < this.heads.size; index++)
      if ((await this.changes(index)).some((state) => state.log === log)) return index - 1;
    return this.lastHead;
  }

  consistency(oldSize: number): Promise<Buffer[]> {
    return consistencyProof(this.reader, oldSize, this.heads.size);
  }

  /** A tenant's log as a head commits it. The tiles may be of a later, larger one. */
  async log(log: string, { size, root }: SumLeaf): Promise<LogSlice> {
    const source = wideSource(this.files, logFolder(log));
    const origin = logOrigin(this.key.name, log);
    const note = await source.read('checkpoint');
    if (note === null) throw new WaybillError('ledger-damaged', `${logFolder(log)} has no checkpoint`);
    const now = openCheckpoint(note, verifierNamed(this.key, origin), origin);
    const reader = new TileHashReader(source, now.size, now.root);
    return { size, root, reader, source };
  }

  entries({ size, reader, source }: LogSlice, start = 0, end = size): AsyncGenerator<EntryBundle> {
    return readEntries(source, reader, start, end);
  }

  async entry({ size, reader, source }: LogSlice, index: number): Promise<EntryProof> {
    return {
      index,
      entry: await readEntry(source, reader, index),
      inclusion: await inclusionProof(reader, index, size),
    };
  }

  private async treeAt(index: number): Promise<SumTree> {
    const kept = this.trees.get(index);
    if (kept !== undefined) return kept;
    await this.replayTo(index);
    const tree = new SumTree([...this.states.values()]);
    this.trees.set(index, tree);
    if (this.trees.size > TREES_KEPT)
      for (const oldest of [...this.trees.keys()].slice(0, 1)) this.trees.delete(oldest);
    return tree;
  }

  private async replayTo(index: number): Promise<void> {
    if (index < this.next - 1) {
      this.states = new Map();
      this.next = 0;
    }
    for (; this.next <= index; this.next++)
      for (const { log, size, root } of await this.changes(this.next))
        this.states.set(log, { id: Buffer.from(log, 'hex'), size, root });
  }

  /** Not compared with the head, except where a proof is made of it: a wrong one proves nothing. */
  private async changes(head: number): Promise<ReturnType<typeof decodeChanges>> {
    const index = Math.floor(head / TILE_WIDTH);
    if (this.part?.index !== index) {
      const width = Math.min(TILE_WIDTH, this.heads.size - index * TILE_WIDTH);
      const file = await readWide(this.files, (one) => changesPath(index, one), width, CHANGES_FILE_MAX);
      if (file === null) throw new WaybillError('ledger-damaged', `${changesPath(index, width)} is missing`);
      this.part = { index, parts: decodeChangesFile(file.bytes, file.width) };
    }
    return decodeChanges(this.part.parts[head - index * TILE_WIDTH] ?? Buffer.alloc(0));
  }
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
