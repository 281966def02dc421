/** The handlers of FRONT_CALLS: what each call means, once dispatch.ts has found who asks. */
import type { FileHandlers } from '../files/files.ts';
import type { FileSession } from '../files/session.ts';
import type { Caller, FrontCalls, Response, TlsIdentity } from './calls.ts';
import type { Connection, Connections, FrontEnd, LiveSession } from './connections.ts';
import type { Callers, Handlers } from './dispatch.ts';
import { readExchange } from './exchange.ts';
import type { Certificates } from './certificates.ts';
import type { FastHandlers } from './fast-transfers.ts';
import type { HostKeys } from './host-keys.ts';
import type { OwnTokenHandlers } from './own-tokens.ts';
import type { RemoteAdministration } from './remote-administration.ts';
import type { Logins } from './logins.ts';
import { requireScope } from './scopes.ts';
import type { SignIns } from './sign-ins.ts';
import type { SsoHandlers } from './sso-handlers.ts';
import type { WebHandlers } from './web-handlers.ts';
import { WaybillError } from '../base/errors.ts';
import type { TraceContext } from '../base/trace-context.ts';

/** What the handlers of front calls are given, by the `who` of the row. */
export interface FrontCallers extends Callers {
  readonly front: FrontEnd;
  readonly connection: Connection;
  readonly session: LiveSession;
  readonly administrator: never;
}

export interface FrontHandlersParts {
  readonly hello: Omit<Response<'hello'>, 'hostKeys'>;
  readonly hostKeys: HostKeys;
  /** Null where HTTPS is not served. */
  tls(): TlsIdentity | null;
  readonly signIns: SignIns;
  readonly certificates: Certificates;
  readonly web: WebHandlers;
  readonly sso: SsoHandlers;
  readonly logins: Logins['handlers'];
  readonly ownTokens: OwnTokenHandlers;
  readonly administration: Pick<RemoteAdministration, 'call'>;
  readonly files: FileHandlers;
  readonly fast: FastHandlers;
  readonly connections: Connections;
  /** A request of the session named its trace; null where nothing is traced. */
  readonly joined: ((session: string, context: TraceContext) => void) | null;
  /** Feeds the penalties; only what happened before sign-in is the source's and not the account's. */
  offence(connection: Connection, offence: 'grace' | 'protocol'): void;
  /** Resolves when everything that the end of this session leaves behind is durable. */
  ended(session: LiveSession): Promise<void>;
}

export function frontHandlers(parts: FrontHandlersParts): Handlers<FrontCalls, FrontCallers> {
  return {
    ...connectionHandlers(parts),
    ...signInHandlers(parts.signIns),
    ...fileHandlers(parts.files),
    ...parts.web,
    ...parts.sso,
    ...parts.logins,
    ...parts.ownTokens,
    ...parts.fast,
    'admin.call': ({ call, request }, session) => parts.administration.call(session, call, request),
    'trace.join': ({ context }, { session }) => {
      parts.joined?.(session, context);
      return {};
    },
    'certificate.issue': (request, session) => parts.certificates.issue(session, request),
  };
}

/** Finds the owner of a call from this front; see Connections for what others' ids look like to it. */
export function identifyFront(front: FrontEnd, connections: Connections) {
  return (who: Caller, request: Readonly<Record<string, unknown>>): FrontCallers[Caller] => {
    if (who === 'connection') return connections.connectionOf(front, String(request['connection']));
    if (who === 'session') return connections.sessionOf(front, String(request['session']));
    if (who === 'front') return front;
    throw new WaybillError('call-forbidden', 'this call is for administrators');
  };
}

type Part<N extends keyof FrontCalls> = Pick<Handlers<FrontCalls, FrontCallers>, N>;

function connectionHandlers(
  parts: FrontHandlersParts,
): Part<'hello' | 'https.hello' | 'hostkey.sign' | 'hostkey.prove' | 'connection.closed'> {
  const { hello, hostKeys, signIns, connections } = parts;
  return {
    hello: () => ({ ...hello, hostKeys: hostKeys.offered }),
    'https.hello': () => {
      const tls = parts.tls();
      if (tls === null) throw new WaybillError('call-forbidden', 'HTTPS is not served');
      return { ...hello, tls, traces: parts.joined !== null };
    },
    'hostkey.sign': ({ algorithm, digest, exchange: shown }, connection) => {
      const exchange = readExchange(digest, shown);
      connections.countExchange(connection, exchange.cookie);
      const { signature, hostKey } = hostKeys.sign(algorithm, exchange);
      // It goes to terminals: what is not printable ASCII is not shown.
      if (connection.identity === null) connection.client = exchange.clientVersion.replaceAll(/[^\x20-\x7e]/g, '?');
      signIns.identify(connection, exchange.hash, hostKey);
      return { signature };
    },
    'hostkey.prove': ({ algorithm, blob }, connection) => {
      if (connection.identity === null) throw new WaybillError('call-forbidden', 'a proof before the key exchange');
      if (connection.session === null || connection.session.ended !== null)
        throw new WaybillError('call-forbidden', 'a proof outside a session');
      return { signature: hostKeys.prove(algorithm, blob, connection.identity.sessionId) };
    },
    'connection.closed': async ({ reason, offence }, connection) => {
      const sessions = [...connection.sessions];
      if (!connection.started && offence !== 'none') parts.offence(connection, offence);
      connections.close(connection, reason);
      await Promise.all(sessions.map((session) => parts.ended(session)));
      return {};
    },
  };
}

function signInHandlers(
  signIns: SignIns,
): Part<
  | 'signin.none'
  | 'signin.password'
  | 'signin.publickey-query'
  | 'signin.publickey'
  | 'signin.interactive'
  | 'signin.answers'
> {
  return {
    'signin.none': ({ user }, connection) => signIns.step(connection, (signIn) => signIn.none(user)),
    'signin.password': ({ user, password }, connection) =>
      signIns.step(connection, (signIn) => signIn.password(user, password)),
    'signin.publickey-query': ({ user, algorithm, blob }, connection) =>
      signIns.query(connection, (signIn) => signIn.publickeyQuery(user, algorithm, blob)),
    'signin.publickey': ({ user, algorithm, blob, signature, hostKey }, connection) => {
      signIns.hostKeySeen(connection, hostKey);
      return signIns.step(connection, (signIn) => signIn.publickey(user, algorithm, blob, signature, hostKey));
    },
    'signin.interactive': ({ user }, connection) => signIns.step(connection, (signIn) => signIn.interactive(user)),
    'signin.answers': ({ answers }, connection) => signIns.step(connection, (signIn) => signIn.answers(answers)),
  };
}

type FileCalls = Part<keyof FileHandlers>;

function fileHandlers(files: FileHandlers): FileCalls {
  const bound = Object.entries(files).map(([call, handler]): [string, unknown] => [
    call,
    (request: never, session: LiveSession) => {
      requireScope(session, call as keyof FileHandlers, request);
      return (handler as FileHandler)(fileSession(session), request);
    },
  ]);
  return counting(Object.fromEntries(bound) as unknown as FileCalls);
}

/** For lists of sessions; the records are the rooms' own. */
function counting(calls: FileCalls): FileCalls {
  return {
    ...calls,
    'file.close': async (request, session) => {
      const answer = await calls['file.close'](request, session);
      for (const [, length] of request.sent) session.sent += length;
      return answer;
    },
    'upload.commit': async (request, session) => {
      const answer = await calls['upload.commit'](request, session);
      session.stored += request.size;
      return answer;
    },
  };
}

type FileHandler = (who: FileSession, request: never) => unknown;

function fileSession({ session, account, tenant, address, proofs, lasting, marks }: LiveSession): FileSession {
  return { session, account, tenant, address, credentials: lasting ?? proofs, marks };
}
