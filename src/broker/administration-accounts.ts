import type { Account, Credential } from '../accounts/account.ts';
import type { Chain } from '../accounts/chains.ts';
import type { Grant } from '../policy/grants.ts';
import { fromBits } from '../policy/rights.ts';
import type { AccountRow, GrantRow } from './admin-calls.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

type AccountCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `account.${string}`>>;
type GrantCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `grant.${string}`>>;

export function accountHandlers(parts: AdministrationParts): AccountCalls {
  const { accounts, tenants, connections, grants } = parts;
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
    'account.add': async ({ tenant, login, displayName, administrator }) => {
      const owner = tenants.byName(tenant);
      return accountRow(parts, await accounts.create({ tenant: owner.id, login, displayName, administrator }));
    },
    'account.list': ({ tenant }) => {
      const owner = tenant === null ? null : tenants.byName(tenant).id;
      return { accounts: accounts.list(owner).map((account) => accountRow(parts, account)) };
    },
    'account.suspend': async ({ login }) => {
      const account = await accounts.suspend(login);
      endSessions(account, 'the account is suspended');
      return accountRow(parts, account);
    },
    'account.activate': async ({ login }) => accountRow(parts, await accounts.activate(login)),
    'account.remove': async ({ login }) => {
      const { id } = accounts.get(login);
      // Asked for in one turn, so both are in one group commit; were they not, a grant of nobody would be left, which
      // gives nothing to anybody: ids of accounts are never used again.
      const [account] = await Promise.all([
        accounts.remove(login),
        parts.write(() => {
          grants.forgetAccount(id);
        }),
      ]);
      endSessions(account, 'the account is removed');
      return {};
    },
    'account.password': async ({ login, password }) => {
      const replaced = ofKind(login, 'password');
      const account = await accounts.setPassword(login, password);
      endSessionsBy(replaced);
      return accountRow(parts, account);
    },
    'account.totp-enrol': ({ login }) => accounts.enrolTotp(login),
    'account.totp-remove': async ({ login }) => accountRow(parts, await accounts.removeTotp(login)),
    'account.require': async ({ login, chains }) => accountRow(parts, await accounts.setChains(login, chains)),
  };
}

export function grantHandlers(parts: AdministrationParts): GrantCalls {
  const { accounts, tenants, folders, grants } = parts;
  const find = (login: string, tenant: string | null, folder: string) => {
    const account = accounts.get(login);
    const owner = tenant === null ? account.tenant : tenants.byName(tenant).id;
    return { account, folder: folders.byName(owner, folder) };
  };
  return {
    'grant.add': async ({ login, tenant, folder, rights }) => {
      const grant = await grants.grant({ ...find(login, tenant, folder), rights });
      return grantRow(parts, login, grant);
    },
    'grant.list': ({ login, tenant }) => {
      const owner = tenant === null ? null : tenants.byName(tenant).id;
      const asked = login === null ? accounts.list(owner) : [accounts.get(login)];
      const rows = asked.flatMap((account) =>
        grants
          .ofAccount(account.id)
          .filter((grant) => owner === null || grant.tenant === owner)
          .map((grant) => grantRow(parts, account.login, grant)),
      );
      return { grants: rows };
    },
    'grant.remove': async ({ login, tenant, folder }) => {
      const found = find(login, tenant, folder);
      await grants.revoke(found.account.id, found.folder.id);
      return {};
    },
  };
}

function accountRow({ accounts, tenants }: AdministrationParts, account: Account): AccountRow {
  const { login, displayName, administrator, status, chains } = account;
  const credentials = accounts.credentials(login);
  const count = (kind: Credential['kind']): number => credentials.filter((one) => one.kind === kind).length;
  return {
    login,
    tenant: tenants.get(account.tenant).name,
    displayName,
    state: status,
    administrator,
    password: count('password') > 0,
    totp: count('totp') > 0,
    keys: count('key'),
    require: chains.map((chain: Chain) => [...chain]),
  };
}

function grantRow({ tenants, folders }: AdministrationParts, login: string, grant: Grant): GrantRow {
  const folder = folders.list(grant.tenant).find(({ id }) => id === grant.folder);
  return {
    login,
    tenant: tenants.get(grant.tenant).name,
    folder: folder?.name ?? grant.mount,
    path: `/${grant.mount}`,
    rights: fromBits(grant.rights),
  };
}
