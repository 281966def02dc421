/** What the token of an administrator opens over HTTPS: a session without an account and without files. */
import { tokenFingerprint } from '../accounts/access-token.ts';
import type { Administrator } from '../accounts/administrators.ts';
import { newId } from '../base/ids.ts';
import type { EventOf } from '../ledger/core/kinds.ts';
import type { LedgerNode } from '../ledger/node.ts';
import { NO_TENANT } from './connections.ts';
import type { Connection, Identity } from './connections.ts';

export function administratorIdentity({ id, name, tokenHash }: Administrator): Identity {
  return {
    ...{ session: newId(), account: id, tenant: NO_TENANT, login: name, tenantName: '-' },
    ...{ credential: `access token ${tokenFingerprint(tokenHash)}`, proofs: [id], marks: [] },
    web: {
      ...{ scopes: ['admin'], factors: ['token'], webSession: null, origin: null },
      ...{ strong: null, ends: null, idle: null, refusals: 0 },
      administrator: { id, tokenHash },
    },
  };
}

/** For the operator's log. */
export function administratorSignIn(
  { address }: Connection,
  { session, account, login, credential }: Identity,
  { tokenHash }: Administrator,
  client: string,
  { run, name: node, software }: LedgerNode,
): EventOf<'sign-in'> {
  return {
    kind: 'sign-in',
    ...{ session, account, login, protocol: 'https', address, client, run, node, software },
    factors: ['token'],
    credentials: [tokenFingerprint(tokenHash)],
    descriptions: [credential],
    firsts: [],
  };
}
