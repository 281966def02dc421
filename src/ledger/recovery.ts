/**
 * The start of the sequencer, after a clean stop and after a crash alike: finds where publication stood, publishes the one
 * head that may be fixed and not published, and compares what the metadata store says of every log with its signed
 * checkpoint. Metadata or tiles that were put back from an older copy are found here, and the server does not start:
 * going on would sign a second history.
 */
import { WaybillError } from '../base/errors.ts';
import { decodeBundle } from './core/bundle.ts';
import { openCheckpoint } from './core/checkpoint.ts';
import { decodeChanges, decodeHead, digest } from './core/head.ts';
import { checkpointPath, HEADS, logFolder, logOrigin, VKEY } from './core/layout.ts';
import { EMPTY_ROOT } from './core/merkle.ts';
import { verifierNamed } from './core/note.ts';
import { SumTree } from './core/sum-tree.ts';
import { TILE_WIDTH, tilePath } from './core/tiles.ts';
import { ChangesWriter } from './changes-writer.ts';
import type { HeadsRow, LogRow, PendingEntry, Sealing } from './entry-store.ts';
import { LogWriter } from './log-writer.ts';
import { LogWriters } from './log-writers.ts';
import { Publisher } from './publisher.ts';
import { Sequencer } from './sequencer.ts';
import type { SequencerParts } from './sequencer.ts';
import type { TileFile } from './tile-store.ts';

const NO_HEADS: HeadsRow = { through: 0, size: 0, root: EMPTY_ROOT };

interface Published {
  readonly size: number;
  readonly root: Buffer;
}

export async function openSequencer(parts: SequencerParts): Promise<Sequencer> {
  const heads = parts.store.heads() ?? NO_HEADS;
  await parts.tiles.replace({ path: VKEY, bytes: Buffer.from(`${parts.key.vkey}\n`) });
  const published = await publishedSize(parts, HEADS, parts.key.origin);
  const waiting = unpublished(parts, heads, published);
  const headsWriter = await LogWriter.load(parts.tiles, HEADS, published.size, published.root);
  const changes = await ChangesWriter.load(parts.tiles, published.size);
  const writers = new LogWriters(parts.tiles);
  const rows = parts.store.logs().filter(({ size }) => size > 0);
  const open = await republish(parts, rows, waiting, { headsWriter, changes });
  if (!headsWriter.root().equals(heads.root)) throw rolledBack('the heads log has another root than the metadata say');
  for (const row of rows) if (!open.has(row.tenant)) await compare(parts, row);
  const tree = new SumTree(rows.map(({ log, size, root }) => ({ id: Buffer.from(log, 'hex'), size, root })));
  const lastHead = await checkLastHead(parts, heads, tree, waiting);
  parts.recorder.sealed(
    parts.store.countAfter(heads.through),
    rows.map(({ tenant }) => tenant),
  );
  return new Sequencer(parts, { heads, headsWriter, changes, writers, tree, lastHead });
}

function rolledBack(what: string): WaybillError {
  return new WaybillError('ledger-rolled-back', what);
}

async function publishedSize({ tiles, key }: SequencerParts, folder: string, origin: string): Promise<Published> {
  const path = checkpointPath(folder);
  const note = await tiles.read(path);
  if (note === null) return { size: 0, root: EMPTY_ROOT };
  try {
    return openCheckpoint(note, verifierNamed(key.signer.verifier, origin), origin);
  } catch (error) {
    throw new WaybillError('ledger-damaged', `${path} is not a checkpoint that our key has signed`, { cause: error });
  }
}

/** There is one at most: the next head is fixed only after this one has been published. */
function unpublished({ store }: SequencerParts, heads: HeadsRow, published: Published): Sealing | null {
  if (published.size > heads.size)
    throw rolledBack(`the heads log has ${published.size} entries, the metadata know of ${heads.size}`);
  if (published.size === heads.size) return null;
  const waiting = store.sealings().filter(({ index }) => index >= published.size);
  const [only] = waiting;
  if (waiting.length !== 1 || only === undefined || only.index !== published.size || heads.size !== published.size + 1)
    throw rolledBack(`the heads log has ${published.size} entries, the metadata have published ${heads.size}`);
  return only;
}

/** The tenants whose logs the waiting head touches: they are behind their row, and have been compared. */
async function republish(
  parts: SequencerParts,
  rows: readonly LogRow[],
  sealing: Sealing | null,
  heads: { headsWriter: LogWriter; changes: ChangesWriter },
): Promise<ReadonlySet<string>> {
  if (sealing === null) return new Set();
  const { store, tiles, key } = parts;
  const entries = store.entriesAfter(sealing.after, Number.MAX_SAFE_INTEGER);
  const own = entries.filter(({ seq }) => seq <= sealing.through);
  const files: TileFile[] = [];
  const states = [];
  const tenants = new Set(own.map(({ tenant }) => tenant));
  for (const row of rows.filter(({ tenant }) => tenants.has(tenant))) {
    const writer = await growLog(parts, row, own);
    files.push(...writer.takeFiles().files);
    states.push({ log: row.log, size: row.size, root: row.root, folder: writer.folder });
  }
  if (
    decodeChanges(sealing.changes).length !== states.length ||
    !decodeHead(sealing.head).changes.equals(digest(sealing.changes))
  )
    throw rolledBack('the entries of the last head are not those that are in the metadata');
  heads.headsWriter.append(sealing.head);
  files.push(...heads.headsWriter.takeFiles().files, heads.changes.append(sealing.changes).file);
  const { size } = heads.headsWriter;
  const root = heads.headsWriter.root();
  await new Publisher(tiles, key).publish({ files, states, heads: { size, root } });
  await store.write(() => {
    store.removeSealing(sealing.index);
  });
  return tenants;
}

/** From where its checkpoint stands to where its row says, which is where it was before or where it is already. */
async function growLog(parts: SequencerParts, row: LogRow, entries: readonly PendingEntry[]): Promise<LogWriter> {
  const own = entries.filter(({ tenant }) => tenant === row.tenant);
  const folder = logFolder(row.log);
  const published = await publishedSize(parts, folder, logOrigin(parts.key.origin, row.log));
  const behind = row.size - published.size;
  if (behind !== 0 && behind !== own.length)
    throw rolledBack(`the log of tenant ${row.tenant} has ${published.size} entries, the metadata know of ${row.size}`);
  const writer = await LogWriter.load(parts.tiles, folder, published.size, published.root);
  if (behind > 0) for (const { bytes } of own) writer.append(bytes);
  if (!writer.root().equals(row.root))
    throw rolledBack(`the log of tenant ${row.tenant} has another root than the metadata say`);
  return writer;
}

async function compare(parts: SequencerParts, { tenant, log, size, root }: LogRow): Promise<void> {
  const published = await publishedSize(parts, logFolder(log), logOrigin(parts.key.origin, log));
  if (published.size !== size || !published.root.equals(root))
    throw rolledBack(`the log of tenant ${tenant} has ${published.size} entries, the metadata know of ${size}`);
}

async function checkLastHead(
  { tiles }: SequencerParts,
  heads: HeadsRow,
  tree: SumTree,
  waiting: Sealing | null,
): Promise<number> {
  if (heads.size === 0) return 0;
  const bytes = waiting?.head ?? (await lastEntryOf(tiles, heads.size));
  const head = decodeHead(bytes);
  if (!head.sumRoot.equals(tree.root().hash))
    throw rolledBack('the logs of the metadata are not those that the last head commits');
  return head.time;
}

async function lastEntryOf(tiles: SequencerParts['tiles'], size: number): Promise<Buffer> {
  const index = Math.floor((size - 1) / TILE_WIDTH);
  const width = size - index * TILE_WIDTH;
  const path = `${HEADS}/${tilePath({ level: 'entries', index, width })}`;
  const bytes = await tiles.read(path);
  if (bytes === null) throw new WaybillError('ledger-damaged', `${path} is missing`);
  return decodeBundle(bytes, width).at(-1) ?? Buffer.alloc(0);
}
