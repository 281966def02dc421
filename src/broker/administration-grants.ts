import type { Account } from '../accounts/account.ts';
import type { Folder } from '../files/store.ts';
import type { LegalHold } from '../policy/flow-store.ts';
import type { Grant } from '../policy/grants.ts';
import { fromBits } from '../policy/rights.ts';
import type { GrantRow, LegalHoldRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import { policyOf, policyRow } from './grant-policies.ts';

type GrantCalls = Pick<
  AdminHandlers,
  Extract<keyof AdminHandlers, `grant.${string}`> | 'folder.hold' | 'folder.unhold' | 'folder.holds'
>;

export function grantHandlers(parts: AdministrationParts): GrantCalls {
  const { accounts, tenants, folders, grants } = parts;
  const folderOf = (tenant: string, name: string): Folder => folders.byName(tenants.byName(tenant).id, name);
  return {
    'grant.add': async (request, by) => {
      const policy = policyOf(request.policy);
      const grant = await grants.grant({ ...findGrant(parts, request), rights: request.rights, policy }, by);
      return grantRow(parts, request.login, grant);
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
    'grant.remove': async (request, by) => {
      const found = findGrant(parts, request);
      await grants.revoke(found.account.id, found.folder.id, by);
      return {};
    },
    'folder.hold': async ({ tenant, name, reason }, by) =>
      holdRow(parts, await grants.legalHolds.hold(folderOf(tenant, name), reason, by)),
    'folder.unhold': async ({ tenant, name, reason }, by) => {
      await grants.legalHolds.lift(folderOf(tenant, name), reason, by);
      return {};
    },
    'folder.holds': ({ tenant }) => {
      const owners = tenant === null ? tenants.list() : [tenants.byName(tenant)];
      const holds = owners.flatMap(({ id }) => grants.legalHolds.ofTenant(id));
      return { holds: holds.map((hold) => holdRow(parts, hold)) };
    },
  };
}

/** A folder without a tenant is one of the account's own. */
export function findGrant(
  { accounts, tenants, folders }: AdministrationParts,
  named: { readonly login: string; readonly tenant: string | null; readonly folder: string },
): { account: Account; folder: Folder } {
  const account = accounts.get(named.login);
  const owner = named.tenant === null ? account.tenant : tenants.byName(named.tenant).id;
  return { account, folder: folders.byName(owner, named.folder) };
}

function grantRow({ tenants, folders }: AdministrationParts, login: string, grant: Grant): GrantRow {
  const folder = folders.list(grant.tenant).find(({ id }) => id === grant.folder);
  return {
    login,
    tenant: tenants.get(grant.tenant).name,
    folder: folder?.name ?? grant.mount,
    path: `/${grant.mount}`,
    rights: fromBits(grant.rights),
    policy: policyRow(grant.policy),
  };
}

function holdRow({ tenants, folders }: AdministrationParts, hold: LegalHold): LegalHoldRow {
  const folder = folders.list(hold.tenant).find(({ id }) => id === hold.folder);
  const { reason, since, actor } = hold;
  const tenant = tenants.get(hold.tenant).name;
  return { tenant, folder: folder?.name ?? hold.folder, reason, since: moment(since), actor };
}
