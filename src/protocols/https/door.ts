/**
 * The HTTPS server of a front: connections come in by `take`, requests go to the handlers of api/operations.ts. What
 * every request must pass stands here once: limits, address, credential, scope, origin.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { parseTraceparent } from '../../base/trace-context.ts';
import { PROBLEM_TYPE } from '../../api/problem.ts';
import type { BrokerCaller, Session, TlsChallenge, TlsIdentity } from '../../broker/calls.ts';
import type { ResumableFiles } from '../../transfer/transfer.ts';
import { clientOf } from './client.ts';
import { peekClientHello } from './client-hello.ts';
import { Connection } from './connection.ts';
import type { SignedIn } from './connection.ts';
import { credentialOf } from './credentials.ts';
import type { Credential } from './credentials.ts';
import { Exchange } from './exchange.ts';
import type { Member } from './exchange.ts';
import type { Handlers } from './handlers.ts';
import { STANDING_HEADERS, STRICT_TRANSPORT } from './headers.ts';
import { fromOurOrigin, originOf } from './origin.ts';
import { route } from './routes.ts';
import type { Match } from './routes.ts';
import { secure, secureContext } from './secure-socket.ts';
import { problemOf } from './status.ts';
import { StatusError } from './status-error.ts';
import { Watch } from './watch.ts';
import type { WatchLimits } from './watch.ts';

export interface DoorLimits extends WatchLimits {
  readonly handshakeMilliseconds: number;
  readonly headersMilliseconds: number;
  /** Between requests. */
  readonly idleMilliseconds: number;
}

export const DOOR_LIMITS: DoorLimits = {
  handshakeMilliseconds: 10_000,
  headersMilliseconds: 10_000,
  idleMilliseconds: 75_000,
  graceMilliseconds: 30_000,
  stallMilliseconds: 30_000,
  bodyRate: 1024,
};

export interface DoorParts {
  readonly tls: TlsIdentity;
  readonly limits: DoorLimits;
  readonly handlers: Handlers;
  readonly log: Log;
  readonly broker: BrokerCaller;
  readonly authenticate: (connection: string, credential: Credential, client: string) => Promise<SignedIn>;
  readonly files: (session: Session) => ResumableFiles;
  /** Whether the broker wants to know whose trace a request is part of. */
  readonly traces?: boolean;
  /** Everything of the connection is put away. */
  closed(connection: string): void;
}

/** RFC 8737: what authorities ask for, and nothing else beside. */
const ACME_TLS = 'acme-tls/1';
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 100;
const TARGET_MAX = 14_000;
const REQUESTS_PER_CONNECTION = 100_000;
/** Pipelined requests wait in memory: no client that we know of sends any. */
const PIPELINED_MAX = 8;
/** Of a body that is not wanted: read on so far, so that the client gets to see the answer. */
const UNWANTED_BYTES = 256 * 1024;
const UNWANTED_MILLISECONDS = 2000;

export class HttpsDoor {
  private readonly parts: DoorParts;
  private readonly server: Server;
  private readonly watch: Watch;
  private readonly connections = new Set<Connection>();
  private readonly bySocket = new WeakMap<object, Connection>();
  private readonly byId = new Map<string, Connection>();
  private readonly leaving = new Set<Promise<void>>();
  private challenges: ReadonlyMap<string, SecureContext> = new Map();
  private context: SecureContext;
  private strict: boolean;
  private stopping = false;

  constructor(parts: DoorParts) {
    const { limits, tls } = parts;
    this.parts = parts;
    this.context = secureContext(tls);
    this.strict = tls.trusted;
    this.watch = new Watch(limits, this.connections);
    const listener = (listening: boolean) => (request: IncomingMessage, response: ServerResponse) => {
      const connection = this.bySocket.get(request.socket);
      if (connection === undefined || ++connection.active > PIPELINED_MAX) request.socket.destroy();
      else void connection.during(this.serve(request, response, connection, listening));
    };
    this.server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: limits.headersMilliseconds,
        // A body may take days; what is too slow the watch ends.
        requestTimeout: 0,
        keepAliveTimeout: limits.idleMilliseconds,
        connectionsCheckingInterval: 500,
        requireHostHeader: true,
        insecureHTTPParser: false,
        highWaterMark: 256 * 1024,
      },
      listener(true),
    );
    this.server.maxHeadersCount = HEADERS_MAX;
    this.server.maxRequestsPerSocket = REQUESTS_PER_CONNECTION;
    this.server.on('checkContinue', listener(false));
    this.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      this.refuseExpectation(request, response);
    });
    // Neither is of HTTP as we speak it.
    for (const event of ['upgrade', 'connect'])
      this.server.on(event, (_request: IncomingMessage, socket: Socket) => socket.destroy());
    this.server.on('clientError', malformed);
    // It never listens; this starts the timer that looks for slow headers (test/protocols/https/limits.test.ts).
    this.server.emit('listening');
  }

  changeTls(tls: TlsIdentity): void {
    this.context = secureContext(tls);
    this.strict = tls.trusted;
  }

  take(id: string, socket: Socket): void {
    if (this.challenges.size === 0) this.begin(id, socket);
    else void this.beginOrProve(id, socket);
  }

  /** Takes the place of those before; with none, nobody's first bytes are looked at. */
  showChallenges(challenges: readonly TlsChallenge[]): void {
    this.challenges = new Map(challenges.map((one) => [one.name, secureContext({ ...one, trusted: true })]));
  }

  private async beginOrProve(id: string, socket: Socket): Promise<void> {
    const { handshakeMilliseconds } = this.parts.limits;
    const hello = await peekClientHello(socket, handshakeMilliseconds);
    if (socket.destroyed) {
      this.parts.closed(id);
      return;
    }
    const [only, ...more] = hello?.protocols ?? [];
    const context = only === ACME_TLS && more.length === 0 ? this.challenges.get(hello?.name ?? '') : undefined;
    if (context === undefined) {
      this.begin(id, socket);
      return;
    }
    const tls = secure(socket, context, handshakeMilliseconds, () => tls.end(), ACME_TLS);
    tls.once('close', () => {
      this.parts.closed(id);
    });
  }

  private begin(id: string, socket: Socket): void {
    const { limits, authenticate, files } = this.parts;
    const tls = secure(socket, this.context, limits.handshakeMilliseconds, () => {
      this.server.emit('connection', tls);
    });
    const connection = new Connection({ id, socket: tls, now: Date.now(), authenticate, files });
    this.connections.add(connection);
    this.byId.set(id, connection);
    this.bySocket.set(tls, connection);
    tls.once('close', () => {
      this.gone(connection);
    });
    if (this.stopping) tls.destroy();
  }

  /** The broker has ended a session of it, or the whole connection. */
  end(id: string, session: string | null): void {
    const connection = this.byId.get(id);
    if (session === null) connection?.socket.destroy();
    else connection?.forget(session);
  }

  /** Ends what is idle now and the rest after its answer; resolves when all is put away. */
  async shutdown(milliseconds: number): Promise<void> {
    this.stopping = true;
    for (const connection of this.connections) {
      connection.closing = true;
      // With close_notify: what is destroyed looks like an attack to its client, or is reset.
      if (connection.active === 0) connection.socket.destroySoon();
    }
    const late = setTimeout(() => {
      for (const { socket } of this.connections) socket.destroy();
    }, milliseconds);
    while (this.connections.size > 0 || this.leaving.size > 0) {
      await Promise.race([...this.leaving, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    clearTimeout(late);
    this.watch.stop();
    // Clears its timer too; there is nothing to stop listening on.
    this.server.close(() => undefined);
  }

  private gone(connection: Connection): void {
    this.connections.delete(connection);
    this.byId.delete(connection.id);
    const leaving = connection
      .abandon()
      .catch((err: unknown) => {
        this.parts.log.warn({ err }, 'a connection could not be put away');
      })
      .then(() => {
        this.leaving.delete(leaving);
        this.parts.closed(connection.id);
      });
    this.leaving.add(leaving);
  }

  private async serve(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
    listening: boolean,
  ): Promise<void> {
    response.once('close', () => {
      connection.active--;
      if (connection.closing && connection.active === 0) connection.socket.destroySoon();
    });
    this.stand(response);
    let listens = listening;
    const listen = (): void => {
      if (!listens) response.writeContinue();
      listens = true;
    };
    try {
      const exchange = await this.admit(request, response, connection, listen);
      await this.run(exchange.match, exchange.exchange);
    } catch (thrown) {
      await this.fail(request, response, connection, thrown, listens);
    }
  }

  private async run({ id }: Match, exchange: Exchange): Promise<void> {
    try {
      await this.parts.handlers[id](exchange);
    } catch (thrown) {
      if (asWaybillError(thrown).code === 'session-ended') exchange.ended();
      throw thrown;
    }
  }

  private refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.bySocket.get(request.socket);
    if (connection === undefined) return void request.socket.destroy();
    this.stand(response);
    connection.closing = true;
    const error = new WaybillError('request-invalid', 'of expectations there is 100-continue');
    void this.fail(request, response, connection, new StatusError(417, error), false);
  }

  private stand(response: ServerResponse): void {
    for (const [name, value] of Object.entries(STANDING_HEADERS)) response.setHeader(name, value);
    if (this.strict) response.setHeader('Strict-Transport-Security', STRICT_TRANSPORT);
  }

  private async admit(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
    listen: () => void,
  ): Promise<{ exchange: Exchange; match: Match }> {
    const { pathname, query } = targetOf(request.url ?? '');
    const match = this.match(request, response, pathname);
    const { operation, rest } = match;
    const tracked = this.trackBody(request);
    const { scope } = operation;
    if (operation.page === true) requireOwnPage(request);
    const member = await this.signedIn(request, connection, scope !== null);
    if (member !== null) this.joinTrace(request, member);
    if (scope !== null && scope !== 'signed-in' && member?.scopes.has(scope) !== true)
      throw new WaybillError('scope-missing', `the scope ${scope} is needed`);
    if (operation.anyQuery !== true) checkQuery(query, operation.query ?? {});
    const { broker } = this.parts;
    const asked = { request, response, operation, rest, query, connection: connection.id, broker };
    const exchange = new Exchange({ ...asked, member, listen, track: tracked });
    if (member !== null)
      exchange.ended = () => {
        connection.forget(member.session.session);
      };
    exchange.entered = (text, { session, login, tenant, account, home, scopes }) => {
      const signedIn = { session: { session, login, tenant, account, home }, scopes };
      connection.adopt({ kind: 'cookie', text, origin: originOf(request.headers) }, signedIn);
    };
    return { exchange, match };
  }

  private match(request: IncomingMessage, response: ServerResponse, pathname: string): Match {
    const found = route(request.method ?? '', pathname);
    if (found === null) throw new WaybillError('not-found', 'there is nothing at this address');
    if ('id' in found) return found;
    response.setHeader('Allow', found.join(', '));
    throw new WaybillError('unsupported', 'this address does not have that method');
  }

  private async signedIn(request: IncomingMessage, connection: Connection, needed: boolean): Promise<Member | null> {
    if (!needed) return null;
    const credential = credentialOf(request.headers);
    if (credential === null) throw new WaybillError('not-signed-in', 'the request holds no token and no session');
    if (credential.kind === 'cookie') requireOwnPage(request);
    return connection.member(credential, clientOf(request.headers));
  }

  /** Whose trace a request is part of is a matter of the record alone: nothing waits for it. */
  private joinTrace({ headers: { traceparent } }: IncomingMessage, { session: { session } }: Member): void {
    const { traces, broker } = this.parts;
    const context = traces === true && typeof traceparent === 'string' ? parseTraceparent(traceparent) : null;
    if (context !== null) broker.call('trace.join', { session, context }).catch(() => undefined);
  }

  private trackBody(request: IncomingMessage) {
    return () => this.watch.body(request);
  }

  private async fail(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Connection,
    thrown: unknown,
    listens: boolean,
  ): Promise<void> {
    if (response.destroyed) return;
    // Part of an answer that is not all of it must look like that to the client.
    if (response.headersSent) {
      request.socket.destroy();
      return;
    }
    const error = asWaybillError(thrown instanceof StatusError ? thrown.error : thrown);
    if (error.code === 'internal') this.parts.log.error({ err: error.cause ?? error }, 'a request failed');
    const problem = problemOf(error, thrown instanceof StatusError ? thrown.status : undefined);
    if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="Waybill"');
    const body = Buffer.from(JSON.stringify(problem));
    const unread = !request.readableEnded && (!request.complete || request.readableLength > 0);
    if (connection.closing || unread) {
      connection.closing = true;
      response.setHeader('Connection', 'close');
    }
    response.writeHead(problem.status, { 'Content-Type': PROBLEM_TYPE, 'Content-Length': body.length });
    if (request.method !== 'HEAD') response.write(body);
    if (unread && listens) await discard(request);
    response.end();
  }
}

/** Reads on a little: a connection that is reset with bytes unread loses the answer that is on its way. */
function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, UNWANTED_MILLISECONDS);
    const done = (): void => {
      clearTimeout(timer);
      request.pause();
      resolve();
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > UNWANTED_BYTES) done();
    });
    request.once('end', done).once('close', done).once('error', done);
    request.resume();
  });
}

function requireOwnPage({ method = '', headers }: IncomingMessage): void {
  if (!fromOurOrigin(method, headers))
    throw new WaybillError('origin-refused', 'the request does not come from a page of this server');
}

function targetOf(url: string): { pathname: string; query: URLSearchParams } {
  if (url.length > TARGET_MAX) throw new WaybillError('path-too-long', 'the address is too long');
  if (!url.startsWith('/') && url !== '*') throw new WaybillError('request-invalid', 'the target is not a path');
  const at = url.indexOf('?');
  if (at < 0) return { pathname: url, query: new URLSearchParams() };
  return { pathname: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

function checkQuery(query: URLSearchParams, rows: NonNullable<Exchange['operation']['query']>): void {
  for (const name of new Set(query.keys())) {
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    const values = query.getAll(name);
    if (row?.safeParse(values[0]).success !== true || values.length > 1)
      throw new WaybillError('request-invalid', `the query is not one that this address has`);
  }
}

/** Bytes that are not HTTP, headers that are too long or too slow. */
function malformed(error: NodeJS.ErrnoException, socket: Socket): void {
  const status = { HPE_HEADER_OVERFLOW: '431', ERR_HTTP_REQUEST_TIMEOUT: '408' }[error.code ?? ''] ?? '400';
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
