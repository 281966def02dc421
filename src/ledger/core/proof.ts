/** C2SP tlog-proof: one file that shows, without any server, that an entry is in a log with a signed checkpoint. */
import { openCheckpoint } from './checkpoint.ts';
import type { OpenedCheckpoint } from './checkpoint.ts';
import { PROOF_HASHES_MAX, verifyInclusion } from './merkle.ts';
import { NOTE_BYTES_MAX } from './note.ts';
import type { VerifierKey } from './note.ts';
import { decodeLines, formatBase64, malformed, parseBase64, parseDecimal, parseHash } from './text-forms.ts';

export interface LogProof {
  /** Whatever the application adds. Nothing vouches for it. */
  readonly extra: Buffer | null;
  readonly index: number;
  /** From the leaf's sibling up to the root's child. */
  readonly hashes: readonly Buffer[];
  /** The signed note. */
  readonly checkpoint: string;
}

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const EXTRA_CHARACTERS_MAX = 1 << 20;
export const LOG_PROOF_BYTES_MAX = NOTE_BYTES_MAX + EXTRA_CHARACTERS_MAX + 64 * 1024;

export function encodeLogProof({ extra, index, hashes, checkpoint }: LogProof): string {
  const lines = [
    FIRST_LINE,
    ...(extra === null ? [] : [`extra ${formatBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(formatBase64),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

export function decodeLogProof(input: Uint8Array | string): LogProof {
  const text = decodeLines(input, LOG_PROOF_BYTES_MAX, 'a log proof');
  const { lines, checkpoint } = splitHead(text, 'a log proof');
  if (lines.shift() !== FIRST_LINE) throw malformed(`a log proof does not begin with ${FIRST_LINE}`);
  const extra = lines[0]?.startsWith('extra ') === true ? parseBase64((lines.shift() ?? '').slice(6)) : undefined;
  if (extra === null) throw malformed('the extra data of a log proof is no base64');
  const index = parseDecimal(/^index (.*)$/.exec(lines.shift() ?? '')?.[1] ?? '');
  if (index === null) throw malformed('a log proof has no index');
  return { extra: extra ?? null, index, hashes: parseHashLines(lines, 'a log proof'), checkpoint };
}

/** The lines before the first empty one, and the note after it. */
export function splitHead(text: string, what: string): { lines: string[]; checkpoint: string } {
  const end = text.indexOf('\n\n');
  if (end < 0) throw malformed(`${what} has no checkpoint`);
  return { lines: text.slice(0, end).split('\n'), checkpoint: text.slice(end + 2) };
}

export function parseHashLines(lines: readonly string[], what: string): Buffer[] {
  if (lines.length > PROOF_HASHES_MAX) throw malformed(`${what} has ${lines.length} hashes, more than any tree needs`);
  return lines.map((line) => {
    const value = parseHash(line);
    if (value === null) throw malformed(`${what} has a line that is no hash in base64`);
    return value;
  });
}

/** The checkpoint under which the entry with this leaf hash is in the log, signed by the log's key. */
export function verifyLogProof(
  proof: LogProof,
  leaf: Uint8Array,
  logKeys: VerifierKey | readonly VerifierKey[],
  origin: string,
  cosigners: readonly VerifierKey[] = [],
): OpenedCheckpoint {
  const checkpoint = openCheckpoint(proof.checkpoint, logKeys, origin, cosigners);
  verifyInclusion(proof.hashes, proof.index, checkpoint.size, leaf, checkpoint.root);
  return checkpoint;
}
