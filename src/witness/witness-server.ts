/**
 * A witness of C2SP tlog-witness over HTTP: `POST /add-checkpoint`. Requests are taken one after another, so that comparing
 * with the last checkpoint and replacing it are one step; the answer leaves after the record is durable. What asks is
 * taken for hostile: bodies, headers, time and connections are bounded.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WaybillError } from '../base/errors.ts';
import { ADD_CHECKPOINT_BYTES_MAX, answerAddCheckpoint } from '../ledger/core/witness.ts';
import type { WitnessAnswer } from '../ledger/core/witness.ts';
import type { VerifierKey } from '../ledger/core/note.ts';
import type { WitnessFolder } from './witness-folder.ts';

export interface WitnessServerOptions {
  readonly folder: WitnessFolder;
  /** Keys of the logs, by origin. */
  readonly logs: ReadonlyMap<string, readonly VerifierKey[]>;
  readonly report: (error: unknown) => void;
  /** Told of each checkpoint that was cosigned. */
  readonly cosigned?: (origin: string, size: number) => void;
  /** Seconds since 1970. */
  readonly now?: () => number;
}

const CONNECTIONS_MAX = 64;
/** Requests that wait for their turn. */
const WAITING_MAX = 64;
const HEADER_BYTES_MAX = 8 * 1024;
const REQUEST_MILLISECONDS = 20_000;
const TEXT = 'text/plain; charset=utf-8';

export class WitnessServer {
  private readonly options: WitnessServerOptions;
  private readonly server: Server;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(options: WitnessServerOptions) {
    this.options = options;
    this.server = createServer(
      {
        maxHeaderSize: HEADER_BYTES_MAX,
        headersTimeout: REQUEST_MILLISECONDS / 2,
        requestTimeout: REQUEST_MILLISECONDS,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: 5000,
      },
      (request, response) => {
        this.handle(request, response).catch((error: unknown) => {
          this.options.report(error);
          send(response, 500, TEXT, 'the witness failed; nothing was cosigned\n');
        });
      },
    );
    this.server.maxConnections = CONNECTIONS_MAX;
  }

  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (cause: NodeJS.ErrnoException) => {
        const taken = cause.code === 'EADDRINUSE';
        reject(taken ? new WaybillError('address-in-use', `${host}:${port} is taken`, { cause }) : cause);
      });
      this.server.listen(port, host, () => {
        const { address, port: bound } = this.server.address() as AddressInfo;
        resolve({ host: address, port: bound });
      });
    });
  }

  /** What was taken is answered. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeIdleConnections();
    await this.turn;
    this.server.closeAllConnections();
    await closed;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== '/add-checkpoint') {
      send(response, 404, TEXT, 'there is only POST /add-checkpoint here\n');
      return;
    }
    if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST');
      send(response, 405, TEXT, 'POST a checkpoint\n');
      return;
    }
    if (this.waiting >= WAITING_MAX) {
      send(response, 503, TEXT, 'too many requests wait\n');
      return;
    }
    this.waiting++;
    try {
      const body = await readBody(request);
      if (body === null) send(response, 413, TEXT, 'the request is too long\n');
      else await this.answer(body, response);
    } finally {
      this.waiting--;
    }
  }

  private async answer(body: Buffer, response: ServerResponse): Promise<void> {
    const mine = this.turn.then(() => this.decide(body));
    this.turn = mine.catch(() => undefined);
    const { status, contentType, body: text } = await mine;
    send(response, status, contentType, text);
  }

  private async decide(body: Buffer): Promise<WitnessAnswer> {
    const { folder, logs, cosigned, now = () => Math.floor(Date.now() / 1000) } = this.options;
    const answer = answerAddCheckpoint(body, {
      keysOf: (origin) => logs.get(origin) ?? null,
      recordOf: (origin) => folder.recordOf(origin),
      signers: [folder.signer],
      time: now(),
    });
    if (answer.record !== null) {
      await folder.save(answer.record);
      cosigned?.(answer.record.origin, answer.record.size);
    }
    return answer;
  }
}

/** Null when it is too long. A body that never comes ends by the server's own time. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let length = 0;
  if (Number(request.headers['content-length'] ?? 0) > ADD_CHECKPOINT_BYTES_MAX) return null;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > ADD_CHECKPOINT_BYTES_MAX) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  if (response.headersSent || response.destroyed) return;
  const close = status === 413 || status === 500 ? { Connection: 'close' } : {};
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body), ...close });
  response.end(body);
}
