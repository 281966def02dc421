/**
 * What the broker knows of every connection and session by itself: which front it gave the connection to, from where it
 * came, what was signed for it, who signed in. A front cannot add to this or change it, it can only name its own.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Origin } from '../accounts/web/origins.ts';
import type { Scope } from '../accounts/web/store.ts';
import type { HostKey } from './calls.ts';
import { COOKIE_BYTES } from './exchange.ts';

/** The broker's end of a front process, as far as this table needs it. */
export interface FrontEnd {
  readonly number: number;
  readonly connections: Set<string>;
  /** Tells the front to close the connection now; with `session`, to forget that session and keep the connection. */
  sessionEnded(connection: string, reason: string, session?: string): void;
}

export type Profile = 'default' | 'legacy' | 'https' | 'fast';

/** Whose sessions have scopes and an end, and may be several on a connection. */
export function isOfWeb(profile: Profile): boolean {
  return profile === 'https' || profile === 'fast';
}

export interface Arrival {
  readonly address: string;
  readonly port: number;
  /** The unit of limits and penalties; see penalties.ts. */
  readonly source: string;
  readonly profile: Profile;
}

export interface Connection extends Arrival {
  readonly id: string;
  readonly front: FrontEnd;
  readonly opened: number;
  /** What the server's first KEXINIT must hold; see exchange.ts. */
  readonly cookie: Buffer;
  /** Key exchanges signed for it. */
  exchanges: number;
  /** The first exchange hash that was signed for it, and the key that signed it (RFC 4253 section 7.2). */
  identity: { readonly sessionId: Buffer; readonly hostKey: HostKey } | null;
  /** What its client calls itself, by what its front showed of the exchange: for people to read. */
  client: string;
  /** The one of an SSH connection; null over HTTPS. */
  session: LiveSession | null;
  /** All that are open. */
  readonly sessions: Set<LiveSession>;
  /** Whether anybody ever signed in on it. */
  started: boolean;
  /** Steps of sign-ins over HTTPS that were refused on it. */
  refusals: number;
}

/** What a session over HTTPS has beside what all have. Calls of `session` rows that it has no scope for are refused. */
export interface WebIdentity {
  readonly scopes: readonly Scope[];
  readonly factors: readonly string[];
  /** The web session it was made from; null for a token. */
  readonly webSession: string | null;
  readonly origin: Origin | null;
  /** When a strong factor was shown last; milliseconds since 1970. */
  strong: number | null;
  readonly ends: number | null;
  /** Milliseconds without a call after which it ends. */
  readonly idle: number | null;
  /** Refused steps of it. */
  refusals: number;
  /** Of a fast transfer: the files that it is about. It names no others. */
  readonly paths?: ReadonlySet<string>;
  /** Of a session that an administrator's own token opened: it belongs to no account. */
  readonly administrator?: { readonly id: string; readonly tokenHash: Buffer };
}

/** The tenant of what belongs to none: its records stand in the operator's log. */
export const NO_TENANT = '';

/** Whose log tells of a session; null is the operator's. */
export function logOf({ tenant }: Pick<Identity, 'tenant'>): string | null {
  return tenant === NO_TENANT ? null : tenant;
}

export interface Identity {
  /** The session's own id: random, never given before. */
  readonly session: string;
  /** Ids. */
  readonly account: string;
  readonly tenant: string;
  readonly login: string;
  readonly tenantName: string;
  /** What proved it, for records: never the credential itself. */
  readonly credential: string;
  /** Ids or fingerprints of the credentials used, so that removing one ends the sessions that used it. */
  readonly proofs: readonly string[];
  /** By what budgets know them; the proofs where this is left out. */
  readonly lasting?: readonly string[];
  /** What it came with, as policy/budgets/acquaintances.ts names it. */
  readonly marks: readonly string[];
  /** Over HTTPS. */
  readonly web?: WebIdentity;
}

export interface LiveSession extends Identity {
  readonly connection: Connection;
  readonly address: string;
  readonly started: number;
  lastActive: number;
  /** Content bytes that its front says have left, and that its uploads committed. */
  sent: number;
  stored: number;
  ended: string | null;
  endedAt: number;
}

/** Each is called once for its connection or session. */
export interface ConnectionWatcher {
  /** It will not wait for a sign-in any longer: signed in or gone. */
  startupOver(connection: Connection): void;
  sessionOver(session: LiveSession, reason: string): void;
  gone(connection: Connection): void;
}

/** Each costs a signature, and nothing has worn the keys yet; an honest front allows no more. */
const EXCHANGES_BEFORE_SIGN_IN = 3;
/** A proxy brings many people over one connection; more than this at once no client has. */
const SESSIONS_PER_CONNECTION = 256;

export class Connections {
  private readonly connections = new Map<string, Connection>();
  private readonly sessions = new Map<string, LiveSession>();
  private readonly watcher: ConnectionWatcher;
  private readonly log: Log;
  private readonly now: () => number;

  constructor(watcher: ConnectionWatcher, log: Log, now: () => number = Date.now) {
    this.watcher = watcher;
    this.log = log;
    this.now = now;
  }

  get count(): number {
    return this.connections.size;
  }

  open(front: FrontEnd, arrival: Arrival): Connection {
    const id = randomBytes(16).toString('hex');
    const opened = this.now();
    const cookie = randomBytes(COOKIE_BYTES);
    const fresh = { cookie, exchanges: 0, identity: null, client: '', session: null, started: false, refusals: 0 };
    const connection: Connection = { ...arrival, id, front, opened, ...fresh, sessions: new Set() };
    this.connections.set(id, connection);
    front.connections.add(id);
    return connection;
  }

  /** The connection, if it is this front's; what other fronts hold looks to it like nothing, and is logged. */
  connectionOf(front: FrontEnd, id: string): Connection {
    const connection = this.connections.get(id);
    if (connection === undefined) throw new WaybillError('session-ended', 'the connection is over');
    if (connection.front !== front) throw this.foreign(front, connection.front, 'connection', id);
    return connection;
  }

  /** Throws when this exchange must not be signed for this connection. */
  countExchange(connection: Connection, cookie: Buffer): void {
    const { session, identity } = connection;
    if (session !== null && session.ended !== null) throw new WaybillError('session-ended', 'the session is over');
    if (identity === null && !timingSafeEqual(cookie, connection.cookie)) {
      const fields = { attack: true, front: connection.front.number, connection: connection.id };
      this.log.error(fields, 'a front showed a key exchange that is not of its connection');
      throw new WaybillError('request-invalid', 'the exchange is not of this connection');
    }
    if (session === null && connection.exchanges >= EXCHANGES_BEFORE_SIGN_IN)
      throw new WaybillError('call-forbidden', 'too many key exchanges before sign-in');
    connection.exchanges++;
  }

  sessionOf(front: FrontEnd, id: string): LiveSession {
    const session = this.sessions.get(id);
    if (session === undefined) throw new WaybillError('session-ended', 'the session is over');
    if (session.connection.front !== front) throw this.foreign(front, session.connection.front, 'session', id);
    if (session.ended !== null) throw new WaybillError('session-ended', `the session was ended: ${session.ended}`);
    const over = this.overdue(session);
    if (over !== null) {
      this.endOne(session, over);
      throw new WaybillError('session-ended', `the session was ended: ${over}`);
    }
    session.lastActive = this.now();
    return session;
  }

  private overdue({ web, lastActive }: LiveSession): string | null {
    if (web === undefined) return null;
    const now = this.now();
    if (web.ends !== null && now >= web.ends) return 'its time is over';
    return web.idle !== null && now - lastActive >= web.idle ? 'it was idle' : null;
  }

  /** Over HTTPS a client may be idle for as long as it likes; its sessions may not. */
  endOverdue(): void {
    for (const session of this.list()) {
      const over = this.overdue(session);
      if (over !== null) this.endOne(session, over);
    }
  }

  /** Over SSH once; over HTTPS once for each credential that the connection brings. */
  signIn(connection: Connection, identity: Identity): LiveSession {
    if (!this.connections.has(connection.id)) throw new WaybillError('session-ended', 'the connection is over');
    const web = isOfWeb(connection.profile);
    if (web !== (identity.web !== undefined)) throw new WaybillError('internal', 'a session of the other door');
    if (!web && connection.session !== null)
      throw new WaybillError('call-forbidden', 'the connection is signed in already');
    if (connection.sessions.size >= SESSIONS_PER_CONNECTION)
      throw new WaybillError('call-forbidden', 'the connection has too many sessions; open another');
    const session: LiveSession = {
      ...identity,
      connection,
      address: connection.address,
      started: this.now(),
      lastActive: this.now(),
      sent: 0,
      stored: 0,
      ended: null,
      endedAt: 0,
    };
    if (!web) connection.session = session;
    connection.sessions.add(session);
    this.sessions.set(session.session, session);
    if (!connection.started) this.watcher.startupOver(connection);
    connection.started = true;
    return session;
  }

  list(): LiveSession[] {
    return [...this.sessions.values()].filter((session) => session.ended === null);
  }

  /** From here on every call of these sessions is refused; their fronts are told to close. Returns how many. */
  end(which: (session: LiveSession) => boolean, reason: string): number {
    let count = 0;
    for (const session of this.list()) {
      if (!which(session)) continue;
      count++;
      this.endOne(session, reason);
    }
    return count;
  }

  private endOne(session: LiveSession, reason: string): void {
    const { connection } = session;
    session.ended = reason;
    session.endedAt = this.now();
    this.watcher.sessionOver(session, reason);
    if (session.web === undefined) {
      connection.front.sessionEnded(connection.id, reason);
      return;
    }
    // The connection may carry other people's sessions, and lives on.
    connection.sessions.delete(session);
    this.sessions.delete(session.session);
    connection.front.sessionEnded(connection.id, reason, session.session);
  }

  close(connection: Connection, reason: string): void {
    if (!this.connections.delete(connection.id)) return;
    connection.front.connections.delete(connection.id);
    if (!connection.started) this.watcher.startupOver(connection);
    for (const session of connection.sessions) {
      this.sessions.delete(session.session);
      if (session.ended === null) this.watcher.sessionOver(session, reason);
      session.ended ??= reason;
    }
    this.watcher.gone(connection);
  }

  /** Not signed in since before `time`. Over HTTPS nobody has to: a page can be looked at for as long as its front lets it. */
  waitingSince(time: number): Connection[] {
    return [...this.connections.values()].filter(
      ({ started, opened, profile }) => !started && opened < time && !isOfWeb(profile),
    );
  }

  /** Their session was ended before `time`, and their front has not closed them since. */
  lingeringSince(time: number): Connection[] {
    return [...this.connections.values()].filter(({ session }) => session?.ended != null && session.endedAt < time);
  }

  closeAllOf(front: FrontEnd, reason: string): void {
    for (const id of [...front.connections]) {
      const connection = this.connections.get(id);
      if (connection !== undefined) this.close(connection, reason);
    }
  }

  private foreign(front: FrontEnd, owner: FrontEnd, what: string, id: string): WaybillError {
    const fields = { attack: true, front: front.number, owner: owner.number, [what]: id };
    this.log.error(fields, `a front named a ${what} of another front`);
    return new WaybillError('not-your-session', `the ${what} belongs to another front`);
  }
}
