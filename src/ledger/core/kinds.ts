/**
 * Every kind of ledger entry: its number, which never changes and is never used again, and its fields in the order of
 * their bytes. A field is never added to a kind that has been released: a new kind takes its place, so that old entries
 * keep their only reading. `sign-in` names a session once; the entries of that session name the session, in the same log.
 *
 * Who writes: the broker alone, in the transaction whose effect the entry tells of. What a front says of itself is
 * marked "as the front reports".
 */
import type { FieldType, FieldValues } from './fields.ts';

export interface Kind {
  readonly number: number;
  readonly fields: Readonly<Record<string, FieldType>>;
}

export const KINDS = {
  /** Always entry 0 of a tenant's log: opens its blinded identifier, so that a copy of the tiles names its tenants. */
  opened: { number: 1, fields: { tenant: 'id', name: 'text', salt: 'hash' } },
  /** In the installation's own log. `dependencies` is the digest of the lock file and of the code that runs. */
  'node-start': {
    number: 2,
    fields: { run: 'id', node: 'text', software: 'text', runtime: 'text', dependencies: 'hash', previous: 'id' },
  },
  'node-stop': { number: 3, fields: { run: 'id', reason: 'text' } },
  /** The clock of the machine moved against the monotonic clock. Times of entries never go back: they wait. Milliseconds. */
  clock: { number: 4, fields: { run: 'id', before: 'u64', after: 'u64' } },

  'sign-in': {
    number: 8,
    fields: {
      session: 'id',
      account: 'id',
      login: 'text',
      protocol: 'text',
      address: 'text',
      /** Of the client, as it names itself. */
      client: 'text',
      run: 'id',
      node: 'text',
      software: 'text',
      /** Kinds of the steps that were passed, in order: publickey, password, totp ... */
      factors: 'texts',
      /** Ids of the credentials, in the same order, and what people call them. */
      credentials: 'texts',
      descriptions: 'texts',
      /** What was seen for the first time with this account: address, credential, client. */
      firsts: 'texts',
    },
  },
  /** `account` and `login` only when the login exists: what people type into a name field may be a password. */
  'sign-in-failed': {
    number: 9,
    fields: {
      account: 'id',
      login: 'text',
      protocol: 'text',
      address: 'text',
      client: 'text',
      run: 'id',
      factors: 'texts',
      tries: 'u32',
      reason: 'text',
    },
  },
  /** `gap`: the node died, and what the session did last is known by its releases alone. */
  'session-end': { number: 10, fields: { session: 'id', reason: 'text', gap: 'flag' } },

  /** Keys of segments first .. first + count - 1 were handed to the session's front: `bytes` of plaintext at most. */
  release: {
    number: 16,
    fields: {
      session: 'id',
      reading: 'id',
      folder: 'id',
      file: 'id',
      version: 'id',
      first: 'u32',
      count: 'u32',
      bytes: 'u64',
      /** Within the folder, "/" before each name. Last, so that an index need not read it. */
      path: 'text',
    },
  },
  /** What really went to the client, as the front reports at CLOSE. `known` is false when it could not: then all that was released may have gone. */
  sent: {
    number: 17,
    fields: { session: 'id', reading: 'id', file: 'id', version: 'id', known: 'flag', bytes: 'u64', ranges: 'ranges' },
  },
  /** A directory's names, sizes and times were shown. */
  listed: { number: 18, fields: { session: 'id', folder: 'id', count: 'u32', path: 'text' } },

  /** `replaces` is the version that had this name before. */
  stored: {
    number: 24,
    fields: { session: 'id', folder: 'id', file: 'id', version: 'id', replaces: 'id', size: 'u64', path: 'text' },
  },
  made: { number: 25, fields: { session: 'id', folder: 'id', path: 'text' } },
  renamed: { number: 26, fields: { session: 'id', folder: 'id', toFolder: 'id', path: 'text', toPath: 'text' } },
  /** `file` and `version` are null for a directory. */
  removed: { number: 27, fields: { session: 'id', folder: 'id', file: 'id', version: 'id', path: 'text' } },

  /** Grants, policies, credentials, accounts, folders, products: `action` says which; who did it and who agreed. */
  changed: {
    number: 32,
    fields: {
      action: 'text',
      actor: 'text',
      approvedBy: 'text',
      account: 'id',
      folder: 'id',
      credential: 'text',
      detail: 'json',
    },
  },
  /** Root, tenant, host, CA or checkpoint keys: made, rotated, revoked, shredded. */
  key: { number: 33, fields: { action: 'text', actor: 'text', approvedBy: 'text', what: 'text', detail: 'json' } },
  /** An administrator looked at what belongs to the tenant of this log. */
  'administrator-read': { number: 34, fields: { actor: 'text', what: 'text', detail: 'json' } },

  /** A release or listing that was over a hard limit and waits for a second person. `asked` in units of `dimension`. */
  hold: {
    number: 40,
    fields: {
      reference: 'text',
      session: 'id',
      account: 'id',
      folder: 'id',
      version: 'id',
      scope: 'text',
      dimension: 'text',
      window: 'u32',
      used: 'u64',
      limit: 'u64',
      asked: 'u64',
      path: 'text',
    },
  },
  /** The answer of a person to a hold or a proposal: approved, denied, withdrawn, expired. */
  decision: { number: 41, fields: { reference: 'text', outcome: 'text', actor: 'text', detail: 'json' } },
  /** An act that needs a second person was proposed. */
  proposal: { number: 42, fields: { reference: 'text', action: 'text', actor: 'text', detail: 'json' } },
  /** What the platform did by itself. */
  containment: {
    number: 43,
    fields: { action: 'text', session: 'id', account: 'id', credential: 'text', reason: 'text', detail: 'json' },
  },
  /** Over a soft limit: nothing is held. */
  alert: {
    number: 44,
    fields: {
      session: 'id',
      account: 'id',
      scope: 'text',
      dimension: 'text',
      window: 'u32',
      used: 'u64',
      limit: 'u64',
      detail: 'json',
    },
  },

  incident: { number: 48, fields: { incident: 'id', action: 'text', actor: 'text', detail: 'json' } },
  disclosure: {
    number: 49,
    fields: { incident: 'id', disclosure: 'id', action: 'text', actor: 'text', detail: 'json' },
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

type FieldsOf<K extends KindName> = (typeof KINDS)[K]['fields'];
type ValuesOf<F> = { readonly [N in keyof F]: F[N] extends FieldType ? FieldValues[F[N]] : never };

/** What a room says when it records something; the sequencer adds the time. */
export type Event = { readonly [K in KindName]: { readonly kind: K } & ValuesOf<FieldsOf<K>> }[KindName];
export type EventOf<K extends KindName> = Extract<Event, { kind: K }>;
/** Milliseconds since 1970; never less than that of the entry before it in the same log. */
export type Entry = Event & { readonly time: number };
export type EntryOf<K extends KindName> = EventOf<K> & { readonly time: number };
