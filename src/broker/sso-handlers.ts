/** The handlers of SSO_CALLS: the flows of web-sign-ins.ts go away to a provider and come back. */
import type { Account } from '../accounts/account.ts';
import { change, oneself } from '../accounts/web/parts.ts';
import type { WebParts } from '../accounts/web/parts.ts';
import type { WebSessions } from '../accounts/web/web-sessions.ts';
import type { WebSignIn } from '../accounts/web/web-sign-in.ts';
import { WaybillError } from '../base/errors.ts';
import type { Pending, Returned, SingleSignOn } from '../sso/single-sign-on.ts';
import type { FrontCalls, Response } from './calls.ts';
import type { Connection, Connections, LiveSession } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { FrontCallers } from './front-handlers.ts';
import { WebFlows } from './web-flows.ts';
import type { WebSignIns } from './web-sign-ins.ts';

export type SsoHandlers = Pick<Handlers<FrontCalls, FrontCallers>, Extract<keyof FrontCalls, `sso.${string}`>>;

export interface SsoHandlersParts {
  readonly sso: SingleSignOn;
  readonly web: WebParts;
  readonly sessions: Pick<WebSessions, 'showedStrong'>;
  readonly signIns: Pick<WebSignIns, 'ask' | 'step'>;
  readonly connections: Pick<Connections, 'list'>;
}

interface StepUp {
  readonly pending: Pending;
  readonly account: Account;
  readonly webSession: string;
}

export function ssoHandlers(parts: SsoHandlersParts): SsoHandlers {
  const { sso, signIns, web } = parts;
  const pendings = new WeakMap<WebSignIn, Pending>();
  const stepUps = new WebFlows<StepUp>(
    () => undefined,
    () => web.clock.now(),
  );
  return {
    'sso.listed': () => ({
      providers: sso.providers.store
        .providers()
        .filter(({ listed }) => listed)
        .map(({ name, title }) => ({ name, title })),
    }),
    'sso.show': ({ provider }) => {
      const { name, title, issuer } = sso.providers.byName(provider);
      return { name, title, host: new URL(issuer).host };
    },
    'sso.start': async ({ flow, provider }, connection) => {
      const signIn = signIns.ask(connection, flow, (found) => found);
      const { address, pending } = await sso.begin(provider, signIn.origin.origin, false);
      pendings.set(signIn, pending);
      return { address };
    },
    'sso.step-up': async (_request, session) => {
      const { account, webSession, origin } = ownOf(parts, session);
      const provider = providerOf(parts, session);
      const { address, pending } = await sso.begin(provider, origin, true);
      const flow = stepUps.keep(session.connection.source, { pending, account, webSession });
      return { flow, address, provider };
    },
    'sso.finish': async ({ flow, provider, code, state, iss, error }, connection) => {
      const returned = { code, state, iss, error };
      const stepUp = stepUps.find(connection.source, flow);
      if (stepUp !== null) {
        stepUps.drop(connection.source, flow);
        return showAgain(parts, stepUp, provider, returned);
      }
      return finish(parts, pendings, { connection, flow, provider, returned });
    },
  };
}

interface Finishing {
  readonly connection: Connection;
  readonly flow: string;
  readonly provider: string;
  readonly returned: Returned;
}

function finish(
  { sso, signIns }: SsoHandlersParts,
  pendings: WeakMap<WebSignIn, Pending>,
  { connection, flow, provider, returned }: Finishing,
): Promise<Response<'sso.finish'>> {
  return signIns.step(connection, flow, (signIn) =>
    signIn.sso(() => {
      const pending = pendings.get(signIn);
      // Before anything is asked: the same answer, brought twice at once, must not find it again.
      pendings.delete(signIn);
      if (pending === undefined) return Promise.resolve({ passed: false, fault: 'sso-not-begun', account: null });
      return sso.finish(pending, provider, returned);
    }),
  );
}

async function showAgain(
  { sso, web, sessions, connections }: SsoHandlersParts,
  { pending, account, webSession }: StepUp,
  provider: string,
  returned: Returned,
): Promise<Response<'sso.finish'>> {
  const verdict = await sso.finish(pending, provider, returned);
  const failure = { result: 'failure' as const, methods: [], partial: false };
  // Who signs in anew has to be the same person; and with a provider that asks for one factor nothing strong was shown.
  if (!verdict.passed || verdict.account.id !== account.id || verdict.factor !== 'sso-mfa') return failure;
  const about = { credential: verdict.link, detail: { factor: verdict.factor } };
  await change(web, account, oneself(account), 'web-session.step-up', about, () => {
    if (!verdict.use() || !sessions.showedStrong(webSession))
      throw new WaybillError('session-ended', 'the session, or what it was opened by, is gone');
  });
  const strong = web.clock.now();
  for (const one of connections.list()) if (one.web?.webSession === webSession) one.web.strong = strong;
  return { result: 'stepped-up' };
}

function ownOf({ web }: SsoHandlersParts, { account: id, web: identity }: LiveSession) {
  const account = web.accounts.account(id);
  const webSession = identity?.webSession ?? null;
  const origin = identity?.origin?.origin ?? null;
  if (account === null || webSession === null || origin === null)
    throw new WaybillError('call-forbidden', 'only who has signed in as a person, at an address of ours, can do this');
  return { account, webSession, origin };
}

/** The provider that this session came from. */
function providerOf({ sso }: SsoHandlersParts, { account, proofs }: LiveSession): string {
  const { store } = sso.providers;
  const link = store.links(account).find(({ id }) => proofs.includes(id));
  const provider = link === undefined ? null : store.provider(link.provider);
  if (provider === null) throw new WaybillError('unsupported', 'this session was not opened by single sign-on');
  return provider.name;
}
