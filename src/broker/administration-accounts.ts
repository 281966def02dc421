import type { Account, Credential } from '../accounts/account.ts';
import type { Chain } from '../accounts/chains.ts';
import { demandOf } from '../accounts/demands.ts';
import type { AccountRow } from './admin-calls.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

type AccountCalls = Pick<
  AdminHandlers,
  Exclude<Extract<keyof AdminHandlers, `account.${string}`>, 'account.confirm' | 'account.forget' | 'account.seen'>
>;

export function accountHandlers(parts: AdministrationParts): AccountCalls {
  const { accounts, tenants, connections, grants, budgets } = parts;
  const endSessions = (account: Account, reason: string): void => {
    connections.end((session) => session.account === account.id, reason);
  };
  /** What a replaced or removed credential had opened is closed with it. */
  const endSessionsBy = (credentials: readonly Credential[]): void => {
    const ids = new Set(credentials.map(({ id }) => id));
    connections.end(({ proofs }) => proofs.some((id) => ids.has(id)), 'the credential of this session was changed');
  };
  const ofKind = (login: string, kind: Credential['kind']): Credential[] =>
    accounts.credentials(login).filter((credential) => credential.kind === kind);
  return {
    'account.add': async ({ tenant, login, displayName, administrator, kind = 'person' }, by) => {
      const owner = tenants.byName(tenant);
      const added = { tenant: owner.id, login, displayName, administrator, kind };
      return accountRow(parts, await accounts.create(added, by));
    },
    'account.list': ({ tenant }) => {
      const owner = tenant === null ? null : tenants.byName(tenant).id;
      return { accounts: accounts.list(owner).map((account) => accountRow(parts, account)) };
    },
    'account.suspend': async ({ login }, by) => {
      const account = await accounts.suspend(login, by);
      endSessions(account, 'the account is suspended');
      return accountRow(parts, account);
    },
    'account.activate': async ({ login }, by) => accountRow(parts, await accounts.activate(login, by)),
    'account.remove': async ({ login }, by) => {
      const forget = ({ id }: Account): void => {
        grants.forgetAccount(id);
        budgets.forgetAccount(id);
      };
      const account = await accounts.remove(login, forget, by);
      endSessions(account, 'the account is removed');
      return {};
    },
    'account.password': async ({ login, password }, by) => {
      const replaced = ofKind(login, 'password');
      const account = await accounts.setPassword(login, password, by);
      endSessionsBy(replaced);
      return accountRow(parts, account);
    },
    'account.totp-enrol': ({ login }, by) => accounts.enrolTotp(login, by),
    'account.totp-remove': async ({ login }, by) => accountRow(parts, await accounts.removeTotp(login, by)),
    'account.require': async ({ login, chains }, by) => accountRow(parts, await accounts.setChains(login, chains, by)),
  };
}

function accountRow({ accounts, tenants, web }: AdministrationParts, account: Account): AccountRow {
  const { store } = web.parts;
  const kind = store.kindOf(account.id);
  const { login, displayName, administrator, status, chains } = account;
  const credentials = accounts.credentials(login);
  const count = (kind: Credential['kind']): number => credentials.filter((one) => one.kind === kind).length;
  return {
    login,
    tenant: tenants.get(account.tenant).name,
    displayName,
    kind,
    state: status,
    administrator,
    password: count('password') > 0,
    totp: count('totp') > 0,
    keys: count('key'),
    require: chains.map((chain: Chain) => [...chain]),
    demand: demandOf(kind, store.policyOf(account.tenant)),
  };
}
