/**
 * Entry of a front of the HTTPS door, started under the same permissions as those of SSH (broker/front-permissions.ts).
 * It holds the key of TLS and no other; who is signed in, and to what, the broker says.
 */
import { Socket } from 'node:net';
import { createLog } from '../base/log.ts';
import type { FrontCalls, TlsChallenge, TlsIdentity } from '../broker/calls.ts';
import { callerOver, Link } from '../broker/link.ts';
import type { SignedIn } from '../protocols/https/connection.ts';
import type { Credential } from '../protocols/https/credentials.ts';
import { DOOR_LIMITS, HttpsDoor } from '../protocols/https/door.ts';
import { httpsHandlers } from '../protocols/https/handlers.ts';
import { createSessionFiles } from '../transfer/session-files.ts';
import { endAtOnce } from './confine.ts';

/** See LINK_DESCRIPTOR in broker/front-process.ts. */
const LINK_DESCRIPTOR = 4;
/** Less than the broker waits (DRAIN_MILLISECONDS in startup/broker.ts). */
const SHUTDOWN_MILLISECONDS = 5000;

const log = createLog('debug');

process.on('uncaughtException', (err) => {
  log.error({ err }, 'a front failed');
  endAtOnce();
});

let door: HttpsDoor | null = null;
const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  event: (name, body) => {
    if (name === 'session.ended') ended(body as { connection: string; session?: string });
    else if (name === 'tls.changed') door?.changeTls(body as TlsIdentity);
    else if (name === 'tls.challenges')
      door?.showChallenges((body as { challenges: readonly TlsChallenge[] }).challenges);
    else if (name === 'shutdown') void shutdown();
  },
  closed: () => {
    endAtOnce();
  },
});
const broker = callerOver<FrontCalls>(link);
const { blobs, incoming, limits, softwareVersion, tls, traces } = await broker.call('https.hello', {});

async function authenticate(connection: string, credential: Credential, client: string): Promise<SignedIn> {
  const { kind, text } = credential;
  const shown = kind === 'bearer' ? { bearer: text } : { cookie: text, origin: credential.origin };
  const { session, login, tenant, account, home, scopes } = await broker.call('web.session', {
    connection,
    ...shown,
    client,
  });
  return { session: { session, login, tenant, account, home }, scopes };
}

door = new HttpsDoor({
  tls,
  limits: { ...DOOR_LIMITS, graceMilliseconds: limits.loginGraceSeconds * 1000 },
  traces,
  handlers: httpsHandlers(softwareVersion),
  log,
  broker,
  authenticate,
  files: ({ session }) => createSessionFiles({ broker, session, blobs, incoming, log }),
  closed: (connection) => {
    broker.call('connection.closed', { connection, reason: 'the client left', offence: 'none' }).catch(() => undefined);
  },
});

/** Sockets come beside messages of the broker; see Handover in broker/front-process.ts. */
process.on('message', (message: unknown, socket: unknown) => {
  if (socket instanceof Socket) door.take((message as { connection: string }).connection, socket);
});

// Signals are for the broker, which tells us; Ctrl-C in a terminal goes to the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);

function ended({ connection, session }: { connection: string; session?: string }): void {
  door?.end(connection, session ?? null);
}

async function shutdown(): Promise<void> {
  await door?.shutdown(SHUTDOWN_MILLISECONDS);
  await link.flushed();
  endAtOnce();
}
