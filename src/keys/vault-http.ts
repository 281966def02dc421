/** One request and its answer; nothing is followed, everything is bounded. */
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { WaybillError } from '../base/errors.ts';

export interface VaultAnswer {
  readonly status: number;
  /** Null when there is none. */
  readonly body: unknown;
}

export interface VaultRequest {
  readonly url: string;
  readonly method: string;
  readonly token: string | null;
  readonly namespace: string | null;
  readonly ca: string | null;
  readonly body: unknown;
  readonly timeoutMs: number;
}

const ANSWER_MAX = 4 * 1024 * 1024;

export async function exchange(asked: VaultRequest): Promise<VaultAnswer> {
  const body = asked.body === undefined ? null : Buffer.from(JSON.stringify(asked.body));
  try {
    const { status, bytes } = await sendAndReceive(asked, body);
    return { status, body: parse(asked, status, bytes) };
  } finally {
    // It may hold keys.
    body?.fill(0);
  }
}

function sendAndReceive(asked: VaultRequest, body: Buffer | null): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = start(asked, body);
    // Of the whole exchange: an answer that drips in is no answer.
    const timer = setTimeout(() => {
      request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
    }, asked.timeoutMs);
    const fail = (cause: unknown): void => {
      clearTimeout(timer);
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'broken connection';
      reject(
        cause instanceof WaybillError
          ? cause
          : new WaybillError('root-key-unreachable', `Vault at ${originOf(asked.url)} cannot be reached (${why})`, {
              cause,
            }),
      );
    };
    request.on('error', fail);
    request.on('response', (response) => {
      collect(response, asked).then((bytes) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, bytes });
      }, fail);
    });
    request.end(body ?? undefined);
  });
}

function start({ url, method, token, namespace, ca, timeoutMs }: VaultRequest, body: Buffer | null): ClientRequest {
  const secure = url.startsWith('https:');
  const headers = {
    'X-Vault-Request': 'true',
    Accept: 'application/json',
    ...(token === null ? {} : { 'X-Vault-Token': token }),
    ...(namespace === null ? {} : { 'X-Vault-Namespace': namespace }),
    ...(body === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length }),
  };
  const options = { method, headers, timeout: timeoutMs, agent: false as const };
  if (!secure) return httpRequest(url, options);
  return httpsRequest(url, { ...options, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) });
}

async function collect(response: IncomingMessage, { url }: VaultRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_MAX) {
      response.destroy();
      throw new WaybillError('root-key-answer-invalid', `the answer of Vault at ${originOf(url)} is too long`);
    }
  }
  return Buffer.concat(chunks);
}

/** Of a failure only the status counts, whatever a proxy on the way wrote. */
function parse({ url }: VaultRequest, status: number, bytes: Buffer): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    if (status >= 400) return null;
    throw new WaybillError(
      'root-key-answer-invalid',
      `Vault at ${originOf(url)} answers with something that is not JSON`,
    );
  } finally {
    bytes.fill(0);
  }
}

function originOf(url: string): string {
  return new URL(url).origin;
}
