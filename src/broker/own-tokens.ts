/** API tokens that people make for themselves: of their own account, with no scope that their session has not. */
import { tokenFingerprint } from '../accounts/access-token.ts';
import type { Account } from '../accounts/account.ts';
import type { ApiTokens } from '../accounts/web/api-tokens.ts';
import { oneself } from '../accounts/web/parts.ts';
import type { WebParts } from '../accounts/web/parts.ts';
import type { ApiToken } from '../accounts/web/store.ts';
import { WaybillError } from '../base/errors.ts';
import type { FrontCalls } from './calls.ts';
import type { Connections, LiveSession } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { FrontCallers } from './front-handlers.ts';
import { isStrong } from './web-handlers.ts';

export type OwnTokenHandlers = Pick<Handlers<FrontCalls, FrontCallers>, Extract<keyof FrontCalls, `own.${string}`>>;

export interface OwnTokensParts {
  readonly web: WebParts;
  readonly tokens: ApiTokens;
  readonly connections: Pick<Connections, 'end'>;
}

/** What nobody renews ends by itself. */
const LIFE_MILLISECONDS = 366 * 86_400_000;

export function ownTokens({ web, tokens, connections }: OwnTokensParts): OwnTokenHandlers {
  return {
    'own.tokens': (_request, session) => {
      const { login } = person(web, session);
      return { tokens: tokens.list(login).map(({ token }) => row(token)) };
    },
    'own.add-token': async ({ label, fingerprint, scopes, addresses, expires }, session) => {
      const account = strongPerson(web, session);
      const missing = scopes.find((scope) => session.web?.scopes.includes(scope) !== true);
      if (missing !== undefined) throw new WaybillError('scope-missing', `this session has no scope ${missing} itself`);
      if (expires > web.clock.now() + LIFE_MILLISECONDS)
        throw new WaybillError('option-invalid', 'a token that one makes for oneself ends within 366 days');
      const within = (): void => {
        if (session.ended !== null) throw new WaybillError('session-ended', 'the session was ended');
        strongPerson(web, session);
      };
      const wish = { login: account.login, label, fingerprint, scopes, addresses, expires };
      return row(await tokens.add(wish, { ...oneself(account), within }));
    },
    'own.remove-token': async ({ token }, session) => {
      const account = person(web, session);
      if (web.store.token(token)?.account !== account.id) throw new WaybillError('not-found', 'no token has this id');
      await tokens.remove(token, oneself(account));
      return {
        ended: connections.end(({ proofs }) => proofs.includes(token), 'the token of this session was removed'),
      };
    },
  };
}

/** A token makes no other token, and sees none: whoever has stolen it must not outlive it. */
function person({ accounts }: WebParts, { account: id, web }: LiveSession): Account {
  if (web === undefined || web.webSession === null)
    throw new WaybillError('call-forbidden', 'only who has signed in as a person can do this');
  const account = accounts.account(id);
  if (account === null) throw new WaybillError('session-ended', 'the account is gone');
  return account;
}

function strongPerson(parts: WebParts, session: LiveSession): Account {
  const account = person(parts, session);
  if (session.web === undefined || !isStrong(session.web, parts.clock.now()))
    throw new WaybillError('step-up-needed', 'show a passkey or a code again, then try again');
  // It is for getting in once more and enrolling again; a token would outlast that.
  if (session.web.factors.includes('recovery'))
    throw new WaybillError('permission-denied', 'a session that a recovery code began makes no tokens');
  return account;
}

function row({ id, label, hash, scopes, addresses, created, expires, lastUsed, suspended }: ApiToken) {
  const fingerprint = tokenFingerprint(hash);
  return { id, label, fingerprint, scopes: [...scopes], addresses, created, expires, lastUsed, suspended };
}
