/**
 * Which acts take two administrators, and how to tell: one judge for each call whose row says `guarded`. A judge looks at
 * the request and at what is there now, and changes nothing. `about` is everything that the judgement rests on, ids
 * included: a name may be given anew between proposal and approval.
 */
import { isWeaker, spell } from '../accounts/chains.ts';
import type { Chain } from '../accounts/chains.ts';
import { tokenFingerprint } from '../accounts/access-token.ts';
import { readKeyLine } from '../accounts/key-lines.ts';
import { isLaxer } from '../accounts/web/store.ts';
import { WaybillError } from '../base/errors.ts';
import { keyOf } from '../policy/budgets/scopes.ts';
import type { Scope } from '../policy/budgets/scopes.ts';
import { DIMENSIONS, WINDOWS } from '../policy/budgets/windows.ts';
import { fromBits } from '../policy/rights.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { AdminRequest, GuardedCall } from './admin-calls.ts';
import type { AdminActing, AdministrationParts } from './administration-parts.ts';
import { eventJudges } from './administration-events.ts';
import { ssoJudges } from './administration-sso.ts';
import { findGrant } from './administration-grants.ts';
import { findKey } from './administration-keys.ts';
import { plainKey } from './certificates.ts';
import { scopeNamed } from './budget-scopes.ts';
import { describePolicy, policyOf } from './grant-policies.ts';

const DAY_SECONDS = 86_400;

export interface Judgement {
  readonly weakens: boolean;
  /** Whose log tells of it; null is the operator's. */
  readonly tenant: string | null;
  /** For the one who decides; in full, because it is all he sees. */
  readonly summary: string;
  readonly about: Readonly<Record<string, unknown>>;
}

type Judge<N extends GuardedCall> = (request: AdminRequest<N>, caller: AdminActing) => Judgement;
export type Judges = { readonly [N in GuardedCall]: Judge<N> };

export function judges(parts: AdministrationParts): Judges {
  return {
    ...accountJudges(parts),
    ...folderJudges(parts),
    ...keyJudges(parts),
    ...budgetJudges(parts),
    ...administratorJudges(parts),
    ...webJudges(parts),
    ...ssoJudges(parts),
    ...eventJudges(parts),
  };
}

function accountJudges({ accounts, tenants, grants }: AdministrationParts) {
  return {
    'account.add': ({ tenant, login, administrator }) => ({
      weakens: administrator,
      tenant: tenants.byName(tenant).id,
      summary: `new account ${login} of ${tenant}${administrator ? ', an administrator of it' : ''}`,
      about: { tenant: tenants.byName(tenant).id },
    }),
    'account.activate': ({ login }) => {
      const { id, tenant, status } = accounts.get(login);
      const summary = `account ${login} of ${tenants.get(tenant).name} may sign in again`;
      return { weakens: status === 'suspended', tenant, summary, about: { id, status } };
    },
    'account.require': ({ login, chains }) => {
      const { id, tenant, chains: before } = accounts.get(login);
      // Without a grant there is nothing yet that the chains keep; a grant shows them to who approves it.
      const guards = grants.ofAccount(id).length > 0;
      const summary = `account ${login} of ${tenants.get(tenant).name} signs in with ${spelled(chains)} instead of ${spelled(before)}`;
      return { weakens: guards && isWeaker(before, chains), tenant, summary, about: { id, before, guards } };
    },
  } satisfies Partial<Judges>;
}

function folderJudges(parts: AdministrationParts) {
  const { tenants, folders, grants, keys, keyActs } = parts;
  return {
    'grant.add': (request) => {
      const { account, folder } = findGrant(parts, request);
      const { login, rights } = request;
      const policy = policyOf(request.policy);
      const before = grants.find(account.id, folder.id) ?? null;
      const had = before === null ? 'nothing' : `${fromBits(before.rights).join(', ')}${describePolicy(before.policy)}`;
      const where = `${tenants.get(folder.tenant).name}/${folder.name}`;
      const summary =
        `${login} may ${rights.join(', ')} in ${where}${describePolicy(policy)}; before: ${had}; ` +
        `it signs in with ${spelled(account.chains)}${account.status === 'suspended' ? ' and is suspended' : ''}`;
      const known = before === null ? null : { rights: before.rights, policy: before.policy };
      const { id, chains, status } = account;
      return {
        weakens: grants.isWidening(id, folder.id, rights, policy),
        tenant: folder.tenant,
        summary,
        about: { account: id, chains, status, folder: folder.id, known },
      };
    },
    'folder.unhold': ({ tenant, name, reason }) => {
      const folder = folders.byName(tenants.byName(tenant).id, name);
      const hold = grants.legalHolds.of(folder.id);
      const since = hold === null ? 'none' : `of ${new Date(hold.since).toISOString()}, "${hold.reason}"`;
      const summary = `lift the legal hold on ${tenant}/${name} (${since}): "${reason}"`;
      return { weakens: hold !== null, tenant: folder.tenant, summary, about: { folder: folder.id, hold } };
    },
    'tenant.unlock': ({ name }) => {
      const { id } = tenants.byName(name);
      const state = keys.stateOf(id);
      return {
        weakens: state === 'locked',
        tenant: id,
        summary: `take the keys of ${name} into use again`,
        about: { id, state },
      };
    },
    'tenant.shred': ({ name, confirm }) => {
      const { id } = tenants.byName(name);
      if (confirm !== name)
        throw new WaybillError('option-invalid', 'what was typed is not the name of the tenant; nothing was destroyed');
      grants.legalHolds.refuseTenant(id);
      return {
        weakens: true,
        tenant: id,
        summary: `destroy the keys of ${name}, and so all its content, for ever`,
        about: { id },
      };
    },
    'rootkey.rotate': () => {
      const { current, provider, place } = keyActs.overview();
      const summary = `a new root key; now it is ${current} (${provider}, ${place})`;
      return { weakens: true, tenant: null, summary, about: { current } };
    },
  } satisfies Partial<Judges>;
}

function keyJudges(parts: AdministrationParts) {
  const { tenants, accounts, keyLife } = parts;
  return {
    'key.issue': ({ login, line, hours, addresses }) => {
      const { id, tenant, status, chains } = accounts.get(login);
      const print = fingerprint(plainKey(line).blob);
      const time = hours === null ? 'as long as the server allows' : `${hours} hours`;
      const summary =
        `certificate for ${login} of ${tenants.get(tenant).name}: key ${print}, for ${time}, ` +
        `from ${addresses ?? 'anywhere'}; the account signs in with ${spelled(chains)}`;
      return { weakens: true, tenant, summary, about: { id, status, chains } };
    },
    'key.reinstate': ({ key: named }) => {
      const { account, key } = findKey(parts, named);
      const since = keyLife.suspendedSince(key.id);
      const summary = `key ${key.fingerprint} of ${account.login}, which nobody had used, signs in again`;
      return { weakens: since !== null, tenant: account.tenant, summary, about: { id: key.id, since } };
    },
    'key.add-authority': ({ tenant, line }) => {
      const { id } = tenants.byName(tenant);
      const { key } = readKeyLine(line);
      const summary = `certificates of ${key.type} ${fingerprint(key.blob)} sign in the accounts of ${tenant}`;
      return { weakens: true, tenant: id, summary, about: { id } };
    },
  } satisfies Partial<Judges>;
}

function budgetJudges(parts: AdministrationParts) {
  const { budgets } = parts;
  return {
    'budget.set': ({ scope: text, dimension, window, limit }) => {
      const { scope, tenant } = scopeNamed(parts, text);
      const cell = budgets.lasting(scope).find((row) => row.dimension === dimension && row.window === window);
      const before = cell?.standing ?? null;
      const within = `${dimension} in ${windowText(window)}`;
      const summary = `budget of ${text}: ${amount(limit)} ${within}; before: ${amount(before)}`;
      // What was learned moves from day to day; what somebody set does not.
      const set = setIn(budgets, scope).filter((row) => row.dimension === dimension && row.window === window);
      return { weakens: isMore(before, limit), tenant, summary, about: { scope, set } };
    },
    'budget.clear': ({ scope: text }) => {
      const { scope, tenant } = scopeNamed(parts, text);
      const rows = budgets.lasting(scope);
      const set = rows.filter(({ ordinary, standing }) => ordinary !== standing);
      const before = set.map(
        ({ dimension, window, standing }) => `${amount(standing)} ${dimension} in ${windowText(window)}`,
      );
      const summary = `budget of ${text}: what is learned instead of ${before.join(', ')}`;
      const weakens = set.some(({ ordinary, standing }) => isMore(standing, ordinary));
      return { weakens, tenant, summary, about: { scope, set: setIn(budgets, scope) } };
    },
    'hold.approve': ({ reference, extra, seconds }) => {
      const { state, limit, asked, tenant, account, dimension } = budgets.holds.find(reference);
      const usual = Math.max(limit, asked);
      const what = `${amount(extra ?? usual)} ${DIMENSIONS[dimension] ?? ''} more for ${seconds ?? DAY_SECONDS} seconds`;
      return {
        weakens: (extra ?? 0) > usual || (seconds ?? 0) > DAY_SECONDS,
        tenant,
        summary: `approve ${reference}: ${what}; usual: ${amount(usual)} for ${DAY_SECONDS} seconds`,
        about: { account, state, limit, asked },
      };
    },
  } satisfies Partial<Judges>;
}

function setIn(budgets: AdministrationParts['budgets'], scope: Scope) {
  return budgets.list().filter((row) => row.scope === keyOf(scope));
}

/** Null is without a limit. */
function isMore(before: number | null, after: number | null): boolean {
  return before !== null && (after === null || after > before);
}

function amount(limit: number | null): string {
  return limit === null ? 'any number of' : String(limit);
}

function windowText(seconds: number): string {
  return WINDOWS.find((row) => row.seconds === seconds)?.text ?? `${seconds} seconds`;
}

function administratorJudges({ administrators }: AdministrationParts) {
  return {
    'administrator.add': ({ name, fingerprint: print }) => {
      const summary = `new administrator ${name}, whose token is ${print}`;
      return { weakens: true, tenant: null, summary, about: {} };
    },
    'administrator.renew': ({ name, fingerprint: print }, { administrator }) => {
      const { id, tokenHash } = administrators.byName(name);
      const summary = `administrator ${name} gets a new token, ${print}`;
      // His own he may renew alone: it makes nobody more powerful.
      return {
        weakens: administrator?.id !== id,
        tenant: null,
        summary,
        about: { id, token: tokenFingerprint(tokenHash) },
      };
    },
    'administrator.remove': ({ name }) => {
      const { id } = administrators.byName(name);
      const summary = `remove the administrator ${name}`;
      return { weakens: !administrators.enoughWithout(id), tenant: null, summary, about: { id } };
    },
  } satisfies Partial<Judges>;
}

function webJudges({ accounts, tenants, web }: AdministrationParts) {
  const { store } = web.parts;
  return {
    'token.add': ({ login, scopes, fingerprint: print, addresses, expires }) => {
      const { id, tenant, administrator } = accounts.get(login);
      const bound = `from ${addresses ?? 'everywhere'}, until ${expires ?? 'it is removed'}`;
      const summary = `new token ${print} of ${login} of ${tenants.get(tenant).name}, for ${scopes.join(', ')}, ${bound}`;
      return { weakens: scopes.includes('admin'), tenant, summary, about: { id, administrator } };
    },
    'token.renew': ({ token: id, fingerprint: print, overlap }) => {
      const { token, account } = web.tokens.find(id);
      const summary = `token ${print} in place of ${id} of ${account.login}, both for ${overlap} seconds`;
      const about = { id, successor: token.successor, scopes: token.scopes };
      return { weakens: token.scopes.includes('admin'), tenant: account.tenant, summary, about };
    },
    'sign-in.set-kind': ({ login, kind }) => {
      const { id, tenant } = accounts.get(login);
      const before = store.kindOf(id);
      const summary = `account ${login} of ${tenants.get(tenant).name} is a ${kind}; before: a ${before}`;
      // A person may come by browser, a service over SSH with one step: either is more than the other.
      return { weakens: before !== kind, tenant, summary, about: { id, before } };
    },
    'sign-in.set-policy': ({ tenant: name, policy }) => {
      const { id } = tenants.byName(name);
      const before = store.policyOf(id);
      const summary = `people of ${name} sign in with ${policy}; before: ${before}`;
      return { weakens: isLaxer(policy, before), tenant: id, summary, about: { id, before } };
    },
  } satisfies Partial<Judges>;
}

function spelled(chains: readonly Chain[]): string {
  return chains.map(spell).join(' or ');
}
