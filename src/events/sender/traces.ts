/** Spans to an OpenTelemetry collector: OTLP over HTTP, JSON. Redirects are not followed. */
import { request as requestHttp } from 'node:http';
import { Agent, request as requestHttps } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { TraceAnswer, TraceCollector } from '../calls.ts';

const WITHIN_MS = 10_000;
const BODY_MAX = 65_536;
const HEAD_MAX = 16_384;
const RETRY_AFTER_MAX_MS = 600_000;
/** What the OTLP specification has tried again; everything else would be refused again. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class Traces {
  private readonly collector: TraceCollector;
  private readonly agent: Agent;

  constructor(collector: TraceCollector) {
    this.collector = collector;
    const ca = collector.ca === null ? {} : { ca: collector.ca };
    this.agent = new Agent({ keepAlive: true, maxSockets: 1, minVersion: 'TLSv1.2', ...ca });
  }

  async send(body: string): Promise<TraceAnswer> {
    try {
      const { status, text, retryAfter } = await this.post(body);
      if (status >= 200 && status <= 299) return { outcome: 'taken', rejected: rejectedIn(text), retryAfter: null };
      return { outcome: LATER.has(status) ? 'later' : 'refused', rejected: 0, retryAfter };
    } catch {
      return { outcome: 'later', rejected: 0, retryAfter: null };
    }
  }

  private post(body: string): Promise<{ status: number; text: string; retryAfter: number | null }> {
    const url = new URL(this.collector.url);
    const headers = {
      ...Object.fromEntries(this.collector.headers),
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Waybill',
    };
    const options = { method: 'POST', headers, maxHeaderSize: HEAD_MAX };
    return new Promise((resolve, reject) => {
      const sent =
        url.protocol === 'https:' ? requestHttps(url, { ...options, agent: this.agent }) : requestHttp(url, options);
      const timer = setTimeout(() => {
        sent.destroy(new Error('no answer in time'));
      }, WITHIN_MS);
      sent.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      sent.on('response', (response) => {
        textOf(response, (text) => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, text, retryAfter: retryAfterOf(response) });
        });
      });
      sent.end(body);
    });
  }
}

function textOf(response: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > BODY_MAX) response.destroy();
    else chunks.push(chunk);
  });
  response.on('error', () => undefined);
  response.once('close', () => {
    done(Buffer.concat(chunks).toString('utf8'));
  });
}

/** `partialSuccess` of ExportTraceServiceResponse; 64-bit numbers may come as strings. */
function rejectedIn(text: string): number {
  try {
    const { partialSuccess } = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } };
    const count = Number(partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    return 0;
  }
}

function retryAfterOf({ headers }: IncomingMessage): number | null {
  const text = headers['retry-after'];
  return text !== undefined && /^\d{1,6}$/.test(text) ? Math.min(Number(text) * 1000, RETRY_AFTER_MAX_MS) : null;
}
