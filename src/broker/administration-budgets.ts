/** Budgets, holds, and what an account came with for the first time: each a few words over policy/. */
import { isIP } from 'node:net';
import { plainAddress } from '../base/addresses.ts';
import { WaybillError } from '../base/errors.ts';
import type { Account } from '../accounts/account.ts';
import { networkOf, productOf } from '../policy/budgets/acquaintances.ts';
import type { Acquaintance, AcquaintanceKind } from '../policy/budgets/acquaintances.ts';
import { scopeOf } from '../policy/budgets/scopes.ts';
import { DIMENSIONS } from '../policy/budgets/windows.ts';
import type { Hold } from '../policy/holds-store.ts';
import type { AcquaintanceRow, HoldRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminActing, AdminHandlers, AdministrationParts } from './administration-parts.ts';
import { credentialOf, scopeNamed, scopeText } from './budget-scopes.ts';
import { requireNamed } from './guard.ts';

type BudgetCalls = Pick<
  AdminHandlers,
  | Extract<keyof AdminHandlers, `budget.${string}` | `hold.${string}`>
  | 'account.confirm'
  | 'account.forget'
  | 'account.seen'
>;

export function budgetHandlers(parts: AdministrationParts): BudgetCalls {
  const { budgets } = parts;
  return {
    'budget.set': async ({ scope: text, dimension, window, limit }, by) => {
      const { scope, tenant } = settable(parts, text);
      await budgets.set(scope, { dimension, window, limit }, tenant, by);
      return {};
    },
    'budget.clear': async ({ scope: text }, by) => {
      const { scope, tenant } = settable(parts, text);
      await budgets.clear(scope, tenant, by);
      return {};
    },
    'budget.list': () => ({
      limits: budgets.list().map(({ scope: key, ...limit }) => {
        const scope = scopeOf(key);
        return { scope: scope === null ? key : scopeText(parts, scope), ...limit };
      }),
    }),
    'budget.show': ({ scope: text }) => {
      const { scope } = scopeNamed(parts, text);
      return { scope: scopeText(parts, scope), usage: budgets.usage(scope).map((row) => ({ ...row })) };
    },
    ...holdHandlers(parts),
    ...acquaintanceHandlers(parts),
  };
}

function holdHandlers(parts: AdministrationParts) {
  const { budgets, accounts, connections, ledger } = parts;
  return {
    'hold.list': () => ({ holds: budgets.holds.list().map((hold) => holdRow(parts, hold)) }),
    'hold.approve': async ({ reference, extra, seconds }, by) => {
      requireNamed(parts, by);
      const approval = { ...(extra === null ? {} : { extra }), ...(seconds === null ? {} : { seconds }) };
      const allowed = await budgets.holds.approve(reference, approval, by);
      return { hold: holdRow(parts, budgets.holds.find(reference)), extra: allowed.extra };
    },
    'hold.deny': async ({ reference, suspend }, by) => {
      const hold = await budgets.holds.deny(reference, by);
      const account = accounts.list(hold.tenant).find(({ id }) => id === hold.account);
      if (!suspend || account === undefined) return { hold: holdRow(parts, hold), suspended: false, ended: 0 };
      const within = (): void => {
        const named = { session: hold.session, account: account.id, credential: '' };
        const reason = `${hold.reference} was denied`;
        ledger.append(account.tenant, {
          kind: 'containment',
          action: 'account.suspend',
          ...named,
          reason,
          detail: { actor: by.actor },
        });
      };
      await accounts.suspend(account.login, { ...by, within });
      const ended = connections.end((session) => session.account === account.id, 'the account is suspended');
      return { hold: holdRow(parts, hold), suspended: true, ended };
    },
  } satisfies Partial<BudgetCalls>;
}

function acquaintanceHandlers(parts: AdministrationParts) {
  const { accounts, acquaintances } = parts;
  const change = async (
    { login, kind, value }: { readonly login: string; readonly kind: AcquaintanceKind; readonly value: string },
    verb: 'confirm' | 'forget',
    by: AdminActing,
  ) => {
    const { id, tenant } = accounts.get(login);
    const named = NAMED[kind](parts, login, value);
    await acquaintances[verb](id, tenant, kind, named, by);
    return { login, kind, value: named };
  };
  return {
    'account.confirm': async (request, by) => {
      requireNamed(parts, by);
      return change(request, 'confirm', by);
    },
    'account.forget': (request, by) => change(request, 'forget', by),
    'account.seen': ({ login }) => {
      const known = login === null ? acquaintances.waiting() : acquaintances.list(accounts.get(login).id);
      const byId = new Map(accounts.list(null).map((account) => [account.id, account]));
      return { seen: known.flatMap((one) => acquaintanceRow(byId.get(one.account), one)) };
    },
  } satisfies Partial<BudgetCalls>;
}

/** As acquaintances.ts has it, from what people write. */
const NAMED: Readonly<Record<AcquaintanceKind, (parts: AdministrationParts, login: string, value: string) => string>> =
  {
    address: (_parts, _login, value) => {
      const plain = plainAddress(value.replace(/::\/64$/, '::'));
      if (isIP(plain) === 0)
        throw new WaybillError('option-invalid', 'the value is not an address such as 192.0.2.1 or 2001:db8:0:1::/64');
      return networkOf(plain);
    },
    credential: (parts, login, value) => credentialOf(parts, login, value),
    client: (_parts, _login, value) => {
      const product = productOf(value);
      if (product === '')
        throw new WaybillError('option-invalid', 'the value names no client software; "OpenSSH" is such a name');
      return product;
    },
  };

function settable(parts: AdministrationParts, text: string) {
  const named = scopeNamed(parts, text);
  // Its limits are a part of the account's, whatever these are.
  if (named.scope.kind === 'unconfirmed')
    throw new WaybillError('option-invalid', 'what is unconfirmed has a part of the budget of its account; set that');
  return named;
}

function acquaintanceRow(account: Account | undefined, one: Acquaintance): AcquaintanceRow[] {
  const { kind, value, firstSeen, confirmed } = one;
  return account === undefined ? [] : [{ login: account.login, kind, value, firstSeen: moment(firstSeen), confirmed }];
}

function holdRow(parts: AdministrationParts, hold: Hold): HoldRow {
  const { reference, account, tenant, folder, path, window, used, limit, asked, opened, state } = hold;
  const scope = scopeOf(hold.scope);
  const login = parts.accounts.list(tenant).find(({ id }) => id === account)?.login ?? account;
  const owner = parts.tenants.list().find(({ id }) => id === tenant);
  const name = owner === undefined ? undefined : parts.folders.list(owner.id).find(({ id }) => id === folder)?.name;
  return {
    reference,
    login,
    tenant: owner?.name ?? tenant,
    path: `/${name ?? ''}${path}`,
    scope: scope === null ? hold.scope : scopeText(parts, scope),
    dimension: DIMENSIONS[hold.dimension] ?? 'bytes',
    window,
    used,
    limit,
    asked,
    opened: moment(opened),
    state,
  };
}
