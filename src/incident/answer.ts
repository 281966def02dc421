/** What `waybill investigate` answers. This is the JSON too: docs/investigate.md says what each part means. */
import type { ByteRange } from '../ledger/core/fields.ts';

/** ISO 8601 in UTC. */
export type Moment = string;

export interface Completeness {
  readonly origin: string;
  /** Heads in the signed checkpoint. */
  readonly size: number;
  /** Base64, as in the checkpoint. */
  readonly root: string;
  /** Of the last head: later entries are not in the answer. */
  readonly time: Moment | null;
  readonly entries: number;
  readonly tenants: number;
}

export interface Amounts {
  readonly readings: number;
  readonly releases: number;
  readonly releasedBytes: number;
  /** As the front reported at the end of each reading. */
  readonly sentBytes: number;
  /** Released in readings that nobody reported on: possibly sent. */
  readonly possiblySentBytes: number;
}

export interface TouchedTenant extends Amounts {
  readonly tenant: string | null;
  readonly name: string;
  readonly log: string;
  readonly sessions: number;
  /** Files and versions; null when there are more readings than are looked at one by one. */
  readonly files: number | null;
  readonly listings: number;
  readonly changes: number;
  readonly first: Moment | null;
  readonly last: Moment | null;
}

export interface TouchedFile extends Amounts {
  readonly tenant: string;
  readonly folder: string | null;
  readonly path: string | null;
  readonly file: string;
  readonly version: string | null;
  readonly first: Moment;
  /** Of the last release or report. */
  readonly last: Moment;
  readonly sessions: readonly string[];
  readonly released: readonly ByteRange[];
  readonly sent: readonly ByteRange[];
  readonly possiblySent: readonly ByteRange[];
}

export interface HeadReference {
  readonly head: number;
  readonly time: Moment;
}

/** `silent`: nothing at all was recorded. `active`: it was in use, and none of its entries is of what was asked for. */
export interface UntouchedTenant {
  readonly tenant: string | null;
  readonly name: string;
  readonly log: string;
  readonly proof: 'silent' | 'active';
  /** The heads around the time: the tenant's log in both is what proves it. Null: from the beginning of the ledger. */
  readonly from: HeadReference | null;
  readonly to: HeadReference;
  /** The entries between: first, and how many. */
  readonly firstEntry: number;
  readonly entries: number;
}

export interface SessionRow extends Amounts {
  readonly session: string;
  readonly tenant: string;
  readonly signIn: 'here' | 'elsewhere' | 'missing';
  readonly account: string;
  readonly login: string;
  readonly protocol: string;
  readonly address: string;
  readonly client: string;
  readonly node: string;
  readonly software: string;
  readonly factors: readonly string[];
  readonly credentials: readonly string[];
  readonly descriptions: readonly string[];
  readonly firsts: readonly string[];
  readonly started: Moment;
  readonly last: Moment;
  readonly ended: Moment | null;
  readonly state: 'open' | 'ended' | 'gap' | 'cut';
  readonly endReason: string;
  readonly listings: number;
  readonly changes: number;
}

/** What else one of the credentials, addresses, clients or accounts did, beyond the sessions of the question. */
export interface PivotRow {
  readonly by: 'credential' | 'account' | 'address' | 'client';
  readonly value: string;
  readonly sessionsAsked: number;
  readonly otherSessions: number;
  readonly otherTenants: readonly string[];
  readonly otherReleasedBytes: number;
  readonly first: Moment | null;
  readonly last: Moment | null;
  /** Sign-ins that failed from this address, or for this account. Null where they cannot be told. */
  readonly failedSignIns: number | null;
}

export interface ListedRow {
  readonly tenant: string;
  readonly folder: string | null;
  readonly path: string | null;
  readonly times: number;
  /** The most names that one listing showed. */
  readonly names: number;
  readonly first: Moment;
  readonly last: Moment;
}

/** A file stored, renamed or removed, a hold, an alert ...: other entries of these sessions. */
export interface EventRow {
  readonly time: Moment;
  readonly kind: string;
  readonly tenant: string;
  readonly session: string | null;
  readonly folder: string | null;
  readonly path: string | null;
  /** Log and place in it. */
  readonly entry: number;
}

export interface ProductRow {
  readonly product: string;
  readonly touched: boolean;
  /** Of its folders, those that were touched while it used them. */
  readonly folders: readonly string[];
  /** Touched too, but not while the product used them. */
  readonly otherTimes: readonly string[];
}

export interface Gap {
  readonly kind:
    | 'no-sign-in'
    | 'not-known-to-be-sent'
    | 'open-sessions'
    | 'node-died'
    | 'unknown-entries'
    | 'malformed-entries'
    | 'no-name'
    | 'strays';
  readonly text: string;
  readonly count: number;
  readonly tenants: readonly string[];
}

export interface Part<T> {
  readonly total: number | null;
  readonly shown: readonly T[];
}

export interface Answer {
  readonly format: 'waybill-investigate@v1';
  readonly complete: Completeness;
  readonly question: Readonly<Record<string, readonly string[] | string>>;
  /** The time that the proofs of the untouched are about. */
  readonly window: { readonly from: Moment | null; readonly to: Moment | null };
  readonly total: Amounts & { readonly sessions: number; readonly tenants: number; readonly files: number | null };
  readonly tenants: readonly TouchedTenant[];
  readonly files: Part<TouchedFile>;
  readonly untouched: readonly UntouchedTenant[];
  /** Tenants of which nobody can say: entries that cannot be read, or sessions without a sign-in, in that time. */
  readonly unclear: readonly string[];
  readonly sessions: Part<SessionRow>;
  readonly pivot: Part<PivotRow>;
  readonly listedNotRead: Part<ListedRow>;
  readonly events: Part<EventRow>;
  readonly products: readonly ProductRow[];
  readonly gaps: readonly Gap[];
}
