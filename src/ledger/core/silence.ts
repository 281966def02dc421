/**
 * Proof of silence: between two entries of the heads log nothing was added to the log of one tenant. One file, verified
 * without any server: the tenant's leaf in the sum tree of both heads is the same, and both heads are in the heads log
 * under one signed checkpoint.
 *
 * What it does not prove: that no head between these two says otherwise (whoever has all tiles can look), and that what
 * happened was recorded under the right tenant, or at all.
 */
import { WaybillError } from '../../base/errors.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { OpenedCheckpoint } from './checkpoint.ts';
import { decodeHead } from './head.ts';
import type { Head } from './head.ts';
import { EMPTY_ROOT, HASH_BYTES, leafHash, verifyInclusion } from './merkle.ts';
import { NOTE_BYTES_MAX } from './note.ts';
import type { VerifierKey } from './note.ts';
import { parseHashLines, splitHead } from './proof.ts';
import { decodeSumProof, encodeSumProof, SUM_PROOF_BYTES_MAX, verifySumProof } from './sum-proof.ts';
import type { SumProof } from './sum-proof.ts';
import { decodeLines, formatBase64, malformed, parseBase64, parseDecimal, parseHash } from './text-forms.ts';

/** One head, and the tenant's place in it. */
export interface SilencePoint {
  readonly index: number;
  /** The entry of the heads log. */
  readonly entry: Buffer;
  /** That the entry is in the heads log of the bundle's checkpoint. */
  readonly inclusion: readonly Buffer[];
  readonly sum: SumProof;
}

export interface SilenceBundle {
  /** The tenant's blinded identifier. */
  readonly id: Buffer;
  readonly from: SilencePoint;
  readonly to: SilencePoint;
  /** Signed, of the heads log. */
  readonly checkpoint: string;
}

export interface Silence {
  readonly from: Head;
  readonly to: Head;
  /** Of the tenant's log, the same at both. No log at all is a log of size 0. */
  readonly size: number;
  readonly root: Buffer;
  /** False when the tenant had no log yet. */
  readonly present: boolean;
  readonly checkpoint: OpenedCheckpoint;
}

const FIRST_LINE = 'waybill-silence@v1';
const ENTRY_BYTES_MAX = 1024;
const BUNDLE_BYTES_MAX = NOTE_BYTES_MAX + 64 * 1024;

export function encodeSilence({ id, from, to, checkpoint }: SilenceBundle): string {
  const lines = [FIRST_LINE, `id ${formatBase64(id)}`, ...pointLines('from', from), ...pointLines('to', to)];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** One head and a log's place in it, as lines; other proofs are made of them too. */
export function pointLines(word: string, { index, entry, inclusion, sum }: SilencePoint): string[] {
  return [
    `${word} ${index}`,
    `entry ${formatBase64(entry)}`,
    `sum ${formatBase64(encodeSumProof(sum))}`,
    ...inclusion.map(formatBase64),
  ];
}

export function decodeSilence(input: Uint8Array | string): SilenceBundle {
  const text = decodeLines(input, BUNDLE_BYTES_MAX, 'a proof of silence');
  const { lines, checkpoint } = splitHead(text, 'a proof of silence');
  if (lines.shift() !== FIRST_LINE) throw malformed(`a proof of silence does not begin with ${FIRST_LINE}`);
  const id = parseHash(after('id', lines.shift()));
  if (id === null) throw malformed('a proof of silence has no identifier');
  const second = lines.findIndex((line) => line.startsWith('to '));
  if (second < 0) throw malformed('a proof of silence has only one head');
  const from = parsePoint('from', lines.slice(0, second));
  return { id, from, to: parsePoint('to', lines.slice(second)), checkpoint };
}

export function parsePoint(word: string, lines: readonly string[]): SilencePoint {
  const [first, second, third, ...rest] = lines;
  const index = parseDecimal(after(word, first));
  const entry = parseBytes(after('entry', second), ENTRY_BYTES_MAX);
  const sum = parseBytes(after('sum', third), SUM_PROOF_BYTES_MAX);
  if (index === null || entry === null || sum === null) throw malformed(`a proof of silence has a malformed "${word}"`);
  return { index, entry, sum: decodeSumProof(sum), inclusion: parseHashLines(rest, 'a proof of silence') };
}

function after(word: string, line: string | undefined): string {
  return line?.startsWith(`${word} `) === true ? line.slice(word.length + 1) : '';
}

function parseBytes(text: string, max: number): Buffer | null {
  return text.length > 0 && text.length <= Math.ceil(max / 3) * 4 ? parseBase64(text) : null;
}

/** Throws what fails, and where: "from", "to" or the silence itself. */
export function verifySilence(
  bundle: SilenceBundle,
  logKeys: VerifierKey | readonly VerifierKey[],
  origin: string,
  cosigners: readonly VerifierKey[] = [],
): Silence {
  if (bundle.id.length !== HASH_BYTES) throw malformed('a proof of silence has no identifier');
  const checkpoint = openCheckpoint(bundle.checkpoint, logKeys, origin, cosigners);
  const from = verifyPoint('from', bundle.from, bundle.id, checkpoint);
  const to = verifyPoint('to', bundle.to, bundle.id, checkpoint);
  if (bundle.from.index >= bundle.to.index) throw malformed('silence: the second head is not after the first');
  if (from.head.time > to.head.time) throw malformed('silence: the time of the second head is before the first');
  if (from.present && !to.present) throw malformed('silence: the log of the tenant is gone in the second head');
  if (from.size !== to.size)
    throw malformed(`silence: the log of the tenant has ${from.size} entries in the first head and ${to.size} after`);
  if (!from.root.equals(to.root)) throw malformed('silence: the log of the tenant has another root in the second head');
  return { from: from.head, to: to.head, size: to.size, root: to.root, present: to.present, checkpoint };
}

export interface VerifiedPoint {
  readonly head: Head;
  readonly size: number;
  readonly root: Buffer;
  readonly present: boolean;
}

export function verifyPoint(
  word: string,
  point: SilencePoint,
  id: Buffer,
  { size, root }: { readonly size: number; readonly root: Buffer },
): VerifiedPoint {
  try {
    verifyInclusion(point.inclusion, point.index, size, leafHash(point.entry), root);
    const head = decodeHead(point.entry);
    const leaf = verifySumProof(point.sum, id, { hash: head.sumRoot, sum: head.total, count: head.tenants });
    return { head, size: leaf?.size ?? 0, root: leaf?.root ?? EMPTY_ROOT, present: leaf !== null };
  } catch (cause) {
    if (!(cause instanceof WaybillError)) throw cause;
    throw new WaybillError(cause.code, `silence, "${word}": ${cause.message}`, { cause });
  }
}
