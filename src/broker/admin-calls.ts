/**
 * Every call that an administrator can make: over the local administration socket (run/admin.sock, 0600: whoever can
 * open it is the operator on the operator's own machine), and over HTTPS, where each row is an operation of its own
 * (api/admin-operations.ts). Same shape and same rule as FRONT_CALLS in calls.ts: a call that is not here does not
 * exist, and a request is checked against its schema before a handler sees it. No answer
 * ever holds a password, a private key or a sealed secret; the one exception is `account.totp-enrol`, whose answer is
 * the new secret, shown once.
 */
import { z } from 'zod';
import { FACTORS } from '../accounts/chains.ts';
import { SIGN_IN_DEMANDS } from '../accounts/demands.ts';
import { OVERLAP_SECONDS_MAX, SCOPES, SIGN_IN_POLICIES } from '../accounts/web/store.ts';
import { EVENT_KINDS, TARGET_KINDS } from '../events/target.ts';
import { KINDS_OF_ACQUAINTANCE } from '../policy/budgets/acquaintances.ts';
import { DIMENSIONS } from '../policy/budgets/windows.ts';
import type { Right } from '../policy/rights.ts';
import type { CallRow } from './calls.ts';
import { SSO_ADMIN_CALLS } from './sso-admin-calls.ts';

const nothing = z.object({});
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Names that operators type and that stand in paths: the same for tenants, folders and logins. */
const label = z.string().min(1).max(255);
const login = z.string().min(1).max(64);
const id = z.string().regex(/^[0-9a-f]{32}$/);
/** ISO 8601 in UTC: what people read and scripts sort. */
const moment = z.string();

/** The rights of policy/rights.ts, as a tuple that the schema and the command line can take apart. */
export const RIGHT_NAMES = ['list', 'read', 'write', 'delete', 'rename', 'share'] as const satisfies readonly Right[];
const right = z.enum(RIGHT_NAMES);
export type RightName = z.infer<typeof right>;

/** One step of a sign-in; a chain is a list of steps that must all succeed, in order. */
const step = z.enum(FACTORS);
const chain = z.array(step).min(1).max(3);

const tenant = z.object({
  name: label,
  displayName: z.string(),
  /** Bytes; null = only the disk limits. */
  quota: count.nullable(),
  used: count,
  folders: count,
  accounts: count,
  /** Of its keys. */
  state: z.enum(['in-use', 'locked', 'shredded']),
});
export type TenantRow = z.infer<typeof tenant>;

const folder = z.object({ tenant: label, name: label, files: count, bytes: count });
export type FolderRow = z.infer<typeof folder>;

const reason = z.string().max(200);
const legalHold = z.object({ tenant: label, folder: label, reason, since: moment, actor: z.string() });
export type LegalHoldRow = z.infer<typeof legalHold>;

/** What the operator sells that uses a folder. */
const product = z.object({ product: label, tenant: label, folder: label });
export type ProductRow = z.infer<typeof product>;

const administrator = z.object({
  name: login,
  /** Of the token; two people compare it over the phone. Null: none, only the account of this name. */
  fingerprint: z.string().nullable(),
  /** Whether an account of the operator's tenant has this name: then it is the same person. */
  account: z.boolean(),
  added: moment,
  renewed: moment,
});
export type AdministratorRow = z.infer<typeof administrator>;
const tokenFingerprint = z.string().max(100);

const reference = z.string().max(40);
const proposal = z.object({
  reference,
  action: z.string(),
  summary: z.string(),
  proposer: z.string(),
  proposed: moment,
  expires: moment,
});
export type ProposalRow = z.infer<typeof proposal>;

const accountKind = z.enum(['person', 'service']);
const account = z.object({
  login,
  tenant: label,
  displayName: z.string(),
  kind: accountKind,
  state: z.enum(['active', 'suspended']),
  administrator: z.boolean(),
  password: z.boolean(),
  totp: z.boolean(),
  keys: count,
  /** Any one of these chains signs in. */
  require: z.array(chain),
  /** What is asked over SSH beyond them. */
  demand: z.enum(SIGN_IN_DEMANDS),
});
export type AccountRow = z.infer<typeof account>;

/** What a grant asks beside its rights: policy/flow.ts. Strict: a condition that this server does not know is not dropped. */
const policy = z.strictObject({
  readOnce: z.boolean(),
  addresses: z.array(z.string().max(64)).max(256),
  hours: z.array(z.string().max(120)).max(20),
  expires: moment.nullable(),
  removeAfterDays: count.nullable(),
});
export type PolicyRow = z.infer<typeof policy>;

/** `path`: where the account sees the folder. */
const grant = z.object({
  login,
  tenant: label,
  folder: label,
  path: z.string(),
  rights: z.array(right),
  policy: policy.nullable(),
});
export type GrantRow = z.infer<typeof grant>;

const key = z.object({
  id,
  login: login.nullable(),
  tenant: label.nullable(),
  kind: z.enum(['key', 'certificate-authority']),
  algorithm: z.string(),
  fingerprint: z.string(),
  comment: z.string(),
  options: z.array(z.string()),
  added: moment,
  lastUsed: moment.nullable(),
  /** Since when it is out of use because nobody used it. */
  suspended: moment.nullable(),
});
export type KeyRow = z.infer<typeof key>;

const serial = z.string().regex(/^\d{1,19}$/);
/** A user certificate of our own authority. */
const issued = z.object({
  serial,
  /** Null when the account is gone. */
  login: login.nullable(),
  fingerprint: z.string(),
  addresses: z.string().nullable(),
  /** What was shown for it; none when an administrator issued it. */
  factors: z.array(z.string()),
  issued: moment,
  until: moment,
  lastUsed: moment.nullable(),
  state: z.enum(['valid', 'ended', 'revoked', 'account-gone']),
});
export type IssuedRow = z.infer<typeof issued>;
const issuedLine = z.object({ issued, certificate: z.string() });

/** A key; or certificates of an authority, by serial number or key id. */
const keyOrFingerprint = z.string().max(32_768);
const revoked = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('key'), key: keyOrFingerprint }),
  z.strictObject({ kind: z.literal('serial'), authority: keyOrFingerprint, serial: z.string().regex(/^\d{1,20}$/) }),
  z.strictObject({ kind: z.literal('key-id'), authority: keyOrFingerprint, keyId: z.string().min(1).max(256) }),
]);
const shownRevocation = z.object({
  kind: z.enum(['key', 'serial', 'key-id']),
  authority: z.string().nullable(),
  value: z.string(),
  revoked: moment,
});
export type RevocationRow = z.infer<typeof shownRevocation>;

/** Names in place of ids: budget-scopes.ts. */
const scope = z.string().min(1).max(400);
const dimension = z.enum(DIMENSIONS);
/** Seconds. */
const window = count;
const usage = z.object({ dimension, window, used: count, limit: count.nullable() });
export type UsageRow = z.infer<typeof usage>;

const hold = z.object({
  reference,
  login: z.string(),
  tenant: z.string(),
  path: z.string(),
  scope: z.string(),
  dimension,
  window,
  used: count,
  limit: count,
  asked: count,
  opened: moment,
  state: z.enum(['open', 'approved', 'denied', 'expired']),
});
export type HoldRow = z.infer<typeof hold>;

const acquaintanceKind = z.enum(KINDS_OF_ACQUAINTANCE);
const acquaintance = z.object({
  login,
  kind: acquaintanceKind,
  value: z.string(),
  firstSeen: moment,
  confirmed: z.boolean(),
});
export type AcquaintanceRow = z.infer<typeof acquaintance>;
const namedAcquaintance = z.object({ login, kind: acquaintanceKind, value: z.string().min(1).max(300) });

const session = z.object({
  session: id,
  login,
  tenant: label,
  protocol: z.string(),
  address: z.string(),
  /** What proved the sign-in: "publickey SHA256:... + totp". Never the credential. */
  credential: z.string(),
  started: moment,
  lastActive: moment,
  /** The client's own version line; '' when it is not known. */
  client: z.string(),
  /** Content bytes of files that it closed after reading, and of versions that it made. */
  sent: count,
  stored: count,
});
export type SessionRow = z.infer<typeof session>;

const hostKey = z.object({ algorithm: z.string(), fingerprint: z.string(), line: z.string() });
export type HostKeyRow = z.infer<typeof hostKey>;

const finding = z.object({
  /** `orphan`: bytes that nothing needs; everything else is damage. */
  problem: z.enum(['damaged', 'missing', 'short', 'key-unavailable', 'orphan']),
  tenant: z.string(),
  /** Folder and path, as /FOLDER/PATH; null when no name leads to the version. */
  path: z.string().nullable(),
  version: z.string().nullable(),
  message: z.string(),
});
export type FindingRow = z.infer<typeof finding>;

const receiver = z.object({
  name: label,
  tenant: label.nullable(),
  kind: z.enum(TARGET_KINDS),
  /** Without what follows the host: that is often as good as a password. */
  address: z.string(),
  /** Kinds of entries; empty is all of them. */
  only: z.array(z.string()),
  added: moment,
  /** Entries that are sealed and not confirmed. */
  behind: count,
  /** Events that were given up. */
  dead: count,
  failing: z.object({ since: moment, error: z.string(), nextTry: moment }).nullable(),
});
export type ReceiverRow = z.infer<typeof receiver>;
const pem = z.string().max(262_144).nullable();
const receiverName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

const token = z.object({
  id,
  login,
  tenant: label,
  label: z.string(),
  fingerprint: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  addresses: z.string().nullable(),
  added: moment,
  expires: moment.nullable(),
  lastUsed: moment.nullable(),
  suspended: moment.nullable(),
  /** The token that takes its place. */
  successor: id.nullable(),
});
export type TokenRow = z.infer<typeof token>;
const signInPolicy = z.enum(SIGN_IN_POLICIES);

/** Of ledger/core/layout.ts; no name begins with a dot, so it leads nowhere else. */
const ledgerPath = z
  .string()
  .max(300)
  .regex(/^(vkey|heads|logs)(\/[A-Za-z0-9][A-Za-z0-9.]*)*$/);

function reads<Q extends z.ZodType, A extends z.ZodType>(request: Q, response: A) {
  return { who: 'administrator', writes: false, records: [], request, response, eyes: 'one' } as const;
}
/** Changes nothing, but somebody has to be able to see later that it was asked. */
function records<Q extends z.ZodType, A extends z.ZodType>(request: Q, response: A) {
  return { who: 'administrator', writes: false, records: ['changed'], request, response, eyes: 'one' } as const;
}
function changes<Q extends z.ZodType, A extends z.ZodType>(request: Q, response: A) {
  return { who: 'administrator', writes: true, records: ['changed'], request, response, eyes: 'one' } as const;
}
/** May weaken a control: with two administrators it takes both. What weakens, and what not, is four-eyes.ts. */
function guarded<Q extends z.ZodType, A extends z.ZodType>(request: Q, response: A) {
  return { ...changes(request, response), eyes: 'two' } as const;
}

export interface AdminCallRow extends CallRow {
  readonly eyes: 'one' | 'two';
}

export const ADMIN_CALLS = {
  'server.status': reads(
    nothing,
    z.object({
      version: z.string(),
      pid: count,
      started: moment,
      sftp: z.array(z.object({ host: z.string(), port: count })),
      https: z.array(z.object({ host: z.string(), port: count })),
      /** "sha256/" and the SHA-256 of the key of HTTPS in base64, for --trust; null where it is not served. */
      tlsKey: z.string().nullable(),
      /** Of connections of SFTP and HTTPS; null: left to the system. */
      tcpCongestion: z.string().nullable(),
      fronts: count,
      connections: count,
      sessions: count,
    }),
  ),

  /** `quota` left out: what the server's option --quota says. */
  'tenant.add': changes(
    z.object({ name: label, displayName: z.string().max(200), quota: count.nullable().optional() }),
    tenant,
  ),
  'tenant.list': reads(nothing, z.object({ tenants: z.array(tenant) })),
  'tenant.set-quota': changes(z.object({ name: label, quota: count.nullable() }), tenant),
  /** Refused while the tenant still has folders or accounts: nothing disappears by a slip of the hand. */
  'tenant.remove': changes(z.object({ name: label }), nothing),
  /** Its keys leave the memory and its sessions end before the answer; every call for it says `tenant-locked`. */
  'tenant.lock': changes(z.object({ name: label }), z.object({ name: label, ended: count })),
  'tenant.unlock': guarded(z.object({ name: label }), nothing),
  /** Answers when new files use the new key; the keys of older files follow in the background. */
  'tenant.rotate-key': changes(z.object({ name: label }), z.object({ name: label, key: id })),
  /** For ever. `confirm` repeats the name. */
  'tenant.shred': guarded(
    z.object({ name: label, confirm: label }),
    z.object({ name: label, keys: count, ended: count, traces: z.enum(['gone', 'kept', 'pending']) }),
  ),

  'rootkey.show': reads(
    nothing,
    z.object({
      provider: z.string(),
      place: z.string(),
      current: z.string(),
      versions: z.array(z.object({ root: z.string(), state: z.string(), keys: count })),
      /** Tenants with files that are still to be moved to a younger tenant key. */
      rotating: z.array(label),
    }),
  ),
  'rootkey.rotate': guarded(
    nothing,
    z.object({
      from: z.string(),
      to: z.string(),
      rewrapped: count,
      stuck: count,
      retired: z.array(z.string()),
      /** False when a provider keeps a version that is out of use. */
      destroyed: z.boolean(),
    }),
  ),

  'folder.add': changes(z.object({ tenant: label, name: label }), folder),
  'folder.list': reads(z.object({ tenant: label.nullable() }), z.object({ folders: z.array(folder) })),
  /** Nothing in it is removed or replaced, whatever else says so. */
  'folder.hold': changes(z.object({ tenant: label, name: label, reason }), legalHold),
  'folder.unhold': guarded(z.object({ tenant: label, name: label, reason }), nothing),
  'folder.holds': reads(z.object({ tenant: label.nullable() }), z.object({ holds: z.array(legalHold) })),
  'product.add': changes(z.object({ product: label, tenant: label, name: label }), product),
  'product.list': reads(nothing, z.object({ products: z.array(product) })),
  'product.remove': changes(z.object({ product: label, tenant: label, name: label }), nothing),
  /** Refused while it holds files. The grants on it end. */
  'folder.remove': changes(z.object({ tenant: label, name: label }), nothing),

  'account.add': guarded(
    z.object({
      ...{ tenant: label, login, displayName: z.string().max(200), administrator: z.boolean() },
      /** A person when left out. */
      kind: accountKind.optional(),
    }),
    account,
  ),
  'account.list': reads(z.object({ tenant: label.nullable() }), z.object({ accounts: z.array(account) })),
  /** Ends the account's sessions before it answers. */
  'account.suspend': changes(z.object({ login }), account),
  'account.activate': guarded(z.object({ login }), account),
  /** Ends the account's sessions; its credentials and grants go with it. Its files stay the tenant's. */
  'account.remove': changes(z.object({ login }), nothing),
  /** null takes the password away. */
  'account.password': changes(z.object({ login, password: z.string().min(1).max(1024).nullable() }), account),
  /** A new secret replaces the old one at once; it is answered here and never again. */
  'account.totp-enrol': changes(z.object({ login }), z.object({ secret: z.string(), uri: z.string() })),
  'account.totp-remove': changes(z.object({ login }), account),
  'account.require': guarded(z.object({ login, chains: z.array(chain).min(1).max(8) }), account),

  'grant.add': guarded(
    z.object({
      login,
      tenant: label.nullable(),
      folder: label,
      rights: z.array(right).min(1),
      policy: policy.nullable(),
    }),
    grant,
  ),
  'grant.list': reads(
    z.object({ login: login.nullable(), tenant: label.nullable() }),
    z.object({ grants: z.array(grant) }),
  ),
  'grant.remove': changes(z.object({ login, tenant: label.nullable(), folder: label }), nothing),

  /** `line` is one line of an authorized_keys file, options included. */
  'key.add': changes(z.object({ login, line: z.string().max(32_768) }), key),
  /** A certificate authority whose user certificates the accounts of this tenant may sign in with. */
  'key.add-authority': guarded(z.object({ tenant: label, line: z.string().max(32_768) }), key),
  'key.list': reads(z.object({ login: login.nullable(), tenant: label.nullable() }), z.object({ keys: z.array(key) })),
  'key.remove': changes(z.object({ key: z.string().max(128) }), nothing),
  /** What is revoked never signs in again, whoever adds it; sessions that it opened are ended before the answer. */
  'key.revoke': changes(z.object({ what: revoked }), z.object({ revoked: shownRevocation, ended: count })),
  'key.revoked': reads(nothing, z.object({ revoked: z.array(shownRevocation) })),
  /** A certificate of our own for an account, whatever it has shown. `hours` null: as long as the server allows. */
  'key.issue': guarded(
    z.object({
      login,
      line: z.string().max(32_768),
      hours: z.number().positive().max(8784).nullable(),
      addresses: z.string().max(4096).nullable(),
    }),
    issuedLine,
  ),
  'key.issued': reads(z.object({ login: login.nullable() }), z.object({ certificates: z.array(issued) })),
  'key.certificate': reads(z.object({ serial }), issuedLine),
  /** `line` is for known_hosts; null where the host keys have no certificates of our own authority. */
  'key.host-ca': reads(nothing, z.object({ line: z.string().nullable(), userCa: z.string().nullable() })),
  /** The old key ends after `overlap` seconds. */
  'key.rotate': changes(
    z.object({ key: z.string().max(128), line: z.string().max(32_768), overlap: count.max(31_622_400) }),
    z.object({ added: key, replaced: key }),
  ),
  /** Back into use, after nobody had used it. */
  'key.reinstate': guarded(z.object({ key: z.string().max(128) }), key),
  /** Of the token only the fingerprint comes here. The scope admin takes two. */
  'token.add': guarded(
    z.object({
      login,
      label: z.string().max(80),
      fingerprint: tokenFingerprint,
      scopes: z.array(z.enum(SCOPES)).min(1),
      addresses: z.string().max(4096).nullable(),
      expires: z.iso.datetime().nullable(),
    }),
    token,
  ),
  'token.list': reads(z.object({ login: login.nullable() }), z.object({ tokens: z.array(token) })),
  'token.remove': changes(z.object({ token: id }), z.object({ ended: count })),
  /** `overlap`: seconds for which the old one is still good. */
  'token.renew': guarded(
    z.object({ token: id, fingerprint: tokenFingerprint, overlap: z.number().int().min(0).max(OVERLAP_SECONDS_MAX) }),
    token,
  ),
  /** The answer is the secret, shown once. */
  /** `link` is where a browser uses the secret; null where HTTPS is not served. */
  'sign-in.enrol': changes(
    z.object({ login }),
    z.object({ login, secret: z.string(), link: z.string().nullable(), expires: moment }),
  ),
  'sign-in.set-kind': guarded(z.object({ login, kind: accountKind }), z.object({ login, kind: accountKind })),
  'sign-in.set-policy': guarded(
    z.object({ tenant: label, policy: signInPolicy }),
    z.object({ tenant: label, policy: signInPolicy }),
  ),

  ...SSO_ADMIN_CALLS,

  'key.host': reads(nothing, z.object({ keys: z.array(hostKey) })),

  'session.list': reads(z.object({ login: login.nullable() }), z.object({ sessions: z.array(session) })),
  /** Answers when the broker refuses every further call of the session; its front closes the connection. */
  'session.end': changes(
    z.object({ session: id.nullable(), login: login.nullable(), reason: z.string().max(200) }),
    z.object({ ended: count }),
  ),

  'administrator.list': reads(nothing, z.object({ administrators: z.array(administrator) })),
  /** Of the new token only the fingerprint comes here. */
  'administrator.add': guarded(z.object({ name: login, fingerprint: tokenFingerprint }), administrator),
  'administrator.renew': guarded(z.object({ name: login, fingerprint: tokenFingerprint }), administrator),
  'administrator.remove': guarded(z.object({ name: login }), nothing),

  /** A limit of null is none at all. */
  'budget.set': guarded(z.object({ scope, dimension, window, limit: count.nullable() }), nothing),
  /** Back to what is learned. */
  'budget.clear': guarded(z.object({ scope }), nothing),
  /** What administrators have set. */
  'budget.list': reads(
    nothing,
    z.object({ limits: z.array(z.object({ scope: z.string(), dimension, window, limit: count.nullable() })) }),
  ),
  'budget.show': reads(z.object({ scope }), z.object({ scope: z.string(), usage: z.array(usage) })),

  'hold.list': reads(nothing, z.object({ holds: z.array(hold) })),
  /** Null: as much again as the limit, and for a day. More of either takes two. */
  'hold.approve': guarded(
    z.object({ reference, extra: count.nullable(), seconds: count.nullable() }),
    z.object({ hold, extra: count }),
  ),
  /** `suspend`: the account, with its sessions. */
  'hold.deny': changes(
    z.object({ reference, suspend: z.boolean() }),
    z.object({ hold, suspended: z.boolean(), ended: count }),
  ),

  /** What was new about an account's sign-in is known from now on; its sessions have the whole budget. */
  'account.confirm': changes(namedAcquaintance, namedAcquaintance),
  'account.forget': changes(namedAcquaintance, namedAcquaintance),
  /** Of all accounts: what nobody has confirmed. */
  'account.seen': reads(z.object({ login: login.nullable() }), z.object({ seen: z.array(acquaintance) })),

  /** `altered`: references of proposals that somebody changed in the database. They are never carried out. */
  'approval.list': reads(nothing, z.object({ proposals: z.array(proposal), altered: z.array(reference) })),
  /** Carries the act out, when nothing that it rests on has changed. */
  'approval.approve': changes(
    z.object({ reference }),
    z.object({ reference, action: z.string(), summary: z.string() }),
  ),
  'approval.deny': changes(z.object({ reference }), z.object({ reference, outcome: z.enum(['denied', 'withdrawn']) })),

  'ledger.status': reads(
    nothing,
    z.object({
      /** The public key, for verifiers. */
      key: z.string(),
      /** Entries that are durable, and not in a signed log yet. */
      waiting: count,
      witnesses: z.array(
        z.object({
          name: z.string(),
          url: z.string(),
          /** Heads in the last checkpoint that it cosigned. */
          size: count.nullable(),
          time: moment.nullable(),
          error: z.string().nullable(),
        }),
      ),
    }),
  ),
  /** What lies in a folder of the ledger, in order of name, after `after`. That somebody copies it is recorded. */
  'ledger.list': records(
    z.object({ folder: z.union([z.literal(''), ledgerPath]), after: z.string().max(100).nullable() }),
    z.object({ entries: z.array(z.object({ name: z.string(), folder: z.boolean() })), more: z.boolean() }),
  ),
  /** Files of the ledger in base64, from `offset` on (of the first): as many as one answer holds. */
  'ledger.read': records(
    z.object({ files: z.array(ledgerPath).min(1).max(100), offset: count }),
    z.object({
      files: z.array(z.object({ path: z.string(), size: count.nullable(), bytes: z.string() })),
    }),
  ),
  /** Signs an evidence pack with the key of the ledger, by the SHA-256 of its manifest. */
  'ledger.sign-pack': changes(
    z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/) }),
    z.object({ signature: z.string() }),
  ),

  /** The secret of a webhook is answered here and never again; not to who approves, who asks for a new one then. */
  'event.add': guarded(
    z.object({
      name: receiverName,
      tenant: label.nullable(),
      kind: z.enum(TARGET_KINDS),
      address: z.string().min(1).max(2048),
      only: z.array(z.enum(EVENT_KINDS)).max(EVENT_KINDS.length),
      ca: pem,
      certificate: pem,
      clientKey: pem,
    }),
    z.object({ receiver, secret: z.string().nullable() }),
  ),
  'event.list': reads(nothing, z.object({ receivers: z.array(receiver) })),
  /** Nobody hears any more through it: that weakens too. */
  'event.remove': guarded(z.object({ name: receiverName }), nothing),
  /** The old one signs as well for a day. */
  'event.rotate-secret': changes(z.object({ name: receiverName }), z.object({ secret: z.string() })),
  'event.dead': reads(
    z.object({ name: receiverName }),
    z.object({
      dead: z.array(
        z.object({ number: count, log: z.string(), entry: count, time: moment, attempts: count, error: z.string() }),
      ),
    }),
  ),
  /** What was given up, once more; null is all of it. */
  'event.retry': changes(
    z.object({ name: receiverName, number: count.nullable() }),
    z.object({ delivered: count, failure: z.string().nullable() }),
  ),

  /** A bounded part of the walk over the store; call again with `after` = `next` until that is null. */
  'check.next': reads(
    z.object({ after: z.string().max(200).nullable() }),
    z.object({
      versions: count,
      bytes: count,
      skipped: count,
      findings: z.array(finding),
      next: z.string().nullable(),
    }),
  ),
} as const satisfies Record<string, AdminCallRow>;

/**
 * Beside the guarded ones: what changes how somebody signs in, answers a secret, or agrees to what waits. From a web
 * session it needs a strong factor that was just shown, so that a browser left open does none of it.
 */
export const STEP_UP_CALLS: ReadonlySet<keyof typeof ADMIN_CALLS> = new Set([
  'approval.approve',
  'account.password',
  'account.totp-enrol',
  'account.totp-remove',
  'sign-in.enrol',
  'key.add',
  'key.rotate',
  'event.rotate-secret',
]);

export type AdminCalls = typeof ADMIN_CALLS;
export type AdminCallName = keyof AdminCalls;
/** Those for which four-eyes.ts has a judge. */
export type GuardedCall = { [N in AdminCallName]: AdminCalls[N]['eyes'] extends 'two' ? N : never }[AdminCallName];
export type AdminRequest<N extends AdminCallName> = z.infer<AdminCalls[N]['request']>;
export type AdminResponse<N extends AdminCallName> = z.infer<AdminCalls[N]['response']>;

/** How the command line sees the running server: one function, typed by the table. Rejects with WaybillError. */
export interface AdminCaller {
  call<N extends AdminCallName>(call: N, request: AdminRequest<N>): Promise<AdminResponse<N>>;
}
