import { tokenFingerprint } from '../accounts/access-token.ts';
import { hasToken } from '../accounts/administrators.ts';
import type { Administrator } from '../accounts/administrators.ts';
import type { AdministratorRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminActing, AdminHandlers, AdministrationParts } from './administration-parts.ts';

type AdministratorCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `administrator.${string}`>>;

export function administratorHandlers({ administrators, connections }: AdministrationParts): AdministratorCalls {
  const row = (one: Administrator): AdministratorRow => ({
    name: one.name,
    fingerprint: hasToken(one) ? tokenFingerprint(one.tokenHash) : null,
    account: administrators.accountOf(one.name) !== null,
    added: moment(one.created),
    renewed: moment(one.renewed),
  });
  const endByToken = ({ id }: Administrator, reason: string): void => {
    connections.end(({ web }) => web?.administrator?.id === id, reason);
  };
  return {
    'administrator.list': () => ({ administrators: administrators.list().map(row) }),
    'administrator.add': async ({ name, fingerprint }, by) => row(await administrators.add(name, fingerprint, by)),
    'administrator.renew': async ({ name, fingerprint }, by) => {
      const renewed = await administrators.renew(name, fingerprint, by);
      endByToken(renewed, 'the token of this session was renewed');
      return row(renewed);
    },
    'administrator.remove': async ({ name }, by) => {
      const account = administrators.accountOf(name);
      endByToken(await administrators.remove(name, by), 'the administrator was removed');
      // What it opened as an administrator does not go on.
      connections.end(
        (one) => one.account === account?.id && one.web?.scopes.includes('admin') === true,
        'the account is no administrator any more',
      );
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
