/** Administrative changes: which class and activity the action of a `changed` entry is. Pure. */
import type { EntryOf } from '../ledger/core/kinds.ts';
import type { Shape } from './ocsf-objects.ts';

const OTHER = 99;

// Maps: actions are any text, and objects have members that nobody put there.

/** Of Entity Management, by the verb of the action: "folder.add". */
const VERBS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    create: 1,
    add: 1,
    read: 2,
    show: 2,
    set: 3,
    'set-quota': 3,
    clear: 3,
    renew: 3,
    rotate: 3,
    'rotate-key': 3,
    remove: 4,
    shred: 4,
    rename: 5,
    enrol: 6,
    unlock: 8,
    hold: 8,
    lock: 9,
    unhold: 9,
    revoke: 9,
    retire: 11,
  }),
);

/** Of Account Change, by the whole action. */
const ACCOUNT: ReadonlyMap<string, number> = new Map(
  Object.entries({
    'account.create': 1,
    'account.add': 1,
    'account.activate': 2,
    'account.password': 3,
    'account.suspend': 5,
    'account.remove': 6,
    'account.totp-enrol': 10,
    'account.totp-remove': 11,
  }),
);

export function activityOf(action: string): number {
  return VERBS.get(action.slice(action.indexOf('.') + 1)) ?? OTHER;
}

interface Entity {
  readonly uid?: string;
  readonly name?: string;
  readonly type: string;
}

/** `by`: the administrator; an empty name is the operator on the machine itself. */
export function entity(activity: number, about: Entity, more: { action?: string; by?: string } = {}): Shape {
  const { action, by } = more;
  return {
    ...{ class: 'entity', activity_id: activity, message: `${about.type} ${about.name ?? about.uid ?? ''}` },
    ...(action === undefined ? {} : { activity: action }),
    fields: { entity: about, ...(by === undefined ? {} : { actor: administrator(by) }) },
  };
}

export function changedShape(entry: EntryOf<'changed'>): Shape {
  const { action, actor, approvedBy, account, folder, credential } = entry;
  const said = `${action}${actor === '' ? '' : ` (by ${actor}${approvedBy === '' ? '' : `, approved by ${approvedBy}`})`}`;
  const common = { activity: action, severity: 2, message: said };
  const person = { actor: administrator(actor) };
  const [room] = action.split('.');
  if (room === 'account')
    return {
      ...{ class: 'account', activity_id: ACCOUNT.get(action) ?? OTHER, ...common },
      fields: { ...person, user: account === null ? { name: 'unknown' } : { uid: account } },
    };
  if (room === 'grant')
    return {
      ...{ class: 'access', activity_id: /remove|revoke|end/.test(action) ? 2 : 1, ...common },
      fields: {
        ...person,
        user: account === null ? { name: 'unknown' } : { uid: account },
        ...(folder === null ? {} : { resource: { uid: folder, type: 'folder' } }),
      },
    };
  const about = folder ?? account ?? (credential === '' ? null : credential) ?? action;
  return {
    ...{ class: 'entity', activity_id: activityOf(action), ...common },
    fields: { ...person, entity: { uid: about, type: room ?? 'entity' } },
  };
}

export function administrator(name: string): object {
  return { user: { name: name === '' ? 'operator' : name, type_id: 2 } };
}
