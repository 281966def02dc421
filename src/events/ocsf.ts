/**
 * A ledger entry as an event of the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.1). Pure. One row a kind: which
 * class, which activity, how severe, and what fills the class's own fields; a kind without a row does not compile.
 * `unmapped.waybill` holds the entry as it is, so that nothing is lost in translation. Entries never hold secrets;
 * the salt that blinds a log's name is left out all the same.
 */
import type { UnknownEntry } from '../ledger/core/entry.ts';
import type { Entry, EntryOf, KindName } from '../ledger/core/kinds.ts';
import { activityOf, changedShape, entity } from './ocsf-changes.ts';
import { actor, factorOf, fileAt, finding, source, user } from './ocsf-objects.ts';
import type { Context, Shape } from './ocsf-objects.ts';

export const SCHEMA_VERSION = '1.1.0';
export const SEVERITY = { information: 1, low: 2, medium: 3, high: 4, critical: 5 } as const;

const CLASSES = {
  authentication: [3, 3002],
  account: [3, 3001],
  entity: [3, 3004],
  access: [3, 3005],
  finding: [2, 2004],
  incident: [2, 2005],
  lifecycle: [6, 6002],
  file: [6, 6006],
} as const;
/** In units of the schema: activity 99 is "other", and `activity_name` says which. */
export const OTHER = 99;

type Row<K extends KindName> = (entry: EntryOf<K>, context: Context) => Shape;

export const ROWS: { readonly [K in KindName]: Row<K> } = {
  opened: ({ tenant, name }) => entity(1, { uid: tenant ?? 'installation', name, type: 'ledger' }),
  'node-start': ({ software, node }) => ({ ...lifecycle(3, software), message: `Waybill started on ${node}` }),
  'node-stop': ({ reason }) => ({ ...lifecycle(4, 'waybill'), message: `Waybill stopped: ${reason}` }),
  clock: ({ before, after }) => ({
    ...lifecycle(OTHER, 'waybill'),
    activity: 'clock-jump',
    severity: SEVERITY.medium,
    message: `The clock of the machine moved from ${iso(before)} to ${iso(after)}`,
  }),

  'sign-in': (entry) => ({
    ...{ class: 'authentication', activity_id: 1, status: 'success' },
    severity: entry.firsts.length > 0 ? SEVERITY.low : SEVERITY.information,
    message: `${entry.login} signed in from ${entry.address}${entry.firsts.length > 0 ? ` (new: ${entry.firsts.join(', ')})` : ''}`,
    fields: {
      ...signIn(entry),
      session: { uid: entry.session ?? '', is_remote: true },
      is_mfa: entry.factors.length > 1,
    },
  }),
  'sign-in-failed': (entry) => ({
    ...{ class: 'authentication', activity_id: 1, status: 'failure', severity: SEVERITY.low, detail: entry.reason },
    message: `A sign-in ${entry.login === '' ? '' : `as ${entry.login} `}from ${entry.address} was refused: ${entry.reason}`,
    fields: signIn(entry),
  }),
  'session-end': ({ session, reason, gap }, context) => ({
    ...{ class: 'authentication', activity_id: 2, status: 'success', detail: reason },
    severity: gap ? SEVERITY.medium : SEVERITY.information,
    message: `A session ended: ${reason}`,
    fields: {
      ...source(session, context),
      user: user(session, context),
      session: { uid: session ?? '' },
      service: { name: 'waybill' },
    },
  }),

  release: (entry, context) => ({
    ...onFile(14, entry, context),
    message: `${who(entry.session, context)} was given ${entry.bytes} bytes of ${entry.path}`,
  }),
  sent: (entry, context) => ({
    ...onFile(2, { ...entry, path: '' }, context),
    message: entry.known
      ? `${entry.bytes} bytes went to ${who(entry.session, context)}`
      : `What went to ${who(entry.session, context)} is not known: all that was released may have`,
  }),
  listed: (entry, context) => ({
    ...onFile(OTHER, { ...entry, folderItself: true }, context),
    ...{ activity: 'list', message: `${who(entry.session, context)} listed ${entry.path}` },
  }),
  stored: (entry, context) => ({
    ...onFile(entry.replaces === null ? 1 : 3, entry, context),
    message: `${who(entry.session, context)} stored ${entry.path} (${entry.size} bytes)`,
  }),
  made: (entry, context) => ({
    ...onFile(OTHER, { ...entry, folderItself: true }, context),
    ...{ activity: 'make-directory', message: `${who(entry.session, context)} made the directory ${entry.path}` },
  }),
  renamed: (entry, context) => {
    const shape = onFile(entry.folder === entry.toFolder ? 5 : 7, entry, context);
    return {
      ...shape,
      message: `${who(entry.session, context)} renamed ${entry.path} to ${entry.toPath}`,
      fields: { ...shape.fields, file_result: fileAt({ path: entry.toPath }) },
    };
  },
  removed: (entry, context) => ({
    ...onFile(4, { ...entry, folderItself: entry.file === null }, context),
    message: `${who(entry.session, context)} removed ${entry.path}`,
  }),

  changed: changedShape,
  key: ({ action, what, actor: name }) => ({
    ...entity(activityOf(action), { uid: what === '' ? action : what, type: 'key' }, { action, by: name }),
    severity: SEVERITY.medium,
    message: `Key: ${action}${by(name)}`,
  }),
  'administrator-read': ({ actor: name, what }) => ({
    ...entity(2, { name: what === '' ? 'tenant data' : what, type: 'tenant-data' }, { by: name }),
    severity: SEVERITY.low,
    message: `An administrator${by(name)} looked at ${what}`,
  }),

  hold: (entry, context) => ({
    ...finding(1, { uid: entry.reference, title: 'Held: more would leave than is usual' }, 'hold'),
    severity: SEVERITY.high,
    message: `${entry.reference}: ${who(entry.session, context)} asks ${entry.asked} of ${entry.dimension} more (${entry.path}); used ${entry.used} of ${entry.limit}`,
  }),
  decision: (entry) => ({
    ...finding(3, { uid: entry.reference, title: `Decision: ${entry.outcome}` }, 'decision'),
    severity: SEVERITY.low,
    message: `${entry.reference} is ${entry.outcome}${by(entry.actor)}`,
  }),
  proposal: ({ reference, action, actor: name }) => ({
    ...entity(OTHER, { uid: reference, type: 'proposal', name: action }, { action: 'propose', by: name }),
    severity: SEVERITY.medium,
    message: `${reference}: ${action} waits for a second administrator${by(name)}`,
  }),
  containment: ({ action, reason, session, account }) => ({
    ...finding(1, { uid: `${action}:${account ?? session ?? ''}`, title: `Contained: ${action}` }, 'containment'),
    severity: SEVERITY.critical,
    message: `Contained by ${action}: ${reason}`,
  }),
  alert: (entry, context) => ({
    ...finding(1, { uid: `${entry.scope}:${entry.dimension}:${entry.window}`, title: 'Over a soft limit' }, 'alert'),
    severity: SEVERITY.medium,
    message: `${who(entry.session, context)} used ${entry.used} of ${entry.limit} ${entry.dimension}`,
  }),

  incident: ({ incident, action }) => ({
    class: 'incident',
    activity_id: /close|end/.test(action) ? 3 : /open|create/.test(action) ? 1 : 2,
    activity: action,
    severity: SEVERITY.high,
    message: `Incident ${incident ?? ''}: ${action}`,
    fields: { finding_info_list: [{ uid: incident ?? '', title: 'Incident' }], assignee: { name: 'operator' } },
  }),
  disclosure: ({ disclosure, action, actor: name }) => ({
    ...entity(activityOf(action), { uid: disclosure ?? '', type: 'disclosure' }, { action, by: name }),
    message: `Disclosure: ${action}`,
  }),
};

export interface EventPlace {
  /** Blinded name of the log and index in it: together they name the entry for ever. */
  readonly log: string;
  readonly index: number;
  /** Null for the installation's own log. */
  readonly tenant: string | null;
  readonly tenantName: string;
  readonly software: string;
}

export type OcsfEvent = Readonly<Record<string, unknown>> & { readonly severity_id: number; readonly message: string };

export function toOcsf(entry: Entry | UnknownEntry, place: EventPlace, context: Context): OcsfEvent {
  const shape =
    entry.kind === 'unknown'
      ? UNKNOWN
      : (ROWS[entry.kind] as (entry: Entry, context: Context) => Shape)(entry, context);
  const [category, uid] = shape.class === null ? [0, 0] : CLASSES[shape.class];
  const { activity_id, activity, status, detail, severity = SEVERITY.information, message, fields } = shape;
  return {
    category_uid: category,
    class_uid: uid,
    activity_id,
    ...(activity === undefined ? {} : { activity_name: activity }),
    type_uid: uid * 100 + activity_id,
    severity_id: severity,
    time: entry.time,
    message: bounded(message, 1024),
    ...(shape.class === 'incident'
      ? { status_id: activity_id === 3 ? 5 : 2 }
      : { status_id: status === 'failure' ? 2 : 1 }),
    ...(detail === undefined ? {} : { status_detail: bounded(detail, 512) }),
    metadata: {
      version: SCHEMA_VERSION,
      product: { name: 'Waybill', vendor_name: 'Waybill', version: place.software },
      log_name: place.log,
      uid: `${place.log}:${place.index}`,
      sequence: place.index,
      ...(place.tenant === null ? {} : { tenant_uid: place.tenant }),
    },
    ...fields,
    unmapped: { waybill: { tenant: place.tenantName, ...entryFields(entry) } },
  };
}

const UNKNOWN: Shape = { class: null, activity_id: OTHER, message: 'An entry of a later version of Waybill' };
/** Ranges and details are as long as an entry may be; receivers often take 8 KB only. */
const RANGES_MAX = 32;
const DETAIL_MAX = 4096;
const TEXT_MAX = 4096;

function entryFields(entry: Entry | UnknownEntry): Record<string, unknown> {
  if (entry.kind === 'unknown') return { kind: 'unknown', number: entry.number };
  return Object.fromEntries(
    Object.entries(entry)
      .filter(([name]) => name !== 'salt' && name !== 'time')
      .map(([name, value]) => [name, boundedValue(value as unknown)]),
  );
}

function boundedValue(value: unknown): unknown {
  if (typeof value === 'string') return bounded(value, TEXT_MAX);
  if (Array.isArray(value)) {
    const kept = (value as unknown[])
      .slice(0, RANGES_MAX)
      .map((one) => (typeof one === 'string' ? bounded(one, 256) : one));
    return value.length > RANGES_MAX ? [...kept, `${value.length - RANGES_MAX} more`] : kept;
  }
  if (typeof value === 'object' && value !== null && JSON.stringify(value).length > DETAIL_MAX)
    return { truncated: true };
  return value;
}

/** By UTF-16 units, never through the middle of a pair. */
function bounded(text: string, most: number): string {
  if (text.length <= most) return text;
  const cut = text.slice(0, most);
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`;
}

function iso(time: number): string {
  return time > 8.64e15 ? String(time) : new Date(time).toISOString();
}

function by(name: string): string {
  return name === '' ? '' : ` (by ${name})`;
}

function who(session: string | null, context: Context): string {
  return (
    (session === null ? null : context.session(session))?.login ?? (session === null ? 'Waybill' : `session ${session}`)
  );
}

function lifecycle(activity: number, software: string): Shape {
  const app = { name: 'Waybill', vendor_name: 'Waybill', version: software };
  return { class: 'lifecycle', activity_id: activity, message: '', fields: { app } };
}

interface SignInParts {
  readonly account: string | null;
  readonly login: string;
  readonly address: string;
  readonly protocol: string;
  readonly client: string;
  readonly factors: readonly string[];
}

function signIn({ account, login, address, protocol, client, factors }: SignInParts): object {
  return {
    user: { name: login === '' ? 'unknown' : login, ...(account === null ? {} : { uid: account }) },
    src_endpoint:
      address === '' ? { name: 'unknown' } : { ip: address, ...(client === '' ? {} : { svc_name: client }) },
    service: { name: protocol === '' ? 'waybill' : protocol },
    is_remote: true,
    auth_factors: factors.map(factorOf),
  };
}

interface FileParts {
  readonly session: string | null;
  readonly path: string;
  readonly file?: string | null;
  readonly version?: string | null;
  readonly size?: number;
  readonly folderItself?: boolean;
}

function onFile(activity: number, parts: FileParts, context: Context): Shape & { fields: object } {
  const { session } = parts;
  return {
    ...{ class: 'file', activity_id: activity, message: '' },
    fields: { ...source(session, context), actor: actor(session, context), file: fileAt(parts) },
  };
}
