import type { Folder, Tenant } from '../files/store.ts';
import type { FolderRow, TenantRow } from './admin-calls.ts';
import type { KeyActCall } from './administration-key-acts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

type TenantCalls = Pick<
  AdminHandlers,
  | Exclude<Extract<keyof AdminHandlers, `tenant.${string}`>, KeyActCall>
  | 'folder.add'
  | 'folder.list'
  | 'folder.remove'
  | 'product.add'
  | 'product.list'
  | 'product.remove'
>;

export function tenantHandlers(parts: AdministrationParts): TenantCalls {
  const { tenants, folders, accounts } = parts;
  return {
    'tenant.add': async ({ name, displayName, quota = parts.defaultQuota }, by) =>
      tenantRow(parts, await tenants.create({ name, displayName, quota }, by)),
    'tenant.list': () => ({ tenants: tenants.list().map((tenant) => tenantRow(parts, tenant)) }),
    'tenant.set-quota': async ({ name, quota }, by) =>
      tenantRow(parts, await tenants.setQuota(tenants.byName(name).id, quota, by)),
    'tenant.remove': async ({ name }, by) => {
      const { id } = tenants.byName(name);
      await tenants.remove(id, by);
      for (const authority of accounts.authorities(id)) await accounts.removeCertificateAuthority(authority.id, by);
      return {};
    },
    'folder.add': async ({ tenant, name }, by) => {
      const owner = tenants.byName(tenant);
      return folderRow(parts, owner, await folders.create(owner.id, name, by));
    },
    'folder.list': ({ tenant }) => {
      const owners = tenant === null ? tenants.list() : [tenants.byName(tenant)];
      return {
        folders: owners.flatMap((owner) => folders.list(owner.id).map((folder) => folderRow(parts, owner, folder))),
      };
    },
    'folder.remove': async ({ tenant, name }, by) => {
      await folders.remove(folders.byName(tenants.byName(tenant).id, name).id, by);
      return {};
    },
    'product.add': async ({ product, tenant, name }, by) => {
      const folder = folders.byName(tenants.byName(tenant).id, name);
      await folders.useIn(product, folder, by);
      return { product, tenant, folder: name };
    },
    'product.list': () => ({
      products: folders
        .products()
        .map(({ product, folder }) => ({ product, tenant: tenants.get(folder.tenant).name, folder: folder.name })),
    }),
    'product.remove': async ({ product, tenant, name }, by) => {
      await folders.useNoLonger(product, folders.byName(tenants.byName(tenant).id, name), by);
      return {};
    },
  };
}

function tenantRow({ folders, accounts, usage, keys }: AdministrationParts, tenant: Tenant): TenantRow {
  const { id, name, displayName, quota } = tenant;
  const { used } = usage(id);
  return {
    name,
    displayName,
    quota,
    used,
    folders: folders.list(id).length,
    accounts: accounts.list(id).length,
    state: keys.stateOf(id),
  };
}

function folderRow({ folders }: AdministrationParts, tenant: Tenant, folder: Folder): FolderRow {
  return { tenant: tenant.name, name: folder.name, ...folders.totals(folder) };
}
