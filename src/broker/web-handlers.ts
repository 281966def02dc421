/** The handlers of WEB_CALLS: what a browser's sign-in is made of, and what people do with their own sign-ins. */
import type { Account } from '../accounts/account.ts';
import { checkTotp } from '../accounts/guessable-steps.ts';
import { addPasskey, setRecoveryCodes } from '../accounts/web/enrolments.ts';
import { change, oneself } from '../accounts/web/parts.ts';
import type { WebParts } from '../accounts/web/parts.ts';
import { Challenge } from '../accounts/web/passkeys.ts';
import type { PasskeyAssertion } from '../accounts/web/passkeys.ts';
import { newRecoveryCodes } from '../accounts/web/recovery-codes.ts';
import { WaybillError } from '../base/errors.ts';
import type { FrontCalls } from './calls.ts';
import type { LiveSession, WebIdentity } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { FrontCallers } from './front-handlers.ts';
import type { WebSignIns, WebSignInsParts } from './web-sign-ins.ts';

export type WebHandlers = Pick<Handlers<FrontCalls, FrontCallers>, Extract<keyof FrontCalls, `web.${string}`>>;

export interface WebHandlersParts extends Pick<WebSignInsParts, 'signIn' | 'sessions' | 'connections'> {
  readonly web: WebParts;
  readonly signIns: WebSignIns;
}

/** After this long a strong factor has to be shown again before what signs in is changed. */
export const STRONG_MILLISECONDS = 5 * 60_000;
const STEP_UP_TRIES = 6;

export function webHandlers(parts: WebHandlersParts): WebHandlers {
  return { ...signingIn(parts), ...enrolling(parts), ...ownSessions(parts), ...ownCredentials(parts) };
}

type Part<N extends keyof WebHandlers> = Pick<WebHandlers, N>;

function signingIn({
  signIns,
}: WebHandlersParts): Part<
  'web.start' | 'web.passkey-options' | 'web.passkey' | 'web.password' | 'web.totp' | 'web.recovery' | 'web.session'
> {
  return {
    'web.start': ({ origin, client }, connection) => signIns.start(connection, origin, client),
    'web.passkey-options': ({ flow }, connection) => signIns.ask(connection, flow, (signIn) => signIn.passkeyOptions()),
    'web.passkey': ({ flow, response }, connection) =>
      signIns.step(connection, flow, (signIn) => signIn.passkey(response)),
    'web.password': ({ flow, user, password }, connection) =>
      signIns.step(connection, flow, (signIn) => signIn.password(user, password)),
    'web.totp': ({ flow, code }, connection) => signIns.step(connection, flow, (signIn) => signIn.totp(code)),
    'web.recovery': ({ flow, code }, connection) => signIns.step(connection, flow, (signIn) => signIn.recovery(code)),
    'web.session': (request, connection) => signIns.open(connection, request),
  };
}

function enrolling({
  signIns,
}: WebHandlersParts): Part<
  'web.enrol-start' | 'web.enrol-passkey-options' | 'web.enrol-passkey' | 'web.enrol-password' | 'web.enrol-totp'
> {
  const answer = (codes: string[] | string | null) =>
    Array.isArray(codes) ? { result: 'enrolled' as const, recovery: codes } : { result: 'failure' as const };
  return {
    'web.enrol-start': ({ origin, secret }, connection) => {
      const { flow, enrolling: one } = signIns.startEnrolment(connection, origin, secret);
      return { flow, login: one.account.login, methods: one.methods };
    },
    'web.enrol-passkey-options': ({ flow }, connection) => signIns.enrolling(connection, flow).passkeyOptions(),
    'web.enrol-passkey': async ({ flow, response, label }, connection) =>
      answer(await signIns.enrolling(connection, flow).passkey(response, label)),
    'web.enrol-password': ({ flow, password }, connection) => signIns.enrolling(connection, flow).password(password),
    'web.enrol-totp': async ({ flow, code }, connection) =>
      answer(await signIns.enrolling(connection, flow).totp(code)),
  };
}

interface Own {
  readonly account: Account;
  readonly web: WebIdentity & { readonly webSession: string };
}

/** Throws `call-forbidden` for a session that is not of a browser: a token changes nothing about how people sign in. */
function own({ web }: WebHandlersParts, { account: id, web: identity }: LiveSession): Own {
  const account = web.accounts.account(id);
  if (account === null) throw new WaybillError('session-ended', 'the account is gone');
  const webSession = identity?.webSession ?? null;
  if (identity === undefined || webSession === null)
    throw new WaybillError('call-forbidden', 'only who has signed in as a person can do this');
  return { account, web: identity as Own['web'] };
}

function ownStrong(parts: WebHandlersParts, session: LiveSession): Own {
  const found = own(parts, session);
  if (!isStrong(found.web, parts.web.clock.now()))
    throw new WaybillError('step-up-needed', 'show a passkey or a code again, then try again');
  return found;
}

export function isStrong({ strong }: Pick<WebIdentity, 'strong'>, now: number): boolean {
  return strong !== null && now - strong < STRONG_MILLISECONDS;
}

/** For what only somebody may who has just shown a strong factor; null for everybody else. */
export function justShown(
  session: LiveSession,
  now: number,
): { factors: readonly string[]; proofs: readonly string[] } | null {
  const { web } = session;
  if (web === undefined || web.webSession === null || !isStrong(web, now)) return null;
  return { factors: web.factors, proofs: session.proofs.filter((id) => id !== web.webSession) };
}

function ownSessions(
  parts: WebHandlersParts,
): Part<'web.account' | 'web.sign-out' | 'web.sessions' | 'web.end-session' | 'web.step-up-options' | 'web.step-up'> {
  const { sessions, connections, signIn } = parts;
  const challenges = new WeakMap<LiveSession, Challenge>();
  const end = async (account: Account, id: string, why: string): Promise<void> => {
    // What it opened is closed first, whether the rest can be recorded or not.
    connections.end(({ web, account: owner }) => web?.webSession === id && owner === account.id, why);
    if (!(await sessions.end(account, id, why))) throw new WaybillError('not-found', 'this session is over already');
  };
  const showed = async ({ account, web }: Own, factor: string, credential: string) => {
    await change(parts.web, account, oneself(account), 'web-session.step-up', { credential, detail: { factor } }, () =>
      sessions.showedStrong(web.webSession),
    );
    const strong = parts.web.clock.now();
    for (const one of connections.list()) if (one.web?.webSession === web.webSession) one.web.strong = strong;
    return { result: 'success' as const, strong };
  };
  const refused = async ({ account, web }: Own) => {
    web.refusals++;
    if (web.refusals >= STEP_UP_TRIES) await end(account, web.webSession, 'too many refused tries');
    return { result: 'failure' as const };
  };
  return {
    'web.account': (_request, session) => parts.signIns.account(session),
    'web.sign-out': async (_request, session) => {
      const { account, web } = own(parts, session);
      await end(account, web.webSession, 'signed out');
      return {};
    },
    'web.sessions': (_request, session) => {
      const { account, web } = own(parts, session);
      return {
        sessions: sessions.list(account.id).map((one) => {
          const { id, factors, address, client, begun, lastUsed } = one;
          const shown = { id, own: id === web.webSession, factors: [...factors], address, client, begun, lastUsed };
          return { ...shown, ends: sessions.endOf(one) };
        }),
      };
    },
    'web.end-session': async ({ id }, session) => {
      await end(own(parts, session).account, id, 'ended by its owner');
      return {};
    },
    'web.step-up-options': (_request, session) => {
      const { account, web } = own(parts, session);
      const rpId = web.origin?.rpId ?? null;
      if (rpId === null) throw new WaybillError('unsupported', 'there are no passkeys at this address');
      const challenge = new Challenge();
      challenges.set(session, challenge);
      const text = challenge.ask('get', parts.web.clock.now());
      return signIn.passkeys.requestOptions(rpId, text, signIn.web.passkeys(account.id));
    },
    'web.step-up': async ({ passkey, totp }, session) => {
      const found = own(parts, session);
      if (passkey !== undefined) {
        const id = await stepUpPasskey(parts, challenges.get(session), found, passkey);
        return id === null ? refused(found) : showed(found, 'passkey', id);
      }
      const { account } = found;
      const attempt = { account, login: account.login, address: session.address, password: totp ?? Buffer.alloc(0) };
      const verdict = await checkTotp(signIn, attempt);
      return verdict.passed ? showed(found, 'totp', verdict.used.id) : refused(found);
    },
  };
}

async function stepUpPasskey(
  { signIn }: WebHandlersParts,
  challenge: Challenge | undefined,
  { account, web }: Own,
  answer: PasskeyAssertion,
): Promise<string | null> {
  if (challenge === undefined || web.origin === null) return null;
  const verdict = await signIn.passkeys.assert(challenge, web.origin, answer, account.id);
  return verdict.passed ? verdict.passkey.id : null;
}

function ownCredentials(
  parts: WebHandlersParts,
): Part<'web.credentials' | 'web.register-options' | 'web.register' | 'web.remove-passkey' | 'web.recovery-codes'> {
  const { signIn, web, connections } = parts;
  const { passkeys } = signIn;
  const challenges = new WeakMap<LiveSession, Challenge>();
  return {
    'web.credentials': (_request, session) => {
      const { account } = own(parts, session);
      const shown = web.store
        .passkeys(account.id)
        .map(({ id, label, created, lastUsed }) => ({ id, label, created, lastUsed }));
      const [password, totp] = [signIn.store.passwordOf(account.id), signIn.store.totpOf(account.id)];
      const recovery = web.store.recoveryCodes(account.id);
      return { passkeys: shown, password: password !== null, totp: totp !== null, recovery };
    },
    'web.register-options': (_request, session) => {
      const { account, web: identity } = ownStrong(parts, session);
      const rpId = identity.origin?.rpId ?? null;
      if (rpId === null) throw new WaybillError('unsupported', 'there are no passkeys at this address');
      const challenge = new Challenge();
      challenges.set(session, challenge);
      return passkeys.creationOptions(rpId, challenge.ask('create', web.clock.now()), account);
    },
    'web.register': async ({ label, response }, session) => {
      const { account, web: identity } = ownStrong(parts, session);
      const challenge = challenges.get(session);
      if (challenge === undefined || identity.origin === null) return { result: 'failure' as const };
      const made = await passkeys.register(challenge, identity.origin, response, account, label);
      if (typeof made === 'string') return { result: 'failure' as const };
      await change(web, account, oneself(account), 'passkey.add', { credential: made.id, detail: { label } }, () => {
        addPasskey(web, made);
      });
      return { result: 'success' as const, passkey: made.id };
    },
    'web.remove-passkey': async ({ passkey }, session) => {
      const { account } = ownStrong(parts, session);
      if (web.store.passkey(passkey)?.account !== account.id)
        throw new WaybillError('not-found', 'no passkey has this id');
      const about = { credential: passkey, detail: {} };
      await change(web, account, oneself(account), 'passkey.remove', about, () => web.store.removePasskey(passkey));
      const why = 'the passkey of this session was removed';
      connections.end((one) => one !== session && one.proofs.includes(passkey), why);
      // The one that asks gets its answer first.
      if (session.proofs.includes(passkey)) setImmediate(() => connections.end((one) => one === session, why));
      return {};
    },
    'web.recovery-codes': async (_request, session) => {
      const { account } = ownStrong(parts, session);
      const recovery = newRecoveryCodes();
      await change(web, account, oneself(account), 'account.recovery-codes', {}, () => {
        setRecoveryCodes(web, account, recovery);
      });
      return { recovery };
    },
  };
}
