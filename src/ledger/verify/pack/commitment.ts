/**
 * Proofs of single facts about one tenant's log, as texts: that a head commits it with this size and root; that one of
 * its entries is in it. Whose checkpoint signs the head stands beside them in the pack.
 */
import { parseHashLines } from '../../core/proof.ts';
import { parsePoint, pointLines, verifyPoint } from '../../core/silence.ts';
import type { SilencePoint, VerifiedPoint } from '../../core/silence.ts';
import { leafHash, verifyInclusion } from '../../core/merkle.ts';
import { decodeLines, formatBase64, malformed, parseBase64, parseDecimal } from '../../core/text-forms.ts';

const FIRST_LINE = 'waybill-commitment@v1';
const ENTRY_LINE = 'waybill-entry@v1';
const BYTES_MAX = 256 * 1024;
const ENTRY_CHARACTERS_MAX = 100_000;

export function encodeCommitment(point: SilencePoint): string {
  return `${[FIRST_LINE, ...pointLines('head', point)].join('\n')}\n`;
}

export function decodeCommitment(input: Uint8Array): SilencePoint {
  const lines = linesOf(input, FIRST_LINE);
  return parsePoint('head', lines);
}

/** The log of this identifier as the head commits it; size 0 where it has none. */
export function verifyCommitment(
  point: SilencePoint,
  id: Buffer,
  heads: { readonly size: number; readonly root: Buffer },
): VerifiedPoint {
  return verifyPoint('head', point, id, heads);
}

/** One entry of a log. */
export interface EntryProof {
  readonly index: number;
  readonly entry: Buffer;
  readonly inclusion: readonly Buffer[];
}

export function encodeEntryProof({ index, entry, inclusion }: EntryProof): string {
  return `${[ENTRY_LINE, `index ${index}`, `entry ${formatBase64(entry)}`, ...inclusion.map(formatBase64)].join('\n')}\n`;
}

export function decodeEntryProof(input: Uint8Array): EntryProof {
  const [first = '', second = '', ...rest] = linesOf(input, ENTRY_LINE);
  const index = parseDecimal(/^index (.*)$/.exec(first)?.[1] ?? '');
  const text = /^entry (.*)$/.exec(second)?.[1] ?? '';
  const entry = text.length <= ENTRY_CHARACTERS_MAX ? parseBase64(text) : null;
  if (index === null || entry === null) throw malformed('a proof of an entry is malformed');
  return { index, entry, inclusion: parseHashLines(rest, 'a proof of an entry') };
}

export function verifyEntryProof(proof: EntryProof, tree: { readonly size: number; readonly root: Buffer }): void {
  verifyInclusion(proof.inclusion, proof.index, tree.size, leafHash(proof.entry), tree.root);
}

/** That the heads of the pack begin with those of an earlier checkpoint: the hashes of RFC 6962 PROOF. */
export function encodeConsistency(hashes: readonly Buffer[]): string {
  return `${['waybill-consistency@v1', ...hashes.map(formatBase64)].join('\n')}\n`;
}

export function decodeConsistency(input: Uint8Array): Buffer[] {
  return parseHashLines(linesOf(input, 'waybill-consistency@v1'), 'a proof of consistency');
}

function linesOf(input: Uint8Array, first: string): string[] {
  const lines = decodeLines(input, BYTES_MAX, 'a proof').split('\n');
  if (lines.pop() !== '' || lines.shift() !== first) throw malformed(`a proof does not begin with ${first}`);
  return lines;
}
