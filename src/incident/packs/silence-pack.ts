/** A pack that proves that nothing at all was recorded of one tenant in a period. */
import { WaybillError } from '../../base/errors.ts';
import { decodeEntry } from '../../ledger/core/entry.ts';
import { EMPTY_ROOT } from '../../ledger/core/merkle.ts';
import { encodeSilence, verifySilence } from '../../ledger/core/silence.ts';
import type { SumLeaf } from '../../ledger/core/sum-tree.ts';
import { silenceAnswer } from '../../ledger/verify/pack/answer.ts';
import { encodeCommitment, encodeEntryProof } from '../../ledger/verify/pack/commitment.ts';
import type { EntryProof } from '../../ledger/verify/pack/commitment.ts';
import { PARTS } from '../../ledger/verify/pack/form.ts';
import { ANYTHING } from '../../ledger/verify/pack/question.ts';
import type { PackReport } from '../../ledger/verify/pack/verify-pack.ts';
import { finishPack, tenantOf } from './common-parts.ts';
import type { PackOptions } from './common-parts.ts';
import type { LedgerProofs } from './ledger-proofs.ts';
import type { Part } from './pack-writer.ts';

export interface SilenceRequest {
  /** Blinded identifier of the tenant's log. */
  readonly log: string;
  /** Milliseconds since 1970; null is from the beginning, and to the end of the ledger. `to` is not included. */
  readonly from: number | null;
  readonly to: number | null;
}

function notSilent(why: string): WaybillError {
  return new WaybillError('ledger-proof-invalid', `this tenant was not silent then: ${why}`);
}

/** Throws `ledger-proof-invalid` when the tenant was not silent: then a scope pack is what tells. */
export async function buildSilencePack(
  ledger: LedgerProofs,
  { log, from: asked, to: askedTo }: SilenceRequest,
  options: PackOptions,
): Promise<PackReport> {
  const id = Buffer.from(log, 'hex');
  const before = asked === null ? null : await ledger.lastHeadBefore(asked);
  const fromHead = before ?? 0;
  const leaf = (await ledger.committed(fromHead, id)) ?? { id, size: 0, root: EMPTY_ROOT };
  if (before === null && leaf.size > 0) throw notSilent('its log begins with the first head');
  const last = await ledger.committed(ledger.lastHead, id);
  if (last === null) throw new WaybillError('not-found', `the ledger has no log ${log}`);
  const toHead = await ledger.lastUnchanged(fromHead, id);
  if (toHead === fromHead) throw notSilent(`something was recorded right after head ${fromHead}`);
  const proofs = await entryProofs(ledger, log, leaf, last);
  const nextTime = proofs.next === null ? null : decodeEntry(proofs.next.entry).time;
  // What goes on to the end of the ledger is said to: a period that ends later would say more than is known.
  const end = (await ledger.head(toHead)).time;
  const to = nextTime === null && (askedTo === null || askedTo > end) ? null : askedTo;
  if (nextTime !== null && (to === null || nextTime < to))
    throw notSilent(`an entry of ${new Date(nextTime).toISOString()} is in its log`);
  const subject = tenantOf((proofs.opened ?? proofs.next)?.entry ?? Buffer.alloc(0));
  const bundle = {
    id,
    from: await ledger.point(fromHead, id),
    to: await ledger.point(toHead, id),
    checkpoint: ledger.note,
  };
  const silence = verifySilence(bundle, ledger.key, ledger.key.name);
  const parts: Part[] = [{ name: PARTS.silence, content: Buffer.from(encodeSilence(bundle)) }];
  if (proofs.opened !== null) parts.push(entryPart(PARTS.opened, proofs.opened));
  if (proofs.next !== null)
    parts.push(
      { name: PARTS.later, content: Buffer.from(encodeCommitment(await ledger.point(ledger.lastHead, id))) },
      entryPart(PARTS.next, proofs.next),
    );
  const question = { ...ANYTHING, from: before === null ? null : asked, to };
  const manifest = { kind: 'silence' as const, origin: ledger.key.name, ...subject, log, question };
  const answer = silenceAnswer(manifest, { silence, fromHead, toHead, nextTime });
  return finishPack(ledger, manifest, parts, answer, options);
}

function entryPart(name: string, proof: EntryProof): Part {
  return { name, content: Buffer.from(encodeEntryProof(proof)) };
}

/** That the log is this tenant's, and what comes after the silence. */
async function entryProofs(
  ledger: LedgerProofs,
  log: string,
  leaf: SumLeaf,
  last: SumLeaf,
): Promise<{ opened: EntryProof | null; next: EntryProof | null }> {
  const opened = leaf.size === 0 ? null : await ledger.entry(await ledger.log(log, leaf), 0);
  const next = last.size === leaf.size ? null : await ledger.entry(await ledger.log(log, last), leaf.size);
  return { opened, next };
}
