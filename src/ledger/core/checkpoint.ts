/** Signed checkpoints: a note whose text is a checkpoint, from the log that the caller means. */
import { formatCheckpoint, parseCheckpoint } from './checkpoint-body.ts';
import type { Checkpoint } from './checkpoint-body.ts';
import { openNote, signNote } from './note.ts';
import type { NoteSignature, SignerKey, VerifiedSignature, VerifierKey } from './note.ts';
import { EMPTY_ROOT } from './merkle.ts';
import { malformed } from './text-forms.ts';

export { formatCheckpoint, parseCheckpoint } from './checkpoint-body.ts';
export type { Checkpoint } from './checkpoint-body.ts';

export interface OpenedCheckpoint extends Checkpoint {
  /** The signed text, byte for byte. */
  readonly text: string;
  readonly verified: readonly VerifiedSignature[];
  readonly unknown: readonly NoteSignature[];
}

/** `time` is needed when a signer is a cosigner. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly SignerKey[], time?: number): string {
  return signNote(formatCheckpoint(checkpoint), signers, time === undefined ? {} : { time });
}

/**
 * The checkpoint of a note that one of `logKeys` has signed, of this origin. Further keys (witnesses) may be given in
 * `cosigners`: they are verified where they stand, but never enough alone.
 */
export function openCheckpoint(
  note: Uint8Array | string,
  logKeys: VerifierKey | readonly VerifierKey[],
  origin: string,
  cosigners: readonly VerifierKey[] = [],
): OpenedCheckpoint {
  const logs = 'key' in logKeys ? [logKeys] : logKeys;
  const { text, verified, unknown } = openNote(note, [...logs, ...cosigners]);
  if (!verified.some(({ key }) => logs.includes(key))) throw malformed('a checkpoint is not signed by its log');
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== origin) throw malformed(`a checkpoint is of ${checkpoint.origin}, not of ${origin}`);
  if (checkpoint.size === 0 && !checkpoint.root.equals(EMPTY_ROOT))
    throw malformed('a checkpoint of the empty tree has another root');
  return { ...checkpoint, text, verified, unknown };
}
