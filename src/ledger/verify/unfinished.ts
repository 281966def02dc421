/**
 * Logs that are ahead of the heads. A crash between the last two steps of a publication leaves this: all tiles are
 * there, of the new head too, and some checkpoints of logs, but not that of the heads. Exactly that is let through:
 * the one head after the signed ones must state just these logs. Anything else is a heads log that was put back.
 */
import { decodeBundle } from '../core/bundle.ts';
import { decodeChanges, decodeHead, digest } from '../core/head.ts';
import type { LogState } from '../core/head.ts';
import { changesPath, decodeChangesFile, HEADS } from '../core/layout.ts';
import { TILE_WIDTH, tilePath } from '../core/tiles.ts';
import type { Findings } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import type { TenantLog } from './tenant-log.ts';
import { BUNDLE_FILE_MAX, CHANGES_FILE_MAX, readWide, whyDamaged } from './wide-file.ts';

export async function checkAhead(
  files: LedgerFiles,
  heads: number,
  ahead: readonly TenantLog[],
  findings: Findings,
): Promise<void> {
  if (ahead.length === 0) return;
  const states = new Map((await unsignedChanges(files, heads)).map((state) => [state.log, state]));
  for (const { log, stream, committed } of ahead) {
    const { size, root } = stream.tree;
    const state = states.get(log);
    if (state?.size === size && state.root.equals(root))
      findings.tell(
        'unfinished',
        { log },
        `its last ${size - (committed?.size ?? 0)} entries are in the publication of head ${heads}, which was not finished`,
      );
    else
      findings.add(
        'mismatch',
        { log },
        'the log has entries that no head commits: the heads are older than the log, or the copy was made while the server wrote',
        `${committed?.size ?? 0} entries`,
        `${size} entries`,
      );
  }
}

/** What the head after the signed ones changed; nothing when there is none that is whole. */
async function unsignedChanges(files: LedgerFiles, heads: number): Promise<LogState[]> {
  const index = Math.floor(heads / TILE_WIDTH);
  const at = heads % TILE_WIDTH;
  try {
    const bundle = await readWide(
      files,
      (width) => `${HEADS}/${tilePath({ level: 'entries', index, width })}`,
      at + 1,
      BUNDLE_FILE_MAX,
    );
    const parts = await readWide(files, (width) => changesPath(index, width), at + 1, CHANGES_FILE_MAX);
    if (bundle === null || parts === null) return [];
    const head = decodeHead(decodeBundle(bundle.bytes, bundle.width)[at] ?? Buffer.alloc(0));
    const changes = decodeChangesFile(parts.bytes, parts.width)[at] ?? Buffer.alloc(0);
    return digest(changes).equals(head.changes) ? decodeChanges(changes) : [];
  } catch (error) {
    whyDamaged(error);
    return [];
  }
}
