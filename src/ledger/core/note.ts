/**
 * Signed notes (C2SP signed-note): a text and lines of signatures. The text of a note means nothing before `openNote`
 * has verified it with a key that the caller trusts.
 */
import { SIGNATURE_ALGORITHMS, signWith, verifyWith } from './note-algorithms.ts';
import { isKeyName } from './note-keys.ts';
import type { SignerKey, VerifierKey } from './note-keys.ts';
import { decodeLines, malformed, parseLooseBase64 } from './text-forms.ts';

export { formatSignerKey, formatVerifierKey, generateSignerKey, makeVerifierKey } from './note-keys.ts';
export { parseSignerKey, parseVerifierKey, signerNamed, verifierNamed } from './note-keys.ts';
export type { SignerKey, VerifierKey } from './note-keys.ts';

export const NOTE_BYTES_MAX = 1_000_000;
export const NOTE_SIGNATURES_MAX = 100;
const SIGNATURE_PREFIX = '— ';

export interface NoteSignature {
  readonly name: string;
  readonly id: number;
  /** What follows the key id; for a cosignature, time and signature. */
  readonly signature: Buffer;
}

/** As it came: nothing in it is verified. */
export interface ParsedNote {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface VerifiedSignature extends NoteSignature {
  readonly key: VerifierKey;
  /** Seconds since 1970 as the signer states them; null for a type without a time. */
  readonly time: number | null;
}

export interface OpenedNote {
  readonly text: string;
  /** Never empty. One for each key. */
  readonly verified: readonly VerifiedSignature[];
  /** Of keys that the caller does not know: they prove nothing. */
  readonly unknown: readonly NoteSignature[];
}

export function parseNote(input: Uint8Array | string): ParsedNote {
  const note = decodeLines(input, NOTE_BYTES_MAX, 'a signed note');
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw malformed('a signed note has no empty line before its signatures');
  const text = note.slice(0, split + 1);
  const signatures = parseSignatureLines(note.slice(split + 2));
  if (signatures.length === 0) throw malformed('a note has no signature');
  return { text, signatures };
}

/** Lines of signatures alone, as a witness answers them. */
export function parseSignatureLines(input: Uint8Array | string): NoteSignature[] {
  const lines = decodeLines(input, NOTE_BYTES_MAX, 'the signatures of a note').split('\n');
  if (lines.pop() !== '') throw malformed('a signed note does not end with a newline');
  if (lines.length > NOTE_SIGNATURES_MAX) throw malformed(`a note has more than ${NOTE_SIGNATURES_MAX} signatures`);
  return lines.map(parseSignatureLine);
}

function parseSignatureLine(line: string): NoteSignature {
  const parts = line.startsWith(SIGNATURE_PREFIX) ? line.slice(SIGNATURE_PREFIX.length).split(' ') : [];
  const [name = '', base64 = ''] = parts;
  const bytes = parseLooseBase64(base64);
  if (parts.length !== 2 || !isKeyName(name) || bytes === null || bytes.length < 5)
    throw malformed('a signature line of a note is malformed');
  return { name, id: bytes.readUInt32BE(), signature: bytes.subarray(4) };
}

export function formatSignatureLine({ name, id, signature }: NoteSignature): string {
  const bytes = Buffer.alloc(4 + signature.length);
  bytes.writeUInt32BE(id);
  bytes.set(signature, 4);
  return `${SIGNATURE_PREFIX}${name} ${bytes.toString('base64')}\n`;
}

export function formatNote({ text, signatures }: ParsedNote): string {
  return `${text}\n${signatures.map(formatSignatureLine).join('')}`;
}

/** One signature over a note's text. `time` (seconds since 1970) is needed by cosignatures and ignored by others. */
export function signText(text: string, { verifier, key }: SignerKey, time = 0): NoteSignature {
  checkText(text);
  const algorithm = SIGNATURE_ALGORITHMS[verifier.algorithm];
  // tlog-witness: a cosignature must not omit its time.
  if (algorithm.timed && !(Number.isSafeInteger(time) && time > 0)) throw malformed('a cosignature needs its time');
  return { name: verifier.name, id: verifier.id, signature: signWith(algorithm, key, verifier.name, text, time) };
}

/** A note with a signature of every signer; those of `others` that are of the same keys are replaced. */
export function signNote(
  text: string,
  signers: readonly SignerKey[],
  options: { time?: number; others?: readonly NoteSignature[] } = {},
): string {
  const own = signers.map((signer) => signText(text, signer, options.time));
  const others = (options.others ?? []).filter((other) => !own.some((signature) => sameKey(signature, other)));
  if (own.length + others.length === 0) throw malformed('a note needs a signature');
  return formatNote({ text, signatures: [...others, ...own] });
}

function checkText(text: string): void {
  decodeLines(text, NOTE_BYTES_MAX, 'the text of a note');
  if (!text.endsWith('\n')) throw malformed('the text of a note does not end with a newline');
}

function sameKey(a: { name: string; id: number }, b: { name: string; id: number }): boolean {
  return a.name === b.name && a.id === b.id;
}

/** Throws unless a key that is given has signed; also when one of them stands there with a wrong signature. */
export function openNote(input: Uint8Array | string, keys: readonly VerifierKey[]): OpenedNote {
  const { text, signatures } = parseNote(input);
  const verified: VerifiedSignature[] = [];
  const unknown: NoteSignature[] = [];
  for (const signature of signatures) {
    const [key, second] = keys.filter((candidate) => sameKey(candidate, signature));
    if (key === undefined) unknown.push(signature);
    else if (second !== undefined) throw malformed(`two keys are given for ${key.name}, and share one id`);
    else if (!verified.some((before) => sameKey(before, signature))) verified.push(verifyOne(text, signature, key));
  }
  if (verified.length === 0) throw malformed('a note is not signed by any key that is known here');
  return { text, verified, unknown };
}

function verifyOne(text: string, signature: NoteSignature, key: VerifierKey): VerifiedSignature {
  const algorithm = SIGNATURE_ALGORITHMS[key.algorithm];
  const time = verifyWith(algorithm, key.key, key.name, text, signature.signature);
  if (time === null) throw malformed(`the signature of ${key.name} is not valid`);
  return { ...signature, key, time: algorithm.timed ? time : null };
}
