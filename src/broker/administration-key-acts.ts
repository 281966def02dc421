/** What an administrator does to the keys above the files. Each act is a few words over keys/key-acts.ts. */
import { WaybillError } from '../base/errors.ts';
import type { Act } from '../keys/records.ts';
import type { AdminResponse } from './admin-calls.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

export type KeyActCall =
  'tenant.lock' | 'tenant.unlock' | 'tenant.rotate-key' | 'tenant.shred' | 'rootkey.show' | 'rootkey.rotate';

/** Whoever can open the administration socket is the operator; nobody is named by it. */
const OPERATOR: Act = { actor: null, approvedBy: null };

export function keyActHandlers(parts: AdministrationParts): Pick<AdminHandlers, KeyActCall> {
  const { tenants, keyActs } = parts;
  const idOf = (name: string): string => tenants.byName(name).id;
  return {
    'tenant.lock': async ({ name }) => ({ name, ...(await keyActs.lock(idOf(name), OPERATOR)) }),
    'tenant.unlock': async ({ name }) => {
      await keyActs.unlock(idOf(name), OPERATOR);
      return {};
    },
    'tenant.rotate-key': async ({ name }) => ({ name, ...(await keyActs.rotateTenant(idOf(name), OPERATOR)) }),
    'tenant.shred': async ({ name, confirm }) => {
      const id = idOf(name);
      if (confirm !== name)
        throw new WaybillError('option-invalid', 'what was typed is not the name of the tenant; nothing was destroyed');
      return { name, ...(await keyActs.shred(id, OPERATOR)) };
    },
    'rootkey.show': () => shown(parts),
    'rootkey.rotate': async () => {
      const { from, to, rewrapped, stuck, retired, destroyed } = await keyActs.rotateRoot(OPERATOR);
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
