/** The parts that every pack ends with, and its manifest. */
import { WaybillError } from '../../base/errors.ts';
import { openCheckpoint } from '../../ledger/core/checkpoint.ts';
import { decodeEntry } from '../../ledger/core/entry.ts';
import type { AnswerFields } from '../../ledger/verify/pack/answer.ts';
import { encodeAnswer } from '../../ledger/verify/pack/answer.ts';
import { answerText } from '../../ledger/verify/pack/answer-text.ts';
import { encodeConsistency } from '../../ledger/verify/pack/commitment.ts';
import { CONSISTENCY, NOTICE, PARTS } from '../../ledger/verify/pack/form.ts';
import type { Manifest } from '../../ledger/verify/pack/form.ts';
import type { PackReport } from '../../ledger/verify/pack/verify-pack.ts';
import type { LedgerProofs } from './ledger-proofs.ts';
import { memberOf, writePack } from './pack-writer.ts';
import type { PackOutput, Part } from './pack-writer.ts';

export interface PackOptions extends PackOutput {
  /** Checkpoints of the heads that the tenant kept (signed notes): the pack proves that its heads begin with theirs. */
  readonly earlier?: readonly Uint8Array[];
}

/** Consistency with each earlier checkpoint, by its size. */
export async function consistencyParts(ledger: LedgerProofs, earlier: readonly Uint8Array[] = []): Promise<Part[]> {
  const sizes = earlier.map((note) => openCheckpoint(note, ledger.key, ledger.key.name).size);
  const wanted = [...new Set(sizes)].filter((size) => size > 0 && size < ledger.heads.size).sort((a, b) => a - b);
  const parts: Part[] = [];
  for (const size of wanted)
    parts.push({
      name: `${CONSISTENCY}${size}`,
      content: Buffer.from(encodeConsistency(await ledger.consistency(size))),
    });
  return parts;
}

export async function finishPack(
  ledger: LedgerProofs,
  subject: Omit<Manifest, 'members' | 'made'>,
  parts: readonly Part[],
  answer: AnswerFields,
  options: PackOptions,
): Promise<PackReport> {
  const all: Part[] = [
    { name: PARTS.checkpoint, content: Buffer.from(ledger.note) },
    ...parts,
    ...(await consistencyParts(ledger, options.earlier)),
    { name: PARTS.answer, content: encodeAnswer(answer) },
    { name: PARTS.text, content: Buffer.from(answerText(answer)) },
    { name: PARTS.notice, content: Buffer.from(NOTICE) },
  ];
  const members = [];
  for (const part of all) members.push(await memberOf(part));
  return writePack({ ...subject, made: options.made ?? Date.now(), members }, all, options, ledger.key);
}

/** Whose log it is, by its first entry. */
export function tenantOf(entry: Uint8Array): { tenant: string; name: string } {
  const opened = decodeEntry(entry);
  if (opened.kind === 'opened' && opened.tenant !== null) return { tenant: opened.tenant, name: opened.name };
  throw new WaybillError('not-found', 'this log is not that of a tenant');
}
