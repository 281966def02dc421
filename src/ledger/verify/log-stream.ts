/**
 * One log, read once from its first entry to its checkpoint, with the memory of its right edge only. Each bundle's
 * entries are hashed and compared with the tile beside them, each tile above with what the entries give; where they
 * differ, the way down from the signed root tells which of the two was changed.
 *
 * After a fault the stream goes on with the hashes that the tree vouches for, so that one changed byte is one finding.
 */
import { decodeBundle } from '../core/bundle.ts';
import { TileHashReader } from '../core/hash-reader.ts';
import { HASH_BYTES, leafHash } from '../core/merkle.ts';
import { TILE_WIDTH, tilePath, tileWidth } from '../core/tiles.ts';
import { TreeEdge } from '../core/tree-edge.ts';
import type { TileContent } from '../core/tree-edge.ts';
import type { Findings, Place } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { BUNDLE_FILE_MAX, readWide, TILE_FILE_MAX, whyDamaged, wideSource } from './wide-file.ts';
import type { WideFile } from './wide-file.ts';

/** What the checkpoint of the log states. */
export interface SignedTree {
  readonly size: number;
  readonly root: Buffer;
}

/** `entry` is null when it is not there, or not the one that the tree commits to; that is a finding already. */
export type EntryVisitor = (entry: Buffer | null, index: number) => void;

interface Bundle {
  readonly first: number;
  readonly leaves: readonly Buffer[];
  readonly entries: readonly (Buffer | null)[];
}

export class LogStream {
  readonly tree: SignedTree;
  /** No further: neither the entries nor their hashes are there. */
  broken = false;
  private readonly files: LedgerFiles;
  private readonly folder: string;
  private readonly log: string;
  private readonly findings: Findings;
  private readonly visit: EntryVisitor;
  private readonly edge = new TreeEdge();
  private bundle: Bundle | null = null;
  private reader: TileHashReader | null = null;
  /** By level: as they stood when they last grew. */
  private readonly partial = new Map<number, TileContent>();
  private readonly watched = new Map<number, ((root: Buffer) => void)[]>();

  /** `log` is its name in findings, `folder` where it lies. */
  constructor(
    files: LedgerFiles,
    place: { readonly log: string; readonly folder: string },
    tree: SignedTree,
    findings: Findings,
    visit: EntryVisitor,
  ) {
    this.files = files;
    this.folder = place.folder;
    this.log = place.log;
    this.tree = tree;
    this.findings = findings;
    this.visit = visit;
  }

  get size(): number {
    return this.edge.size;
  }

  root(): Buffer {
    return this.edge.root();
  }

  /** Called with the root that the log had at this size, unless the stream breaks before. */
  watch(size: number, tell: (root: Buffer) => void): void {
    this.watched.set(size, [...(this.watched.get(size) ?? []), tell]);
    if (size === 0) this.tellWatchers();
  }

  /** Up to this size, or the checkpoint's when that is less. False when the stream is broken before. */
  async advance(size: number): Promise<boolean> {
    const end = Math.min(size, this.tree.size);
    while (!this.broken && this.edge.size < end) {
      this.bundle ??= await this.load(Math.floor(this.edge.size / TILE_WIDTH));
      if (this.bundle === null) break;
      this.take(this.bundle, end);
      if (this.edge.size % TILE_WIDTH !== 0 && this.edge.size !== this.tree.size) continue;
      this.bundle = null;
      await this.compareTiles();
    }
    return this.edge.size >= end;
  }

  /** To the checkpoint, and compares the root with it. */
  async finish(): Promise<void> {
    await this.advance(this.tree.size);
    if (this.broken) return;
    if (!this.edge.root().equals(this.tree.root))
      this.findings.add(
        'damaged',
        { log: this.log },
        `its ${this.tree.size} entries lead to another root than is signed`,
        this.tree.root,
        this.edge.root(),
      );
  }

  /** The bundle in hand is let go; it is read again when it is needed. */
  release(): void {
    this.bundle = null;
  }

  private take({ first, leaves, entries }: Bundle, end: number): void {
    const upTo = Math.min(end, first + leaves.length);
    for (let index = this.edge.size; index < upTo; index++) {
      this.edge.append(leaves[index - first] as Buffer);
      this.visit(entries[index - first] ?? null, index);
      if (this.watched.size > 0) this.tellWatchers();
    }
  }

  private tellWatchers(): void {
    const { size } = this.edge;
    const watchers = this.watched.get(size);
    if (watchers === undefined) return;
    this.watched.delete(size);
    const root = this.edge.root();
    for (const tell of watchers) tell(root);
  }

  private async load(index: number): Promise<Bundle | null> {
    const first = index * TILE_WIDTH;
    const width = tileWidth(0, index, this.tree.size);
    const entries = await this.readEntries(index, width);
    const tile = await this.readHashes(0, index, width);
    const leaves = entries?.map((entry) => leafHash(entry)) ?? null;
    if (entries !== null && leaves !== null && tile !== null && tile.equals(Buffer.concat(leaves)))
      return { first, leaves, entries };
    const vouched = await this.vouched(index);
    if (vouched !== null) return this.judged(first, entries, leaves, vouched);
    if (entries !== null && leaves !== null) {
      // Without a tile, the root alone will tell: `finish` compares it.
      if (tile !== null) this.contradiction(index, width, leaves, tile);
      return { first, leaves, entries };
    }
    this.broken = true;
    this.findings.tell('unchecked', { log: this.log, entry: first }, 'from here on the log could not be read');
    return null;
  }

  /** The leaf hashes of a tile as the signed root commits to them; null when the way down to it is damaged too. */
  private async vouched(index: number): Promise<Buffer | null> {
    this.reader ??= new TileHashReader(wideSource(this.files, this.folder), this.tree.size, this.tree.root);
    try {
      return await this.reader.tile(0, index);
    } catch (error) {
      whyDamaged(error);
      return null;
    }
  }

  private judged(
    first: number,
    entries: readonly Buffer[] | null,
    leaves: readonly Buffer[] | null,
    vouched: Buffer,
  ): Bundle {
    const right = Array.from({ length: vouched.length / HASH_BYTES }, (_, at) => hashAt(vouched, at));
    const wrong = right.flatMap((hash, at) => (leaves?.[at]?.equals(hash) === false ? [at] : []));
    for (const at of wrong) {
      const found = leaves?.[at] as Buffer;
      const other = right.findIndex((hash) => hash.equals(found));
      const which = other < 0 ? '' : `: here stands what belongs to entry ${first + other}`;
      const place = { log: this.log, path: this.entriesPath(first, right.length), entry: first + at };
      this.findings.add('damaged', place, `not the entry that the tree commits to${which}`, right[at], found);
    }
    return {
      first,
      leaves: right,
      entries: right.map((_, at) => (wrong.includes(at) ? null : (entries?.[at] ?? null))),
    };
  }

  private contradiction(index: number, width: number, leaves: readonly Buffer[], tile: Buffer): void {
    const at = leaves.findIndex((leaf, one) => !leaf.equals(hashAt(tile, one)));
    this.findings.add(
      'damaged',
      { log: this.log, path: `${this.folder}/${tilePath({ level: 0, index, width })}`, entry: index * TILE_WIDTH + at },
      'the tile has another hash than the entry, and the tree does not vouch for the tile',
      leaves[at],
      hashAt(tile, at),
    );
  }

  /** The tiles that became full with this bundle, and at the end those that stay partial. */
  private async compareTiles(): Promise<void> {
    for (const tile of this.edge.takeTiles()) {
      if (tile.width === TILE_WIDTH) {
        this.partial.delete(tile.level);
        // Level 0 was compared with the entries.
        if (tile.level > 0) await this.compareTile(tile);
      } else this.partial.set(tile.level, tile);
    }
    if (this.edge.size !== this.tree.size) return;
    for (const tile of this.partial.values()) if (tile.level > 0) await this.compareTile(tile);
  }

  private async compareTile({ level, index, width, bytes }: TileContent): Promise<void> {
    const file = await this.readHashes(level, index, width);
    if (file === null || file.equals(bytes)) return;
    let at = 0;
    while (hashAt(file, at).equals(hashAt(bytes, at))) at++;
    this.findings.add(
      'damaged',
      { log: this.log, path: `${this.folder}/${tilePath({ level, index, width })}` },
      `hash ${at} of the tile is not what the entries give`,
      hashAt(bytes, at),
      hashAt(file, at),
    );
  }

  private entriesPath(first: number, width: number): string {
    return `${this.folder}/${tilePath({ level: 'entries', index: first / TILE_WIDTH, width })}`;
  }

  private async readEntries(index: number, width: number): Promise<Buffer[] | null> {
    const file = await this.readFile(
      (one) => tilePath({ level: 'entries', index, width: one }),
      width,
      BUNDLE_FILE_MAX,
    );
    if (file === null) return null;
    try {
      return decodeBundle(file.bytes, file.width).slice(0, width);
    } catch (error) {
      this.findings.add('damaged', { log: this.log, path: file.path }, whyDamaged(error));
      return null;
    }
  }

  private async readHashes(level: number, index: number, width: number): Promise<Buffer | null> {
    const file = await this.readFile((one) => tilePath({ level, index, width: one }), width, TILE_FILE_MAX);
    if (file === null) return null;
    if (file.bytes.length === file.width * HASH_BYTES) return file.bytes.subarray(0, width * HASH_BYTES);
    const lengths = [`${file.width * HASH_BYTES} bytes`, `${file.bytes.length} bytes`] as const;
    this.findings.add('damaged', { log: this.log, path: file.path }, 'the tile has the wrong length', ...lengths);
    return null;
  }

  private async readFile(pathOf: (width: number) => string, width: number, max: number): Promise<WideFile | null> {
    const place: Place = { log: this.log, path: `${this.folder}/${pathOf(width)}` };
    try {
      const file = await readWide(this.files, (one) => `${this.folder}/${pathOf(one)}`, width, max);
      if (file === null) this.findings.add('missing', place, 'the file is missing');
      return file;
    } catch (error) {
      this.findings.add('damaged', place, whyDamaged(error));
      return null;
    }
  }
}

function hashAt(tile: Buffer, at: number): Buffer {
  return tile.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
}
