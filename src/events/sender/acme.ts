/**
 * ACME's errands: requests of the broker are carried to the authority as they are, and challenges are shown by HTTP while
 * there are any. Only https, only public addresses but for the authority that the operator named; no redirects.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { CARRIED_MAX } from '../../acme/calls.ts';
import type { AcmeSettings, CarryAnswer, CarryRequest } from '../../acme/calls.ts';
import { plainHost } from '../public-addresses.ts';
import { destinationOf } from './destination.ts';

const WITHIN_MS = 30_000;
const HEAD_MAX = 16_384;
const RETRY_AFTER_MAX_MS = 86_400_000;
const PATH = '/.well-known/acme-challenge/';

export class AcmeErrands {
  private readonly settings: AcmeSettings;
  private readonly allow: readonly string[];
  private readonly agent: Agent;
  private challenges: ReadonlyMap<string, string> = new Map();
  private server: Server | null = null;

  constructor(settings: AcmeSettings, allow: readonly string[]) {
    this.settings = settings;
    this.allow = [...allow, settings.host];
    const ca = settings.ca === null ? {} : { ca: settings.ca };
    this.agent = new Agent({ minVersion: 'TLSv1.2', lookup: this.lookup, autoSelectFamily: false, ...ca });
  }

  async carry({ method, url, body }: CarryRequest): Promise<CarryAnswer> {
    const target = new URL(url);
    if (target.protocol !== 'https:') throw new Error('an authority is asked by https alone');
    // An address in the URL itself is never looked up.
    await destinationOf(plainHost(target.hostname), this.allow, () =>
      Promise.resolve([{ address: '2606:4700::1', family: 6 }]),
    );
    const headers = {
      'user-agent': 'Waybill',
      ...(body === null ? {} : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(target, { method, headers, agent: this.agent, maxHeaderSize: HEAD_MAX });
      const timer = setTimeout(() => {
        sent.destroy(new Error('no answer in time'));
      }, WITHIN_MS);
      sent.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      sent.on('response', (response) => {
        read(response, (text) => {
          clearTimeout(timer);
          resolve(answerOf(response, text));
        });
      });
      sent.end(body ?? undefined);
    });
  }

  /** Takes the place of those before; without any nobody listens. */
  async show(challenges: readonly (readonly [string, string])[]): Promise<void> {
    this.challenges = new Map(challenges);
    const { http } = this.settings;
    if (http === null || challenges.length > 0 === (this.server !== null)) return;
    if (this.server !== null) {
      const { server } = this;
      this.server = null;
      server.closeAllConnections();
      server.close();
      return;
    }
    const server = createServer({ requestTimeout: WITHIN_MS, headersTimeout: WITHIN_MS, maxHeaderSize: 8192 });
    server.maxConnections = 64;
    server.on('request', (asked, answer) => {
      asked.resume();
      const token = asked.url?.startsWith(PATH) === true ? asked.url.slice(PATH.length) : '';
      const text = this.challenges.get(token);
      if (asked.method !== 'GET' || text === undefined) answer.writeHead(404).end();
      else answer.writeHead(200, { 'content-type': 'application/octet-stream' }).end(text);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(http.port, http.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.server = server;
  }

  private readonly lookup: LookupFunction = (hostname, options, done) => {
    destinationOf(hostname, this.allow).then(
      ({ address, family }) => {
        if (options.all === true) done(null, [{ address, family }]);
        else done(null, address, family);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error('look-up failed'), '');
      },
    );
  };
}

function read(response: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > CARRIED_MAX / 2) response.destroy();
    else chunks.push(chunk);
  });
  response.on('error', () => undefined);
  response.once('close', () => {
    done(Buffer.concat(chunks).toString('utf8'));
  });
}

function answerOf({ statusCode, headers }: IncomingMessage, body: string): CarryAnswer {
  const nonce = headers['replay-nonce'];
  const { location, 'retry-after': again = '' } = headers;
  return {
    status: statusCode ?? 0,
    nonce: typeof nonce === 'string' && /^[A-Za-z0-9_-]{1,512}$/.test(nonce) ? nonce : null,
    location: location !== undefined && location.length <= 2048 ? location : null,
    retryAfter: /^\d{1,6}$/.test(again) ? Math.min(Number(again) * 1000, RETRY_AFTER_MAX_MS) : null,
    body,
  };
}
