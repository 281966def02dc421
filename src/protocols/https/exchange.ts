/** One request and its answer, as the handlers of operations see them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Operation, Scope } from '../../api/operation.ts';
import { WaybillError } from '../../base/errors.ts';
import type { BrokerCaller, Response, Session } from '../../broker/calls.ts';
import type { ResumableFiles } from '../../transfer/transfer.ts';
import { readBody } from './body.ts';
import type { BodyWatch } from './body.ts';

/** One credential on one connection. */
export interface Member {
  readonly session: Session;
  readonly scopes: ReadonlySet<Scope>;
  readonly files: ResumableFiles;
  /** Paths that a request of this session writes now. */
  readonly writing: Set<string>;
}

const JSON_MAX = 64 * 1024;

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly operation: Operation;
  readonly rest: string;
  readonly query: URLSearchParams;
  /** Of the broker's: calls by who is not signed in yet name it. */
  readonly connection: string;
  readonly broker: BrokerCaller;
  private readonly signedIn: Member | null;
  /** The session turned out to be over. */
  ended: () => void = () => undefined;
  /** This request has signed somebody in: the value of the new cookie, and the session. */
  entered: (cookie: string, session: Response<'web.account'>) => void = () => undefined;
  private readonly listen: () => void;
  private readonly track: () => BodyWatch;
  private listening = false;

  /** `listen`: the client may send its body now. */
  constructor(parts: {
    request: IncomingMessage;
    response: ServerResponse;
    operation: Operation;
    rest: string;
    query: URLSearchParams;
    connection: string;
    broker: BrokerCaller;
    member: Member | null;
    listen: () => void;
    track: () => BodyWatch;
  }) {
    this.request = parts.request;
    this.response = parts.response;
    this.operation = parts.operation;
    this.rest = parts.rest;
    this.query = parts.query;
    this.connection = parts.connection;
    this.broker = parts.broker;
    this.signedIn = parts.member;
    this.listen = parts.listen;
    this.track = parts.track;
  }

  get member(): Member {
    if (this.signedIn === null) throw new WaybillError('not-signed-in', 'the request holds no token and no session');
    return this.signedIn;
  }

  get files(): ResumableFiles {
    return this.member.files;
  }

  /** One header of the request; a list is joined as RFC 9110 section 5.3 has it. */
  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** The client is gone. */
  get over(): boolean {
    return this.response.destroyed || this.response.socket === null || this.response.socket.destroyed;
  }

  /** One value of the query, checked by the operation's row; unknown and repeated names are refused before. */
  asked(name: string): string | undefined {
    return this.query.get(name) ?? undefined;
  }

  /** The body in large pieces, each the caller's until its promise resolves. */
  async body(each: (piece: Buffer) => Promise<void>, enough?: number): Promise<void> {
    requirePlain(this.request);
    if (!this.listening) {
      this.listening = true;
      this.listen();
    }
    await readBody(this.request, this.track(), each, enough);
    if (!this.request.complete) throw new WaybillError('request-invalid', 'the body ended early');
  }

  async json<T extends z.ZodType>(schema: T, most = JSON_MAX): Promise<z.output<T>> {
    const type = (this.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json') throw new WaybillError('request-invalid', 'the body is not application/json');
    if (Number(this.header('content-length') ?? 0) > most) throw tooLarge(most);
    const chunks: Buffer[] = [];
    let length = 0;
    await this.body((chunk) => {
      length += chunk.length;
      if (length > most) return Promise.reject(tooLarge(most));
      chunks.push(Buffer.from(chunk));
      return Promise.resolve();
      // The answer to what is too much does not wait for more of it.
    }, most + 1);
    return parseJson(schema, Buffer.concat(chunks));
  }

  send(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    const text = Buffer.from(JSON.stringify(body));
    this.sendBytes(status, 'application/json', text, headers);
  }

  sendBytes(status: number, type: string, bytes: Buffer, headers: Readonly<Record<string, string>> = {}): void {
    this.response.writeHead(status, { ...headers, 'Content-Type': type, 'Content-Length': bytes.length });
    this.response.end(this.request.method === 'HEAD' ? undefined : bytes);
  }

  sendEmpty(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.response.writeHead(status, headers);
    this.response.end();
  }
}

function parseJson<T extends z.ZodType>(schema: T, bytes: Buffer): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new WaybillError('request-invalid', 'the body is not JSON in UTF-8', { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // The place and the rule, never the value: it may be a password.
  const issue = parsed.error.issues[0];
  throw new WaybillError('request-invalid', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
}

/** What is stored is what was sent: an encoding that nobody takes off would stay in the file, and nobody would know. */
function requirePlain({ headers }: IncomingMessage): void {
  const content = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  const transfer = headers['transfer-encoding']?.trim().toLowerCase() ?? 'chunked';
  if (content === 'identity' && transfer === 'chunked') return;
  throw new WaybillError('request-invalid', 'a body is taken as it is: without Content-Encoding, chunked at most');
}

function tooLarge(most: number): WaybillError {
  return new WaybillError('too-large', `a body of JSON may have at most ${most} bytes`);
}
