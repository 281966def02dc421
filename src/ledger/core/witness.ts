/**
 * C2SP tlog-witness without its HTTP: what a witness answers to `add-checkpoint`, and what a log does with the answer.
 * The witness's record of the last checkpoint is the caller's to keep: it must be durable, and compared and replaced in
 * one step, before a 200 is sent.
 */
import { WaybillError } from '../../base/errors.ts';
import { parseCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { EMPTY_ROOT, verifyConsistency } from './merkle.ts';
import { formatNote, formatSignatureLine, NOTE_BYTES_MAX, openNote, parseNote, parseSignatureLines } from './note.ts';
import { signText } from './note.ts';
import type { OpenedNote, SignerKey, VerifierKey } from './note.ts';
import { parseHashLines, splitHead } from './proof.ts';
import { decodeLines, formatBase64, malformed, parseDecimal } from './text-forms.ts';

export interface AddCheckpoint {
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  /** The signed checkpoint. */
  readonly note: string;
}

/** The last checkpoint that was cosigned of one log. `note` has its log's signature and the cosignatures. */
export interface WitnessRecord {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

export interface WitnessView {
  /** The keys that this origin may sign with; null for a log that the witness does not know. */
  keysOf(origin: string): readonly VerifierKey[] | null;
  recordOf(origin: string): WitnessRecord | null;
  readonly signers: readonly SignerKey[];
  /** Seconds since 1970. */
  readonly time: number;
}

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
  /** With status 200 only: to be made durable before the answer leaves. */
  readonly record: WitnessRecord | null;
}

export const ADD_CHECKPOINT_BYTES_MAX = NOTE_BYTES_MAX + 4096;
const PROOF_LINES_MAX = 63;

export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpoint): string {
  return `${[`old ${oldSize}`, ...proof.map(formatBase64)].join('\n')}\n\n${note}`;
}

export function parseAddCheckpoint(body: Uint8Array | string): AddCheckpoint {
  const text = decodeLines(body, ADD_CHECKPOINT_BYTES_MAX, 'a request');
  const { lines, checkpoint } = splitHead(text, 'a request');
  const oldSize = parseDecimal(/^old (.*)$/.exec(lines.shift() ?? '')?.[1] ?? '');
  if (oldSize === null) throw malformed('a request does not begin with an old size');
  if (lines.length > PROOF_LINES_MAX) throw malformed(`a request has more than ${PROOF_LINES_MAX} hashes`);
  return { oldSize, proof: parseHashLines(lines, 'a request'), note: checkpoint };
}

const answer = (status: WitnessAnswer['status'], body: string): WitnessAnswer => ({
  status,
  contentType: status === 409 ? 'text/x.tlog.size' : 'text/plain; charset=utf-8',
  body: `${body}\n`,
  record: null,
});

/** What a step finds, or the status to refuse with, and why. */
function attempt<T>(status: WitnessAnswer['status'], step: () => T): T | WitnessAnswer {
  try {
    return step();
  } catch (error) {
    if (error instanceof WaybillError) return answer(status, error.message);
    throw error;
  }
}

/** The order of the checks is that of the specification. */
export function answerAddCheckpoint(body: Uint8Array | string, view: WitnessView): WitnessAnswer {
  const parsed = attempt(400, () => {
    const request = parseAddCheckpoint(body);
    return { request, checkpoint: parseCheckpoint(parseNote(request.note).text) };
  });
  if ('status' in parsed) return parsed;
  const { request, checkpoint } = parsed;
  const keys = view.keysOf(checkpoint.origin);
  if (keys === null) return answer(404, 'this log is not known here');
  const opened = attempt(403, () => openNote(request.note, keys));
  if ('status' in opened) return opened;
  if (request.oldSize > checkpoint.size) return answer(400, 'the old size is above that of the checkpoint');
  const record = view.recordOf(checkpoint.origin);
  const known = { size: record?.size ?? 0, root: record?.root ?? EMPTY_ROOT };
  if (request.oldSize !== known.size) return answer(409, String(known.size));
  const refused = attempt(422, () => {
    verifyConsistency(request.proof, known.size, checkpoint.size, known.root, checkpoint.root);
    return null;
  });
  return refused ?? cosign(opened, checkpoint, view);
}

function cosign(opened: OpenedNote, { origin, size, root }: Checkpoint, { signers, time }: WitnessView): WitnessAnswer {
  const signatures = signers.map((signer) => signText(opened.text, signer, time));
  const note = formatNote({ text: opened.text, signatures: [...opened.verified, ...signatures] });
  return {
    status: 200,
    contentType: 'text/plain; charset=utf-8',
    body: signatures.map(formatSignatureLine).join(''),
    record: { origin, size, root, note },
  };
}

/**
 * A checkpoint with the cosignatures of a witness's answer added. Those of other keys than `witnessKeys` are dropped;
 * throws when one of these keys stands there with a wrong signature, or none of them does.
 */
export function addCosignatures(note: string, body: Uint8Array | string, witnessKeys: readonly VerifierKey[]): string {
  const { text, signatures } = parseNote(note);
  const { verified } = openNote(formatNote({ text, signatures: parseSignatureLines(body) }), witnessKeys);
  const kept = signatures.filter((old) => !verified.some((fresh) => fresh.name === old.name && fresh.id === old.id));
  return formatNote({ text, signatures: [...kept, ...verified] });
}
