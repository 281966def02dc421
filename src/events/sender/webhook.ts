/** One event, one POST (Standard Webhooks). Redirects are not followed, the answer's body is not kept. */
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { DeliverAnswer, OutgoingEvent, OutgoingTarget } from '../calls.ts';
import { plainHost } from '../public-addresses.ts';
import { destinationOf } from './destination.ts';
import type { Resolve } from './destination.ts';
import { signatures } from './signature.ts';
import { whyOf } from './why.ts';

const WITHIN_MS = 20_000;
/** Of the answer's body and of its head: nobody reads them. */
const BODY_MAX = 65_536;
const HEAD_MAX = 16_384;
const RETRY_AFTER_MAX_MS = 3_600_000;
const AGENTS_MAX = 256;

interface Exchanged {
  readonly status: number;
  readonly retryAfter: number | null;
}

export interface WebhookParts {
  readonly allow: readonly string[];
  readonly resolve?: Resolve;
  readonly within?: number;
}

export class Webhooks {
  private readonly parts: WebhookParts;
  private readonly agents = new Map<string, Agent>();

  constructor(parts: WebhookParts) {
    this.parts = parts;
  }

  /** In order, one after the other; the first that is not taken ends it. */
  async deliver(target: OutgoingTarget, events: readonly OutgoingEvent[]): Promise<DeliverAnswer> {
    let delivered = 0;
    for (const event of events) {
      try {
        const { status, retryAfter } = await this.post(target, event);
        if (status < 200 || status > 299) return { delivered, failure: `HTTP status ${status}`, retryAfter };
        delivered++;
      } catch (error) {
        return { delivered, failure: whyOf(error), retryAfter: null };
      }
    }
    return { delivered, failure: null, retryAfter: null };
  }

  private async post(target: OutgoingTarget, event: OutgoingEvent): Promise<Exchanged> {
    const url = new URL(target.address);
    // An address in the URL itself is never looked up, so it is judged here; a name, by the agent's look-up.
    await this.judgeLiteral(url.hostname);
    const body = bodyOf(event);
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Waybill',
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatures(target.secrets, event.id, timestamp, body),
    };
    const agent = this.agentOf(target);
    return exchange(url, { headers, agent, body, within: this.parts.within ?? WITHIN_MS });
  }

  private async judgeLiteral(hostname: string): Promise<void> {
    const none: Resolve = () => Promise.resolve([{ address: '2606:4700::1', family: 6 }]);
    await destinationOf(plainHost(hostname), this.parts.allow, none);
  }

  private agentOf({ id, ca, certificate, clientKey }: OutgoingTarget): Agent {
    const kept = this.agents.get(id);
    if (kept !== undefined) return kept;
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 8,
      timeout: WITHIN_MS,
      minVersion: 'TLSv1.2',
      lookup: this.lookup,
      // Each attempt of "happy eyeballs" would be a connection that nobody judged.
      autoSelectFamily: false,
      ...(ca === null ? {} : { ca }),
      ...(certificate === null || clientKey === null ? {} : { cert: certificate, key: clientKey }),
    });
    this.agents.set(id, agent);
    for (const [oldest, old] of this.agents) {
      if (this.agents.size <= AGENTS_MAX) break;
      old.destroy();
      this.agents.delete(oldest);
    }
    return agent;
  }

  private readonly lookup: LookupFunction = (hostname, options, done) => {
    const { allow, resolve } = this.parts;
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
}

/** The form that Standard Webhooks recommends around the data. */
function bodyOf({ kind, time, json }: OutgoingEvent): string {
  const type = `waybill.${kind.replaceAll('-', '_')}`;
  return `{"type":"${type}","timestamp":"${new Date(time).toISOString()}","data":${json}}`;
}

interface Post {
  readonly headers: Readonly<Record<string, string | number>>;
  readonly agent: Agent;
  readonly body: string;
  readonly within: number;
}

function exchange(url: URL, { headers, agent, body, within }: Post): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent, maxHeaderSize: HEAD_MAX });
    // Of the whole exchange: an answer that drips in is no answer.
    const timer = setTimeout(() => {
      sent.destroy(new Error('no answer in time'));
    }, within);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.on('response', (response) => {
      drain(response, () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, retryAfter: retryAfterOf(response) });
      });
    });
    sent.end(body);
  });
}

/** The status says it all; the connection is kept for the next only when the body was short. */
function drain(response: IncomingMessage, done: () => void): void {
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > BODY_MAX) response.destroy();
  });
  response.on('error', () => undefined);
  response.once('close', done);
}

function retryAfterOf({ headers, statusCode }: IncomingMessage): number | null {
  const text = headers['retry-after'];
  if (text === undefined || (statusCode !== 429 && statusCode !== 503)) return null;
  return /^\d{1,6}$/.test(text) ? Math.min(Number(text) * 1000, RETRY_AFTER_MAX_MS) : null;
}
