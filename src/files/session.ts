import type { RecordKind } from '../broker/calls.ts';
import type { RecordEntry } from '../ledger/ledger.ts';

/** Who asks. The broker makes it from its own table of sessions, never from what a front says. */
export interface FileSession {
  readonly session: string;
  /** Ids, not names. */
  readonly account: string;
  readonly tenant: string;
  readonly address: string;
}

export function entryOf(who: FileSession, kind: RecordKind, detail: Record<string, unknown>): RecordEntry {
  return { kind, tenant: who.tenant, account: who.account, session: who.session, address: who.address, detail };
}
