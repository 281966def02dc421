/**
 * Every file that the tree did not need: narrower tiles of before must be the beginning of those that are there now;
 * what is beyond the checkpoint, or no part of a ledger, is told.
 */
import { changesPath, checkpointPath, COSIGNED, HEADS, VKEY } from '../core/layout.ts';
import { parseTilePath, tilePath, tileWidth } from '../core/tiles.ts';
import type { Tile } from '../core/tiles.ts';
import type { Findings } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { BEGINNINGS, BUNDLE_FILE_MAX, CHANGES_FILE_MAX, readWide, TILE_FILE_MAX, whyDamaged } from './wide-file.ts';
import type { WideFile } from './wide-file.ts';

/** Folders within folders: tile/entries/x001/x234/067.p/5, below logs/<id>. */
const DEPTH_MAX = 16;

interface Series {
  readonly log: string;
  readonly folder: string;
  readonly size: number;
}

/** `series`: the logs whose trees were verified. */
export async function checkLeftovers(files: LedgerFiles, series: readonly Series[], findings: Findings): Promise<void> {
  const owners = new Map(series.map((one) => [one.folder, one]));
  const known = new Set([VKEY, COSIGNED, ...series.map(({ folder }) => checkpointPath(folder))]);
  for await (const file of walk(files, '', 0)) {
    if (known.has(file)) continue;
    const [first = '', second = ''] = file.split('/');
    const owner = owners.get(first) ?? owners.get(`${first}/${second}`);
    const part = owner === undefined ? null : partOf(file, owner);
    if (owner === undefined && /^logs\/[0-9a-f]{64}\/tile\//.test(file))
      findings.tell('beyond', { path: file }, 'the file is of a log that no head commits');
    else if (owner === undefined || part === null)
      findings.tell('foreign', { path: file }, 'the file is no part of the ledger');
    else await judge(files, file, part, owner, findings);
  }
}

async function* walk(files: LedgerFiles, folder: string, depth: number): AsyncGenerator<string> {
  if (depth > DEPTH_MAX) return;
  for (const entry of await files.list(folder)) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.folder) yield* walk(files, name, depth + 1);
    else yield name;
  }
}

interface Part {
  readonly tile: Tile;
  readonly pathOf: (width: number) => string;
  readonly max: number;
  /** Its width in the tree; 0 when it is beyond. */
  readonly needed: number;
  /** The bytes of the first `width` elements of a file. */
  readonly beginning: (file: WideFile, width: number) => Buffer;
}

function partOf(file: string, { folder, size }: Series): Part | null {
  const rest = file.slice(folder.length + 1);
  const tile = parseTilePath(rest);
  if (tile !== null) {
    const { level, index } = tile;
    const pathOf = (width: number): string => `${folder}/${tilePath({ ...tile, width })}`;
    if (level === 'entries')
      return { tile, pathOf, max: BUNDLE_FILE_MAX, needed: tileWidth(0, index, size), beginning: BEGINNINGS.entries };
    return { tile, pathOf, max: TILE_FILE_MAX, needed: tileWidth(level, index, size), beginning: BEGINNINGS.hashes };
  }
  const changes =
    folder === HEADS && rest.startsWith('changes/') ? parseTilePath(`tile/entries/${rest.slice(8)}`) : null;
  if (changes === null) return null;
  const pathOf = (width: number): string => changesPath(changes.index, width);
  const needed = tileWidth(0, changes.index, size);
  return { tile: changes, pathOf, max: CHANGES_FILE_MAX, needed, beginning: BEGINNINGS.changes };
}

async function judge(files: LedgerFiles, file: string, part: Part, { log }: Series, findings: Findings): Promise<void> {
  const { tile, needed, pathOf, max, beginning } = part;
  // What the tree needs was compared with it.
  if (tile.width === needed) return;
  const place = { log, path: file };
  if (tile.width > needed) {
    findings.tell('beyond', place, 'the file is beyond the signed tree');
    return;
  }
  try {
    const own = await files.read(file, max);
    const base = await readWide(files, pathOf, needed, max);
    // Taken away meanwhile; or the base is missing or damaged, which is a finding already.
    if (own === null || base === null) return;
    if (!beginning(base, tile.width).equals(own))
      findings.add('damaged', place, `it is of an earlier size, and not the beginning of ${base.path}`);
  } catch (error) {
    findings.add('damaged', place, whyDamaged(error));
  }
}
