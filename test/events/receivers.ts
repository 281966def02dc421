/** Receivers of events, written for tests alone: an octet-counting syslog server and an HTTPS server. */
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { Identity } from './certificates.ts';

export interface OcsfJson {
  readonly metadata: { readonly uid: string; readonly log_name: string; readonly sequence: number };
  readonly class_uid: number;
  readonly type_uid: number;
  readonly message: string;
  readonly unmapped: { readonly waybill: { readonly kind: string } & Record<string, unknown> };
}

interface Running {
  readonly port: number;
  /** As a crash: connections are reset, the port is closed. */
  stop(): Promise<void>;
}

export interface SyslogReceiver extends Running {
  readonly lines: string[];
}

async function listening(server: Server, port: number): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
  };
}

/** `received` sees each message before it counts, and may end or reset the connection. */
export async function syslogReceiver(
  identity: Identity,
  options: { port?: number; ca?: string; received?: (line: string, socket: TLSSocket, reset: () => void) => void } = {},
): Promise<SyslogReceiver> {
  const lines: string[] = [];
  /** Below TLS: only those can be reset. */
  const raws = new Set<Socket>();
  const client = options.ca === undefined ? {} : { ca: options.ca, requestCert: true, rejectUnauthorized: true };
  const server = createTls({ ...identity, ...client }, (socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined);
    const reset = (): void => {
      for (const raw of raws) raw.resetAndDestroy();
    };
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const space = rest.indexOf(0x20);
        if (space < 0) return;
        const length = Number(rest.subarray(0, space).toString());
        if (rest.length < space + 1 + length) return;
        const line = rest.subarray(space + 1, space + 1 + length).toString('utf8');
        rest = rest.subarray(space + 1 + length);
        options.received?.(line, socket, reset);
        if (socket.destroyed || [...raws].every(({ destroyed }) => destroyed)) return;
        lines.push(line);
      }
    });
  });
  server.on('connection', (raw: Socket) => raws.add(raw));
  server.on('tlsClientError', () => undefined);
  return { lines, ...(await listening(server, options.port ?? 0)) };
}

export interface Post {
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
  readonly body: string;
}

export interface WebhookReceiver extends Running {
  readonly posts: Post[];
}

export interface Answered {
  readonly status: number;
  readonly headers?: Record<string, string>;
  /** 64 MB when true. */
  readonly flood?: boolean;
  readonly silent?: boolean;
}

/** `answer` decides by the request; only those with 2xx are in `posts`. */
export async function webhookReceiver(
  identity: Identity,
  options: { port?: number; answer?: (post: Post) => Answered } = {},
): Promise<WebhookReceiver> {
  const posts: Post[] = [];
  const server = createHttps({ ...identity }, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const post = { headers: request.headers, url: request.url ?? '', body };
      const answered = options.answer?.(post) ?? { status: 204 };
      if (answered.silent === true) return;
      if (answered.status >= 200 && answered.status < 300) posts.push(post);
      response.on('error', () => undefined);
      response.writeHead(answered.status, answered.headers);
      if (answered.flood !== true) {
        response.end();
        return;
      }
      const chunk = Buffer.alloc(65_536);
      let left = 1000;
      const pour = (): void => {
        if (left-- === 0 || response.destroyed || response.socket === null || response.socket.destroyed) return;
        // Never in a loop: whoever goes away could not be heard.
        if (response.write(chunk)) setImmediate(pour);
        else response.once('drain', pour);
      };
      pour();
    });
  });
  server.on('tlsClientError', () => undefined);
  return { posts, ...(await listening(server, options.port ?? 0)) };
}

export function ocsfOfLine(line: string): OcsfJson {
  return JSON.parse(line.slice(line.indexOf('{'))) as OcsfJson;
}

export function ocsfOfPost(post: Post): OcsfJson {
  return (JSON.parse(post.body) as { data: OcsfJson }).data;
}

/** Indexes by log, the first time each was seen; throws when one comes before an earlier one of its log. */
export function sequences(events: readonly OcsfJson[]): Map<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { metadata } of events) {
    const list = seen.get(metadata.log_name) ?? [];
    const last = list.at(-1) ?? -1;
    if (metadata.sequence > last) list.push(metadata.sequence);
    else if (!list.includes(metadata.sequence))
      throw new Error(`${metadata.sequence} of ${metadata.log_name} came after ${last} for the first time`);
    seen.set(metadata.log_name, list);
  }
  return seen;
}
