/** Proofs of silence, made when somebody wants them: from the heads, the changes beside them, and nothing of the index but where to look. */
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { readEntry } from '../ledger/core/entry-reader.ts';
import { TileHashReader } from '../ledger/core/hash-reader.ts';
import { decodeChanges } from '../ledger/core/head.ts';
import { HEADS } from '../ledger/core/layout.ts';
import { encodeSilence, verifySilence } from '../ledger/core/silence.ts';
import type { SilencePoint } from '../ledger/core/silence.ts';
import { openCheckpoint } from '../ledger/core/checkpoint.ts';
import type { VerifierKey } from '../ledger/core/note.ts';
import { SumTree } from '../ledger/core/sum-tree.ts';
import type { SumLeaf } from '../ledger/core/sum-tree.ts';
import { TILE_WIDTH } from '../ledger/core/tiles.ts';
import { inclusionProof } from '../ledger/core/tree-proofs.ts';
import { folderSource, readChanges } from './heads.ts';
import type { IndexFile } from './index-file.ts';
import { readMeta } from './index-meta.ts';

export interface ProofRequest {
  /** Blinded identifier. */
  readonly log: string;
  readonly fromHead: number;
  readonly toHead: number;
}

export class SilenceProofs {
  private readonly ledger: string;
  private readonly index: IndexFile;
  private readonly key: VerifierKey;
  private readonly checkpoint: string;
  private readonly reader: TileHashReader;
  private readonly trees = new Map<number, SumTree>();

  private constructor(ledger: string, index: IndexFile, key: VerifierKey, checkpoint: string) {
    this.ledger = ledger;
    this.index = index;
    this.key = key;
    this.checkpoint = checkpoint;
    const { size, root } = openCheckpoint(checkpoint, key, key.name);
    this.reader = new TileHashReader(folderSource(path.join(ledger, HEADS)), size, root);
  }

  static async open(ledger: string, index: IndexFile, key: VerifierKey): Promise<SilenceProofs> {
    const meta = await readMeta(index);
    if (meta === null) throw new WaybillError('internal', 'the index is empty');
    return new SilenceProofs(ledger, index, key, meta.checkpoint);
  }

  /** Verified before it is handed out. */
  async make({ log, fromHead, toHead }: ProofRequest): Promise<string> {
    const id = Buffer.from(log, 'hex');
    const from = await this.point(fromHead, id);
    const to = await this.point(toHead, id);
    const bundle = { id, from, to, checkpoint: this.checkpoint };
    verifySilence(bundle, this.key, this.key.name);
    return encodeSilence(bundle);
  }

  private async point(index: number, id: Buffer): Promise<SilencePoint> {
    const entry = await readEntry(folderSource(path.join(this.ledger, HEADS)), this.reader, index);
    const tree = this.trees.get(index) ?? (await this.treeAt(index));
    this.trees.set(index, tree);
    return { index, entry, inclusion: await inclusionProof(this.reader, index, this.reader.size), sum: tree.prove(id) };
  }

  /** The sum tree of a head: the last change of each log up to it. */
  private async treeAt(head: number): Promise<SumTree> {
    const rows = await this.index.rows(
      `SELECT max(s.head) AS head, l.id FROM states s JOIN logs l USING (log) WHERE s.head <= ${head} GROUP BY l.id`,
    );
    const wanted = new Map<number, string[]>();
    for (const row of rows) {
      const at = Number(row['head']);
      wanted.set(at, [...(wanted.get(at) ?? []), String(row['id'])]);
    }
    return new SumTree([...wanted].flatMap(([at, ids]) => this.statesAt(at, new Set(ids))));
  }

  private statesAt(head: number, ids: ReadonlySet<string>): SumLeaf[] {
    const file = Math.floor(head / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, this.reader.size - file * TILE_WIDTH);
    const changes = readChanges(this.ledger, file, width)[head - file * TILE_WIDTH] ?? Buffer.alloc(0);
    return decodeChanges(changes).flatMap(({ log, size, root }) =>
      ids.has(log) ? [{ id: Buffer.from(log, 'hex'), size, root }] : [],
    );
  }
}
