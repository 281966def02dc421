import { tokenFingerprint } from '../accounts/access-token.ts';
import type { Administrator } from '../accounts/administrators.ts';
import type { AdministratorRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminActing, AdminHandlers, AdministrationParts } from './administration-parts.ts';

type AdministratorCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `administrator.${string}`>>;

export function administratorHandlers({ administrators }: AdministrationParts): AdministratorCalls {
  return {
    'administrator.list': () => ({ administrators: administrators.list().map(row) }),
    'administrator.add': async ({ name, fingerprint }, by) => row(await administrators.add(name, fingerprint, by)),
    'administrator.renew': async ({ name, fingerprint }, by) => row(await administrators.renew(name, fingerprint, by)),
    'administrator.remove': async ({ name }, by) => {
      await administrators.remove(name, by);
      return {};
    },
  };
}

/** From the token that came with a call; without one it is the operator on the machine itself. */
export function callerOf(
  { administrators }: Pick<AdministrationParts, 'administrators'>,
  token: string | null,
): AdminActing {
  const administrator = token === null ? null : administrators.byToken(token);
  return { actor: administrator?.name ?? '', approvedBy: '', administrator };
}

function row({ name, tokenHash, created, renewed }: Administrator): AdministratorRow {
  return { name, fingerprint: tokenFingerprint(tokenHash), added: moment(created), renewed: moment(renewed) };
}
