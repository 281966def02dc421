/** Which log is a tenant's, by what the first entries of the logs say. */
import { WaybillError } from '../../base/errors.ts';
import { decodeEntry } from '../../ledger/core/entry.ts';
import type { LedgerProofs } from './ledger-proofs.ts';

/** By name or id of the tenant, or by the blinded identifier of its log. Throws `not-found`; two of one name are named. */
export async function findLog(ledger: LedgerProofs, tenant: string): Promise<string> {
  const found: string[] = [];
  for (const leaf of await ledger.logs()) {
    const log = leaf.id.toString('hex');
    if (log === tenant) return log;
    const opened = decodeEntry((await ledger.entry(await ledger.log(log, leaf), 0)).entry);
    if (opened.kind === 'opened' && opened.tenant !== null && (opened.name === tenant || opened.tenant === tenant))
      found.push(log);
  }
  const [log, second] = found;
  if (log === undefined)
    throw new WaybillError('not-found', `the ledger has no log of a tenant ${JSON.stringify(tenant)}`);
  if (second !== undefined)
    throw new WaybillError(
      'option-invalid',
      `several logs are of ${JSON.stringify(tenant)}; name one: ${found.join(', ')}`,
    );
  return log;
}
