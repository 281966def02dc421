/**
 * The whole trust boundary on one screen: every call that a front process or an administrator can make of the broker.
 * A call that is not in this table does not exist. Requests are checked against their schema before a handler sees
 * them, because the caller may be a front that somebody has taken over; `who` says what a caller must own.
 *
 *   connection     the front that the broker gave this connection to, before sign-in
 *   session        the same, after the broker itself found the sign-in complete
 *   administrator  the local administration socket (0600, the operator's own machine)
 *   front          any front, once, when it starts
 *
 * `records` names the kinds of durable record that are written before the answer.
 */
import { z } from 'zod';
import { RANGES_MAX } from '../base/ranges.ts';
import type { KindName } from '../ledger/core/kinds.ts';
import { OWN_TOKEN_CALLS } from './own-token-calls.ts';
import { TRACE_CALLS } from './trace-calls.ts';
import { FAST_CALLS, fastBegin } from './fast-calls.ts';
import { LOGIN_CALLS } from './login-calls.ts';
import { SSO_CALLS } from './sso-calls.ts';
import { WEB_CALLS } from './web-calls.ts';

/** Bytes travel beside the JSON of a message, never inside it (see link.ts). */
const bytes = (max: number) =>
  z.instanceof(Buffer).refine((value) => value.length <= max, { message: `at most ${max} bytes` });
const id = z.string().regex(/^[0-9a-f]{32}$/);
const size = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Seconds since 1970, as SFTP v3 has them. */
const seconds = z.number().int().min(0).max(0xffffffff);
/** An absolute, normalised path as the session sees it ("/" is the list of its folders). files/ checks it again. */
const path = z.string().min(1).max(4096);
const segmentNumber = z
  .number()
  .int()
  .min(0)
  .max(2 ** 30);
const name = z.string().min(1).max(255);

/** Consecutive segments that lie in one blob; `blob: null` are segments of zeros that are stored nowhere. */
const run = z.object({
  first: segmentNumber,
  count: z
    .number()
    .int()
    .min(1)
    .max(2 ** 30),
  blob: id.nullable(),
});
export type SegmentRun = z.infer<typeof run>;

const attributes = z.object({
  kind: z.enum(['file', 'directory']),
  size,
  mtime: seconds,
  atime: seconds,
  /** Permission bits as the grants of this session make them; there is no mode of a file's own. */
  permissions: z.number().int(),
  /** True for the session's own upload in progress. */
  partial: z.boolean(),
  /** Of one file: its version, or the upload in progress when it is `partial`. Entries of listings have none. */
  version: id.optional(),
});
export type Attributes = z.infer<typeof attributes>;

const entry = attributes.extend({ name });
export type DirectoryEntry = z.infer<typeof entry>;

const hostKey = z.object({ algorithms: z.array(z.string()), blob: bytes(8192), certificate: bytes(16384).nullable() });
export type HostKey = z.infer<typeof hostKey>;

const session = z.object({
  session: id,
  login: z.string(),
  tenant: z.string(),
  account: z.string(),
  /** Where the session starts; always a path of the session's own view. */
  home: path,
});
export type Session = z.infer<typeof session>;

const prompt = z.object({ text: z.string(), echo: z.boolean() });

/** What the broker answers to any step of a sign-in. The same for unknown and known users. */
const signInAnswer = z.discriminatedUnion('result', [
  z.object({ result: z.literal('success'), session }),
  /** RFC 4252 section 5.1: `methods` can continue; `partial` says whether this step itself succeeded. */
  z.object({ result: z.literal('failure'), methods: z.array(z.string()), partial: z.boolean() }),
  z.object({ result: z.literal('prompt'), instruction: z.string(), prompts: z.array(prompt) }),
  /** Too many tries: the front disconnects. */
  z.object({ result: z.literal('disconnect'), reason: z.string() }),
]);
export type SignInAnswer = z.infer<typeof signInAnswer>;

const key = z.object({ segment: segmentNumber, key: bytes(32) });

export type Caller = 'front' | 'connection' | 'session' | 'administrator';
export type RecordKind = KindName;

export interface CallRow {
  readonly who: Caller;
  readonly writes: boolean;
  readonly records: readonly RecordKind[];
  readonly request: z.ZodType;
  readonly response: z.ZodType;
}

/** PEM. `trusted`: the operator chose the certificate, so that browsers may be told to insist on it. */
const tlsIdentity = z.object({
  certificate: z.string().max(65_536),
  key: z.string().max(65_536),
  trusted: z.boolean(),
});
export type TlsIdentity = z.infer<typeof tlsIdentity>;

/** What an authority is shown that asks for a name by acme-tls/1 (RFC 8737). PEM. */
const tlsChallenge = z.object({
  name: z.string().max(255),
  certificate: z.string().max(8192),
  key: z.string().max(2048),
});
export type TlsChallenge = z.infer<typeof tlsChallenge>;

const user = z.string().max(256);
const nothing = z.object({});
const connectionOnly = { connection: id };
const sessionOnly = { session: id };

export const FRONT_CALLS = {
  // ---- before sign-in --------------------------------------------------------------------------------------------
  hello: {
    who: 'front',
    writes: false,
    records: [],
    request: nothing,
    response: z.object({
      hostKeys: z.array(hostKey),
      blobs: z.string(),
      incoming: z.string(),
      limits: z.object({
        loginGraceSeconds: z.number(),
        rekeyBytes: size,
        rekeySeconds: z.number(),
        channelsPerConnection: z.number(),
        handlesPerSession: z.number(),
        idleSeconds: z.number(),
      }),
      banner: z.string().nullable(),
      softwareVersion: z.string(),
    }),
  },
  /** The hello of a front of the HTTPS door: it gets the key of TLS, and nothing of SSH. */
  'https.hello': {
    who: 'front',
    writes: false,
    records: [],
    request: nothing,
    response: z.object({
      blobs: z.string(),
      incoming: z.string(),
      limits: z.object({ loginGraceSeconds: z.number(), handlesPerSession: z.number(), idleSeconds: z.number() }),
      softwareVersion: z.string(),
      /** Whether requests that name a trace are to be told of. */
      traces: z.boolean(),
      tls: tlsIdentity,
    }),
  },
  /**
   * Signs a key exchange: the broker hashes it itself (see exchange.ts). The hash of a connection's first one, which must
   * hold the cookie that came with the connection, becomes its session identifier: later sign-ins must be over it.
   */
  'hostkey.sign': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({
      ...connectionOnly,
      algorithm: z.string().max(64),
      digest: z.enum(['sha256', 'sha384', 'sha512']),
      /** What the exchange hash is over (RFC 4253 section 8). */
      exchange: bytes(160 * 1024),
    }),
    response: z.object({ signature: bytes(4096) }),
  },
  /** Proves further host keys for hostkeys-prove-00@openssh.com; the broker builds what is signed, over the connection's own session identifier. */
  'hostkey.prove': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ ...connectionOnly, blob: bytes(8192), algorithm: z.string().max(64) }),
    response: z.object({ signature: bytes(4096) }),
  },
  /** The connection is gone. `offence` feeds the penalties per source. */
  'connection.closed': {
    who: 'connection',
    writes: true,
    records: ['session-end', 'sign-in-failed'],
    request: z.object({
      ...connectionOnly,
      reason: z.string().max(200),
      offence: z.enum(['none', 'grace', 'protocol']),
    }),
    response: nothing,
  },
  'signin.none': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ ...connectionOnly, user }),
    response: signInAnswer,
  },
  'signin.password': {
    who: 'connection',
    writes: true,
    records: ['sign-in'],
    request: z.object({ ...connectionOnly, user, password: bytes(1024) }),
    response: signInAnswer,
  },
  /** "Would this key do?" (RFC 4252 section 7). Never counts as a step. */
  'signin.publickey-query': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ ...connectionOnly, user, algorithm: z.string().max(64), blob: bytes(16384) }),
    response: z.object({ acceptable: z.boolean(), answer: signInAnswer }),
  },
  /** The broker itself builds the signed bytes from the session identifier that it signed; the front only passes what the client sent. */
  'signin.publickey': {
    who: 'connection',
    writes: true,
    records: ['sign-in'],
    request: z.object({
      ...connectionOnly,
      user,
      algorithm: z.string().max(64),
      blob: bytes(16384),
      signature: bytes(8192),
      /** Only for publickey-hostbound-v00@openssh.com: the host key that the client signed over; the broker checks that it is the one it signed with. */
      hostKey: bytes(16384).optional(),
    }),
    response: signInAnswer,
  },
  'signin.interactive': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ ...connectionOnly, user }),
    response: signInAnswer,
  },
  'signin.answers': {
    who: 'connection',
    writes: true,
    records: ['sign-in'],
    request: z.object({ ...connectionOnly, answers: z.array(bytes(1024)).max(16) }),
    response: signInAnswer,
  },

  /** A certificate of our own user authority, for who has just shown a strong factor over HTTPS. Bound to the session's address. */
  'certificate.issue': {
    who: 'session',
    writes: true,
    records: ['changed', 'key'],
    request: z.object({
      ...sessionOnly,
      /** A line as in a .pub file, without options. */
      publicKey: z.string().max(16_384),
      hours: z.number().positive().max(8784).optional(),
    }),
    response: z.object({
      certificate: z.string(),
      serial: z.string(),
      login: z.string(),
      until: z.string(),
      /** For known_hosts; null where the host keys have no certificates of our own. */
      hostCa: z.string().nullable(),
      hostKeys: z.array(z.string()),
    }),
  },

  // ---- namespace -------------------------------------------------------------------------------------------------
  'files.stat': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ ...sessionOnly, path }),
    response: attributes,
  },
  /** A page of a directory in name order, after `after`. */
  'files.list': {
    who: 'session',
    writes: false,
    records: ['listed'],
    request: z.object({
      ...sessionOnly,
      path,
      after: z.string().max(255).nullable(),
      limit: z.number().int().min(1).max(1000),
    }),
    /** `directory`: what `files.stat` says of it. */
    response: z.object({ directory: attributes, entries: z.array(entry), more: z.boolean() }),
  },
  'files.mkdir': {
    who: 'session',
    writes: true,
    records: ['made'],
    request: z.object({ ...sessionOnly, path }),
    response: nothing,
  },
  'files.rmdir': {
    who: 'session',
    writes: true,
    records: ['removed'],
    request: z.object({ ...sessionOnly, path }),
    response: nothing,
  },
  'files.remove': {
    who: 'session',
    writes: true,
    records: ['removed'],
    request: z.object({ ...sessionOnly, path }),
    response: nothing,
  },
  'files.rename': {
    who: 'session',
    writes: true,
    records: ['renamed'],
    request: z.object({ ...sessionOnly, from: path, to: path, replace: z.boolean() }),
    response: nothing,
  },
  'files.set-times': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({ ...sessionOnly, path, mtime: seconds, atime: seconds }),
    response: nothing,
  },
  'files.quota': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ ...sessionOnly, path }),
    response: z.object({ limit: size.nullable(), used: size, storeTotal: size, storeFree: size }),
  },

  // ---- reading ---------------------------------------------------------------------------------------------------
  /**
   * Pins a version. `inline` is the ciphertext of a small file (one frame) that is stored beside its metadata. The front
   * chooses `reading`, an id that means something in its session alone, so that the first `release` can leave together
   * with this call; it is forgotten by `file.close`, and free again.
   */
  'file.open-read': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ ...sessionOnly, path, reading: id }),
    response: z.object({
      version: id,
      attributes,
      runs: z.array(run),
      inline: z.object({ blob: id, bytes: bytes(70_000) }).nullable(),
    }),
  },
  /** The one way to a segment key for reading: policy, then a durable record, then the keys. */
  release: {
    who: 'session',
    writes: true,
    records: ['release'],
    request: z.object({ ...sessionOnly, reading: id, first: segmentNumber, count: z.number().int().min(1).max(64) }),
    response: z.object({ keys: z.array(key) }),
  },
  /** `sent`: offset and length of the plaintext that really went to the client, as the front counted it. */
  'file.close': {
    who: 'session',
    writes: true,
    records: ['sent'],
    request: z.object({ ...sessionOnly, reading: id, sent: z.array(z.tuple([size, size]).readonly()).max(RANGES_MAX) }),
    response: nothing,
  },

  // ---- writing ---------------------------------------------------------------------------------------------------
  /**
   * Starts an upload, or takes up the account's own one in progress at this path (unless `truncate`).
   * `create`/`exclusive`/`truncate` as in SFTP v3 OPEN. Nothing is durable yet: a small upload lives only in its front.
   * `runs` is what the upload starts from: segments of the version it modifies and of its own blob (`owned`).
   */
  'upload.open': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({ ...sessionOnly, path, create: z.boolean(), exclusive: z.boolean(), truncate: z.boolean() }),
    response: z.object({
      upload: id,
      /** Where this upload's own segments go: incoming/<blob>. */
      blob: id,
      /** Goes into each frame's nonce; grows durably with each opening of the same blob, so that no nonce repeats. */
      epoch: z.number().int().min(1).max(0xffffffff),
      attributes,
      runs: z.array(run),
      inline: z.object({ blob: id, bytes: bytes(70_000) }).nullable(),
      /** Key of segment 0 of `blob`, so that a small upload needs no further call. */
      key: bytes(32),
      /** For `release` of what `runs` and `inline` name: read-modify-write is a read. */
      reading: id,
    }),
  },
  /** Makes the upload durable as an upload in progress; called before its first byte reaches the blob store. */
  'upload.persist': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({ ...sessionOnly, upload: id }),
    response: nothing,
  },
  /** Keys of own segments, against the quota for a file of `size` bytes. A segment that already holds bytes is recorded as released. */
  'upload.keys': {
    who: 'session',
    writes: true,
    records: ['release'],
    request: z.object({
      ...sessionOnly,
      upload: id,
      first: segmentNumber,
      count: z.number().int().min(1).max(64),
      size,
    }),
    response: z.object({ keys: z.array(key) }),
  },
  /** Size now; `durable` asks the broker to fsync the blob, so that it can be resumed after a crash. `idle`: the writer is gone, another session may take it up. */
  'upload.progress': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({
      ...sessionOnly,
      upload: id,
      size,
      runs: z.array(run).max(100_000),
      durable: z.boolean(),
      idle: z.boolean(),
    }),
    response: nothing,
  },
  /** CLOSE: the front has written its blob; the broker fsyncs it, moves it to blobs/, commits the version, records it, then answers. */
  'upload.commit': {
    who: 'session',
    writes: true,
    records: ['stored'],
    request: z.object({
      ...sessionOnly,
      upload: id,
      size,
      runs: z.array(run).max(100_000),
      inline: bytes(70_000).nullable(),
      mtime: seconds.nullable(),
      atime: seconds.nullable(),
    }),
    response: z.object({ version: id, attributes }),
  },
  'upload.discard': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({ ...sessionOnly, upload: id }),
    response: nothing,
  },

  /** One of ADMIN_CALLS, over HTTPS. Whether this session is an administrator's, and whose, the broker knows by itself. */
  'admin.call': {
    who: 'session',
    writes: true,
    records: ['changed', 'proposal', 'decision'],
    request: z.strictObject({ ...sessionOnly, call: z.string().max(60), request: z.unknown() }),
    response: z.unknown(),
  },

  // ---- signing in over HTTPS: web-calls.ts -----------------------------------------------------------------------
  ...WEB_CALLS,
  ...SSO_CALLS,
  ...LOGIN_CALLS,
  ...OWN_TOKEN_CALLS,
  ...TRACE_CALLS,

  // ---- fast transfers: fast-calls.ts ------------------------------------------------------------------------------
  ...FAST_CALLS,
} as const satisfies Record<string, CallRow>;

export type FrontCalls = typeof FRONT_CALLS;
export type FrontCallName = keyof FrontCalls;
export type Request<N extends FrontCallName> = z.infer<FrontCalls[N]['request']>;
export type Response<N extends FrontCallName> = z.infer<FrontCalls[N]['response']>;

/** Which way in a front serves. */
export type Door = 'ssh' | 'https' | 'fast';

/** Calls that only one door has; every other row is for all. */
const ONLY: Readonly<Record<Door, RegExp>> = {
  ssh: /^(hello$|hostkey\.|signin\.)/,
  https: /^(https|web|certificate|admin|own|login|sso|trace|transfer)\./,
  fast: /^fast\./,
};

/** The table as fronts of a door have it: what belongs to the other door does not exist for them. */
export function callsOf(door: Door): FrontCalls {
  const others = Object.entries(ONLY).flatMap(([one, calls]) => (one === door ? [] : [calls]));
  const rows = Object.entries(FRONT_CALLS).filter(([call]) => !others.some((calls) => calls.test(call)));
  return Object.fromEntries(rows) as unknown as FrontCalls;
}

/** What the broker tells a front unasked. */
export const FRONT_EVENTS = {
  /** The session is over by the operator's or the broker's decision; the front closes its connection now. With `session`
      (HTTPS) only that session is over, and the connection stays. */
  'session.ended': z.object({ connection: id, reason: z.string(), session: id.optional() }),
  /** To fronts of the HTTPS door: connections from now on are made with this. */
  'tls.changed': tlsIdentity,
  /** To the same: shown to authorities that ask, from now on and instead of those before. */
  'tls.challenges': z.object({ challenges: z.array(tlsChallenge) }),
  /** To the front of fast transfers: one begins. */
  'fast.begin': fastBegin,
  /** And ends, by its owner. */
  'fast.end': z.object({ connection: id }),
  /** To fronts of the SSH door: connections from now on are shown these. */
  'hostkeys.changed': z.object({ hostKeys: z.array(hostKey) }),
  /** Stop taking requests, end what is open, then exit. */
  shutdown: nothing,
} as const;

/** How the front's rooms see the broker: one function, typed by the table. Rejects with WaybillError. */
export interface BrokerCaller {
  call<N extends FrontCallName>(call: N, request: Request<N>): Promise<Response<N>>;
}
