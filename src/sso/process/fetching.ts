/**
 * How the process of a provider fetches: one connection to an address that was judged, nothing followed, nothing longer
 * or slower than answers of providers are. Instead of `fetch`, which would look names up a second time.
 */
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { CustomFetch } from 'openid-client';
import { destinationOf } from '../../events/sender/destination.ts';
import type { Resolve } from '../../events/sender/destination.ts';
import { checkFetched } from '../addresses.ts';

const BODY_MAX = 256 * 1024;
const HEAD_MAX = 16_384;
const WITHIN_MS = 10_000;

export interface FetchingParts {
  readonly allow: readonly string[];
  readonly ca: string | null;
  readonly resolve?: Resolve;
  readonly within?: number;
}

export function fetchingOf(parts: FetchingParts): CustomFetch {
  const { allow, ca, resolve, within = WITHIN_MS } = parts;
  const lookup: LookupFunction = (hostname, options, done) => {
    destinationOf(hostname, allow, resolve).then(
      ({ address, family }) => {
        if (options.all === true) done(null, [{ address, family }]);
        else done(null, address, family);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error('look-up failed'), '');
      },
    );
  };
  // Each attempt of "happy eyeballs" would be a connection that nobody judged.
  const common = { keepAlive: false, lookup, autoSelectFamily: false };
  const secure = new Agent({ ...common, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) });
  const plain = new PlainAgent(common);
  return async (address, { method, headers, body }) => {
    const url = checkFetched(address, allow);
    const text = body instanceof URLSearchParams || typeof body === 'string' ? body.toString() : '';
    const sent = { ...headers, ...(text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }) };
    const agent = url.protocol === 'https:' ? secure : plain;
    const { status, type, bytes } = await exchange(url, { method, headers: sent, agent }, text, within);
    const empty = status === 204 || status === 205 || status === 304;
    // A copy: what a Response takes is an ArrayBuffer of its own.
    return new Response(empty ? null : Uint8Array.from(bytes), { status, headers: { 'content-type': type } });
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
}

function exchange(url: URL, options: RequestOptions, body: string, within: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? request : plainRequest;
    const sent = send(url, { ...options, maxHeaderSize: HEAD_MAX });
    // Of the whole exchange: an answer that drips in is no answer.
    const timer = setTimeout(() => {
      sent.destroy(new Error('no answer in time'));
    }, within);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    sent.on('error', failed);
    sent.on('response', (response) => {
      collect(response, (bytes) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', bytes });
      }).catch(failed);
    });
    sent.end(body);
  });
}

async function collect(response: IncomingMessage, done: (bytes: Buffer) => void): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > BODY_MAX) throw new Error(`an answer of more than ${BODY_MAX} bytes`);
    chunks.push(chunk);
  }
  done(Buffer.concat(chunks));
}
