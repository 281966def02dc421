/**
 * A client of the HTTPS API for commands: JSON in, JSON out, failures as what they are. Nothing is sent before the server
 * is known to be the right one; nothing is followed; everything is bounded.
 */
import { Agent } from 'node:https';
import type { AgentOptions } from 'node:https';
import { request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { isErrorCode, WaybillError } from '../base/errors.ts';
import manifest from '../../package.json' with { type: 'json' };
import { authoritiesOf, distrust } from './server-trust.ts';
import type { Trust } from './server-trust.ts';

export interface HttpsClientParts {
  /** "https://files.example.com:8443" */
  readonly server: URL;
  readonly trust: Trust;
  /** An API token; asked for with each request. */
  readonly token?: () => string | null;
  readonly patienceMilliseconds?: number;
  /** At once; 4 when left out. */
  readonly connections?: number;
}

/** For bytes: what is not JSON. */
export interface AskBytes {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal?: AbortSignal;
  /** Milliseconds for its bytes, beside the patience for an answer. */
  readonly allowance?: number;
}

export interface BytesAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

export interface Ask<T extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query: "/api/v1/..." */
  readonly path: string;
  readonly body?: unknown;
  readonly answer: T;
  /** May be sent once more when an idle connection turns out to have been closed. For GET always. */
  readonly again?: boolean;
}

const PATIENCE_MILLISECONDS = 60_000;
const ANSWER_MAX = 32 * 1024 * 1024;
/** Of RFC 9457 what we read; a newer server may say more. */
const failure = z.object({ code: z.string(), detail: z.string() });

export class HttpsClient {
  /** 4 or 6: by what the server was reached last. */
  family: 4 | 6 | null = null;
  private readonly parts: HttpsClientParts;
  private readonly agent: JudgingAgent;

  /** Milliseconds that the quickest of its connections took to open: a round trip. Null: there was none yet. */
  get roundTrip(): number | null {
    return this.agent.roundTrip;
  }

  constructor(parts: HttpsClientParts) {
    this.parts = parts;
    this.agent = new JudgingAgent(parts);
  }

  async ask<T extends z.ZodType>(asked: Ask<T>): Promise<z.output<T>> {
    const body = asked.body === undefined ? null : Buffer.from(JSON.stringify(asked.body));
    const { status, bytes } = await this.exchange(asked, body);
    const value = parseJson(bytes);
    if (status >= 400) throw failureOf(this.parts.server, status, value);
    const parsed = asked.answer.safeParse(value);
    if (status >= 300 || !parsed.success) throw unknownForm(this.parts.server, status);
    return parsed.data;
  }

  /** Failures as `ask` has them; an answer of at most 32 MiB. */
  async bytes(asked: AskBytes): Promise<BytesAnswer> {
    const { server, token } = this.parts;
    const { body = null, headers } = asked;
    const request = httpsRequest(`${server.origin}${asked.path}`, {
      ...{ agent: this.agent, method: asked.method, headers: { ...headersOf(body, token?.() ?? null), ...headers } },
      ...(asked.signal === undefined ? {} : { signal: asked.signal }),
    });
    const {
      status,
      bytes,
      headers: answered,
    } = await this.receive(request, body, false, asked.allowance).catch((error: unknown) => {
      throw asFailure(server, error);
    });
    if (status >= 400) throw failureOf(server, status, parseJson(bytes));
    return { status, bytes, headers: answered };
  }

  close(): void {
    this.agent.destroy();
  }

  private async exchange(asked: Ask<z.ZodType>, body: Buffer | null, tries = 0): Promise<Answer> {
    const { server, token } = this.parts;
    const request = httpsRequest(`${server.origin}${asked.path}`, {
      agent: this.agent,
      method: asked.method,
      headers: headersOf(body, token?.() ?? null),
    });
    try {
      return await this.receive(request, body);
    } catch (error) {
      const stale = request.reusedSocket && error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
      if (stale && tries === 0 && (asked.again === true || asked.method === 'GET'))
        return this.exchange(asked, body, tries + 1);
      throw asFailure(server, error);
    }
  }

  private async receive(request: ClientRequest, body: Buffer | null, wipe = true, allowance = 0): Promise<Answer> {
    // Of the whole exchange: an answer that drips in is no answer.
    const timer = setTimeout(
      () => {
        request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
      },
      (this.parts.patienceMilliseconds ?? PATIENCE_MILLISECONDS) + allowance,
    );
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).on('error', reject);
        request.end(body ?? undefined);
      });
      this.family = response.socket.remoteFamily === 'IPv6' ? 6 : 4;
      const { statusCode = 0, headers } = response;
      return { status: statusCode, headers, bytes: await collect(response, this.parts.server) };
    } finally {
      clearTimeout(timer);
      if (wipe) body?.fill(0);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
}

/** Hands a connection to requests only after its server was judged. */
class JudgingAgent extends Agent {
  roundTrip: number | null = null;
  private readonly trust: Trust;
  private readonly authorities: string | string[] | undefined;
  private readonly patience: number;

  constructor({ trust, patienceMilliseconds = PATIENCE_MILLISECONDS, connections = 4 }: HttpsClientParts) {
    const options: AgentOptions = { keepAlive: true, maxSockets: connections, maxCachedSessions: 0 };
    super(options);
    this.trust = trust;
    this.authorities = authoritiesOf(trust);
    this.patience = patienceMilliseconds;
  }

  override createConnection(
    options: ConnectionOptions,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const name = options.host ?? '';
    let began = performance.now();
    const socket: TLSSocket = connectTls({
      ...options,
      ...(this.authorities === undefined ? {} : { ca: this.authorities }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      // Judged below, where more than one way to trust is known, and before anything is written.
      rejectUnauthorized: false,
    });
    const finish = (error: Error | null): void => {
      socket.removeAllListeners('error').setTimeout(0);
      if (error !== null) socket.on('error', () => undefined).destroy();
      done?.(error, socket);
    };
    socket.setTimeout(this.patience, () => {
      socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
    });
    socket.once('error', finish);
    socket.once('lookup', () => {
      began = performance.now();
    });
    socket.once('connect', () => {
      this.roundTrip = Math.min(this.roundTrip ?? Infinity, performance.now() - began);
    });
    socket.once('secureConnect', () => {
      finish(distrust(socket, this.trust, name));
    });
    return undefined;
  }
}

function headersOf(body: Buffer | null, token: string | null): Record<string, string | number> {
  return {
    Accept: 'application/json',
    'User-Agent': `waybill/${manifest.version}`,
    ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
    ...(body === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length }),
  };
}

async function collect(response: IncomingMessage, server: URL): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_MAX) {
      response.destroy();
      throw new WaybillError('internal', `${server.origin} answers with more than a command takes`);
    }
  }
  return Buffer.concat(chunks);
}

/** Undefined for what is not JSON; null for nothing. */
function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function failureOf(server: URL, status: number, value: unknown): WaybillError {
  const parsed = failure.safeParse(value);
  if (!parsed.success) return unknownForm(server, status);
  const { code, detail } = parsed.data;
  if (isErrorCode(code)) return new WaybillError(code, detail);
  return new WaybillError('internal', `${detail} (${code}, which this command does not know)`);
}

function unknownForm(server: URL, status: number): WaybillError {
  return new WaybillError('internal', `${server.origin} answers in a form this command does not know (${status})`);
}

function asFailure(server: URL, error: unknown): WaybillError {
  if (error instanceof WaybillError) return error;
  const why = error instanceof Error && 'code' in error ? String(error.code) : 'broken connection';
  return new WaybillError('server-unreachable', `${server.origin} cannot be reached (${why})`, { cause: error });
}
