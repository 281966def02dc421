/** One call of C2SP tlog-witness: a bounded request, a bounded answer, nothing followed. */
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface WitnessReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Rejects with an Error whose message says why, for the log. `url` is the submission prefix of the witness. */
export type PostCheckpoint = (url: string, body: string, signal: AbortSignal) => Promise<WitnessReply>;

/** Some cosignature lines, or a size. */
const ANSWER_MAX = 64 * 1024;
const TIMEOUT_MILLISECONDS = 10_000;

export const postCheckpoint: PostCheckpoint = (url, body, signal) =>
  new Promise((resolve, reject) => {
    const target = `${url.replace(/\/+$/, '')}/add-checkpoint`;
    const request = start(target, Buffer.byteLength(body), signal);
    // Of the whole exchange: an answer that drips in is no answer.
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), TIMEOUT_MILLISECONDS);
    timer.unref();
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      reject(error instanceof Error ? error : new Error('broken connection'));
    };
    request.on('error', fail);
    request.on('response', (response) => {
      collect(response).then((bytes) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, contentType: response.headers['content-type'] ?? '', body: bytes });
      }, fail);
    });
    request.end(body);
  });

function start(url: string, length: number, signal: AbortSignal): ClientRequest {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': length };
  const options = { method: 'POST', headers, agent: false as const, signal };
  return url.startsWith('https:')
    ? httpsRequest(url, { ...options, minVersion: 'TLSv1.2' })
    : httpRequest(url, options);
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length <= ANSWER_MAX) continue;
    response.destroy();
    throw new Error('the answer is too long');
  }
  return Buffer.concat(parts);
}
