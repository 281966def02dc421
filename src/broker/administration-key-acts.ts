/** What an administrator does to the keys above the files. Each act is a few words over keys/key-acts.ts. */
import { WaybillError } from '../base/errors.ts';
import type { AdminResponse } from './admin-calls.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

export type KeyActCall =
  'tenant.lock' | 'tenant.unlock' | 'tenant.rotate-key' | 'tenant.shred' | 'rootkey.show' | 'rootkey.rotate';

export function keyActHandlers(parts: AdministrationParts): Pick<AdminHandlers, KeyActCall> {
  const { tenants, keyActs, grants } = parts;
  const idOf = (name: string): string => tenants.byName(name).id;
  return {
    'tenant.lock': async ({ name }, by) => ({ name, ...(await keyActs.lock(idOf(name), by)) }),
    'tenant.unlock': async ({ name }, by) => {
      await keyActs.unlock(idOf(name), by);
      return {};
    },
    'tenant.rotate-key': async ({ name }, by) => ({ name, ...(await keyActs.rotateTenant(idOf(name), by)) }),
    'tenant.shred': async ({ name, confirm }, by) => {
      const id = idOf(name);
      if (confirm !== name)
        throw new WaybillError('option-invalid', 'what was typed is not the name of the tenant; nothing was destroyed');
      // In the same transaction: a hold that was put a moment ago counts.
      const within = (): void => {
        by.within?.();
        grants.legalHolds.refuseTenant(id);
      };
      return { name, ...(await keyActs.shred(id, { ...by, within })) };
    },
    'rootkey.show': () => shown(parts),
    'rootkey.rotate': async (_request, by) => {
      const { from, to, rewrapped, stuck, retired, destroyed } = await keyActs.rotateRoot(by);
      return { from, to, rewrapped, stuck, retired: [...retired], destroyed };
    },
  };
}

function shown({ keyActs, tenants }: AdministrationParts): AdminResponse<'rootkey.show'> {
  const { provider, place, current, versions, rotating } = keyActs.overview();
  const names = new Map(tenants.list().map(({ id, name }) => [id, name]));
  return {
    provider,
    place,
    current,
    versions: versions.map((row) => ({ ...row })),
    rotating: rotating.map((id) => names.get(id) ?? id),
  };
}
