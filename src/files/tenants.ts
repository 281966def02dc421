/** Tenants, for the operator: who owns files, how much they may store, and the key that everything of theirs hangs on. */
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { checkName, composed } from '../base/names.ts';
import type { Keys } from '../keys/keys.ts';
import { changed } from '../ledger/changed.ts';
import type { Json } from '../ledger/core/fields.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FileStore, Tenant } from './store.ts';

export interface TenantsOptions {
  readonly store: FileStore;
  readonly keys: Keys;
  readonly ledger: Ledger;
  readonly now?: () => number;
  /** Says what else belongs to the tenant (its accounts), or null; asked inside the write that would remove it. */
  readonly holds?: (tenant: string) => string | null;
}

export class Tenants {
  private readonly options: TenantsOptions;

  constructor(options: TenantsOptions) {
    this.options = options;
  }

  async create(
    request: { name: string; displayName?: string; quota: number | null },
    by: Acting = LOCAL_OPERATOR,
  ): Promise<Tenant> {
    const { store, keys } = this.options;
    const { name, quota } = request;
    checkName(name);
    checkQuota(quota);
    const tenant: Tenant = {
      id: newId(),
      name,
      displayName: request.displayName ?? '',
      quota,
      used: 0,
    };
    const key = await keys.newTenantKey(tenant.id);
    await store.write(() => {
      by.within?.();
      if (store.tenants().some((other) => composed(other.name) === composed(name)))
        throw new WaybillError('already-exists', `tenant "${name}" exists`);
      store.insertTenant(tenant, (this.options.now ?? Date.now)());
      keys.insertTenantKey(key);
      this.record(tenant.id, by, { action: 'tenant.create', name, quota });
    });
    return tenant;
  }

  list(): Tenant[] {
    return this.options.store.tenants();
  }

  get(id: string): Tenant {
    const tenant = this.options.store.tenant(id);
    if (tenant === null) throw new WaybillError('not-found', 'the tenant does not exist');
    return tenant;
  }

  byName(name: string): Tenant {
    const tenant = this.options.store.tenantByName(name);
    if (tenant === null) throw new WaybillError('not-found', `tenant "${name}" does not exist`);
    return tenant;
  }

  /** Takes effect with the next upload; what is stored stays, even when it is more. */
  async setQuota(id: string, quota: number | null, by: Acting = LOCAL_OPERATOR): Promise<Tenant> {
    checkQuota(quota);
    await this.options.store.write(() => {
      by.within?.();
      const { name } = this.get(id);
      this.options.store.setQuota(id, quota);
      this.record(id, by, { action: 'tenant.set-quota', name, quota });
    });
    return this.get(id);
  }

  /** Refused while anything belongs to it. Its key goes with it. */
  async remove(id: string, by: Acting = LOCAL_OPERATOR): Promise<void> {
    const { store, keys, holds } = this.options;
    await store.write(() => {
      by.within?.();
      const { name } = this.get(id);
      const held = store.folders(id).length > 0 ? 'folders' : (holds?.(id) ?? null);
      if (held !== null) throw new WaybillError('directory-not-empty', `tenant "${name}" still has ${held}`);
      keys.removeTenantKeys(id);
      store.removeTenant(id);
      this.record(id, by, { action: 'tenant.remove', name });
    });
    keys.forgetTenant(id);
  }

  private record(
    tenant: string,
    { actor, approvedBy }: Acting,
    { action, ...detail }: { action: string; [name: string]: Json },
  ): void {
    this.options.ledger.append(tenant, changed(action, { actor, approvedBy, detail }));
  }
}

function checkQuota(quota: number | null): void {
  if (quota !== null && (!Number.isSafeInteger(quota) || quota < 0))
    throw new WaybillError('option-invalid', 'a quota is a whole number of bytes, or none');
}
