/** How what happens to keys comes into the ledger: the one place that knows its form. */
import type { Json } from '../ledger/core/fields.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Who did it, and which second person agreed; null where nobody is named yet. */
export interface Act {
  readonly actor: string | null;
  readonly approvedBy: string | null;
  /** First inside the write that makes the change; throws when it must not be made any more. */
  readonly within?: () => void;
}

export interface KeyRecord extends Act {
  readonly action: string;
  /** In whose log it belongs; null = the installation's. */
  readonly tenant: string | null;
  /** The key or version that it is about. */
  readonly what: string;
  /** Versions and counts; never a key. */
  readonly detail: { readonly [name: string]: Json };
}

/** Inside the write whose effect it tells of. */
export type RecordKeyAct = (record: KeyRecord) => void;

/** What goes on by itself after an act: nobody is asked twice. */
export const BY_ITSELF: Act = { actor: null, approvedBy: null };

export function recordsInto(ledger: Ledger): RecordKeyAct {
  return ({ tenant, action, what, actor, approvedBy, detail }) => {
    ledger.append(tenant, { kind: 'key', action, actor: actor ?? '', approvedBy: approvedBy ?? '', what, detail });
  };
}
