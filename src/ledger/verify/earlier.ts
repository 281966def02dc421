/** Checkpoints that somebody kept: the log must still have the history that was signed then. */
import { openCheckpoint, parseCheckpoint } from '../core/checkpoint.ts';
import type { OpenedCheckpoint } from '../core/checkpoint.ts';
import { HEADS } from '../core/layout.ts';
import { parseNote, verifierNamed } from '../core/note.ts';
import type { VerifierKey } from '../core/note.ts';
import type { Findings } from './findings.ts';
import type { LogStream } from './log-stream.ts';
import { whyDamaged } from './wide-file.ts';

export interface EarlierNote {
  /** What people call it: the name of its file. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface EarlierCheckpoint {
  readonly name: string;
  /** "heads", or the blinded identifier. */
  readonly log: string;
  readonly checkpoint: OpenedCheckpoint;
}

/** Of the heads log or of a tenant's; null, and a finding, for one that the key has not signed. */
export function openEarlier(
  { name, bytes }: EarlierNote,
  key: VerifierKey,
  findings: Findings,
): EarlierCheckpoint | null {
  try {
    // Only to choose the name of the key that must have signed it.
    const { origin } = parseCheckpoint(parseNote(bytes).text);
    const log =
      origin === key.name ? HEADS : origin.startsWith(`${key.name}/`) ? origin.slice(key.name.length + 1) : null;
    if (log === null) {
      findings.add('signature', { path: name }, 'the earlier checkpoint is of another ledger', key.name, origin);
      return null;
    }
    return { name, log, checkpoint: openCheckpoint(bytes, verifierNamed(key, origin), origin) };
  } catch (error) {
    findings.add(
      'signature',
      { path: name },
      `the earlier checkpoint is not one that the key has signed: ${whyDamaged(error)}`,
    );
    return null;
  }
}

/** Before the log is read: compares it when it has come to the size of then. */
export function compareEarlier(
  { name, log, checkpoint }: EarlierCheckpoint,
  stream: LogStream,
  findings: Findings,
): void {
  const { size, root } = checkpoint;
  const place = { log, path: name };
  if (size > stream.tree.size) {
    findings.add(
      'rolled-back',
      place,
      'the log was signed with more entries than it has now',
      `${size} entries or more`,
      `${stream.tree.size} entries`,
    );
    return;
  }
  stream.watch(size, (now) => {
    if (!now.equals(root))
      findings.add(
        'forked',
        place,
        `the first ${size} entries of the log are not those that were signed then`,
        root,
        now,
      );
  });
}
