/**
 * A pack that answers a question for one tenant, with the whole of its log up to the last signed head. The whole, and
 * not only the period: then the tree alone proves that nothing was left out, sign-ins and names that the period needs
 * are there, and the verifier asks the question again over all of it. It costs some 130 bytes an entry.
 */
import { WaybillError } from '../../base/errors.ts';
import { encodeBundleEntry } from '../../ledger/core/bundle.ts';
import { decodeEntry } from '../../ledger/core/entry.ts';
import { verifyCommitment, encodeCommitment } from '../../ledger/verify/pack/commitment.ts';
import { scopeAnswer } from '../../ledger/verify/pack/answer.ts';
import { ENTRIES, ENTRIES_EACH, PARTS } from '../../ledger/verify/pack/form.ts';
import type { PackQuestion } from '../../ledger/verify/pack/question.ts';
import { ScopeAnswer } from '../../ledger/verify/pack/scope-answer.ts';
import type { PackReport } from '../../ledger/verify/pack/verify-pack.ts';
import { finishPack, tenantOf } from './common-parts.ts';
import type { PackOptions } from './common-parts.ts';
import type { LedgerProofs, LogSlice } from './ledger-proofs.ts';
import type { Part } from './pack-writer.ts';
import { QuestionScan } from './scope-question.ts';
import type { ScopeFilters } from './scope-question.ts';

export interface ScopeRequest {
  /** Blinded identifier of the tenant's log. */
  readonly log: string;
  readonly filters: ScopeFilters;
}

export async function buildScopePack(
  ledger: LedgerProofs,
  { log, filters }: ScopeRequest,
  options: PackOptions,
): Promise<PackReport> {
  const id = Buffer.from(log, 'hex');
  const leaf = await ledger.committed(ledger.lastHead, id);
  if (leaf === null) throw new WaybillError('not-found', `the ledger has no log ${log}`);
  const slice = await ledger.log(log, leaf);
  const subject = tenantOf((await ledger.entry(slice, 0)).entry);
  const question = await ask(ledger, slice, filters, subject.name);
  const manifest = { kind: 'scope' as const, origin: ledger.key.name, ...subject, log, question };
  const commitment = await ledger.point(ledger.lastHead, id);
  const point = verifyCommitment(commitment, id, ledger.heads);
  const scope = new ScopeAnswer(question);
  for await (const { first, entries } of ledger.entries(slice))
    entries.forEach((bytes, at) => {
      scope.take(decodeEntry(bytes), first + at);
    });
  const parts: Part[] = [
    { name: PARTS.commitment, content: Buffer.from(encodeCommitment(commitment)) },
    ...Array.from({ length: Math.ceil(leaf.size / ENTRIES_EACH) }, (_, number) => entriesPart(ledger, slice, number)),
  ];
  return finishPack(ledger, manifest, parts, scopeAnswer(manifest, commitment.index, point, scope.finish()), options);
}

async function ask(
  ledger: LedgerProofs,
  slice: LogSlice,
  filters: ScopeFilters,
  tenant: string,
): Promise<PackQuestion> {
  const scan = new QuestionScan(filters, tenant);
  const { credential = [], account = [], session = [], product = [], folder = [] } = filters;
  if ([credential, account, session, product, folder].some((list) => list.length > 0))
    for await (const { entries } of ledger.entries(slice)) for (const bytes of entries) scan.take(decodeEntry(bytes));
  return scan.finish();
}

function entriesPart(ledger: LedgerProofs, slice: LogSlice, number: number): Part {
  const start = number * ENTRIES_EACH;
  const end = Math.min(slice.size, start + ENTRIES_EACH);
  return {
    name: `${ENTRIES}${String(number).padStart(6, '0')}`,
    content: async function* () {
      for await (const { entries } of ledger.entries(slice, start, end))
        yield Buffer.concat(entries.map(encodeBundleEntry));
    },
  };
}
