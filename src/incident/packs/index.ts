/**
 * Evidence packs: one file a tenant, which `waybill verify` takes with nothing but the public key. For `waybill pack`, and
 * for `waybill investigate`:
 *
 *   const ledger = await LedgerProofs.open(ledgerFolder, key);
 *   await buildSilencePack(ledger, { log, from, to }, { file, sign, earlier });   // untouched, proof: 'silent'
 *   await buildScopePack(ledger, { log, filters }, { file, sign, earlier });      // touched, or untouched and 'active'
 *
 * Both verify what they wrote before it gets its name, and resolve with that report. No DuckDB, no server.
 */
export { buildScopePack } from './scope-pack.ts';
export type { ScopeRequest } from './scope-pack.ts';
export { buildSilencePack } from './silence-pack.ts';
export type { SilenceRequest } from './silence-pack.ts';
export { findLog } from './find-log.ts';
export { LedgerProofs } from './ledger-proofs.ts';
export type { PackOptions } from './common-parts.ts';
export type { PackOutput } from './pack-writer.ts';
export type { ScopeFilters } from './scope-question.ts';
export type { PackReport } from '../../ledger/verify/pack/verify-pack.ts';
