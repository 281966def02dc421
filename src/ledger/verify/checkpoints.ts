/** Reading the checkpoints of a folder: all of one moment, also when a server is writing it. */
import { openCheckpoint } from '../core/checkpoint.ts';
import type { OpenedCheckpoint } from '../core/checkpoint.ts';
import { checkpointPath, HEADS, logFolder } from '../core/layout.ts';
import { formatNote, parseNote, verifierNamed } from '../core/note.ts';
import type { VerifierKey } from '../core/note.ts';
import type { Findings } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { whyDamaged } from './wide-file.ts';

/** The log's own has one signature; with the cosignatures of a hundred witnesses it stays below this. */
export const CHECKPOINT_FILE_MAX = 1_000_000;
const TRIES = 5;
export const LOG_NAME = /^[0-9a-f]{64}$/;

export interface CheckpointFiles {
  readonly heads: Buffer | null;
  /** By blinded identifier. Null where the folder of a log has no checkpoint. */
  readonly logs: ReadonlyMap<string, Buffer | null>;
}

/** A server writes logs first and the heads last: read between two equal heads, all are of one sealing or of the next. */
export async function readCheckpoints(files: LedgerFiles, findings: Findings): Promise<CheckpointFiles> {
  const damaged = new Map<string, string>();
  const read = (folder: string): Promise<Buffer | null> =>
    files.read(checkpointPath(folder), CHECKPOINT_FILE_MAX).catch((error: unknown) => {
      damaged.set(checkpointPath(folder), whyDamaged(error));
      return Buffer.alloc(0);
    });
  for (let left = TRIES; ; left--) {
    const heads = await read(HEADS);
    const logs = new Map<string, Buffer | null>();
    for (const { name, folder } of await files.list('logs'))
      if (folder && LOG_NAME.test(name)) logs.set(name, await read(logFolder(name)));
    const again = await read(HEADS);
    if (left > 0 && !(heads === null ? again === null : again?.equals(heads) === true)) continue;
    for (const [path, why] of damaged) findings.add('damaged', { path }, why);
    return { heads, logs };
  }
}

/** The log's own checkpoint; null, and a finding, when it is not there or not signed by the key. */
export function openOwn(
  bytes: Buffer | null,
  place: { readonly log: string; readonly folder: string; readonly origin: string },
  key: VerifierKey,
  findings: Findings,
): OpenedCheckpoint | null {
  const where = { log: place.log, path: checkpointPath(place.folder) };
  if (bytes === null) {
    findings.add('missing', where, 'the checkpoint is missing');
    return null;
  }
  try {
    const opened = openCheckpoint(bytes, verifierNamed(key, place.origin), place.origin);
    // Base64 of a signature may end in bits that no signature covers.
    if (formatNote(parseNote(bytes)) !== bytes.toString('utf8'))
      findings.add('signature', where, 'the checkpoint is not in the form in which it is written');
    if (opened.unknown.length > 0)
      findings.tell('unwitnessed', where, `${opened.unknown.length} signatures are of keys that were not given`);
    return opened;
  } catch (error) {
    findings.add('signature', where, whyDamaged(error));
    return null;
  }
}
