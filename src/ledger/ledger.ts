/**
 * What other rooms see of the ledger. The rule: an event is appended inside the transaction whose effect it tells of, so
 * neither exists without the other, and nobody is answered before both are durable.
 */
import type { Event } from './core/kinds.ts';

export interface Ledger {
  /**
   * To be called inside a write of the metadata store; durable when that write resolves. Null is what belongs to no
   * tenant. Throws `ledger-entry-invalid` for a value that no entry can hold, and then the write must fail.
   */
  append(tenant: string | null, event: Event): void;
}
