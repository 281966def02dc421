/** Traces, put together: what the broker sees becomes spans, and the process with the network sends them. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ServerOptions } from '../config/options.ts';
import type { TraceAnswer, TraceCollector } from '../events/calls.ts';
import type { Metric } from '../events/metrics.ts';
import { otlpTraces } from '../events/traces/otlp.ts';
import type { TraceContext } from '../base/trace-context.ts';
import { Spool } from '../events/traces/spool.ts';
import { Tracer } from '../events/traces/tracer.ts';
import type { Event } from '../ledger/core/kinds.ts';
import type { Observe, ObservedCall } from './dispatch.ts';
import { ADMIN_CALLS } from './admin-calls.ts';

/** Of the calls of fronts. */
export interface FrontTraces {
  readonly called: Observe;
  readonly joined: (session: string, context: TraceContext) => void;
}

export interface OpenTraces extends FrontTraces {
  readonly recorded: (event: Event) => void;
  readonly administered: Observe;
  metrics(): Metric[];
  stop(): Promise<void>;
}

export interface TracesParts {
  readonly options: ServerOptions;
  readonly software: string;
  readonly send: (body: string) => Promise<TraceAnswer>;
  readonly log: Log;
}

/** Null where no collector is named. */
export function openTraces({ options, software, send, log }: TracesParts): OpenTraces | null {
  if (options.otlp === null) return null;
  const service = { version: software, host: hostname(), instance: randomBytes(8).toString('hex') };
  const spool = new Spool({
    send: (spans) => send(otlpTraces(service, spans)),
    report: (dropped, why) => {
      log.warn({ dropped, why }, 'spans are given up');
    },
  });
  const tracer = new Tracer({
    share: options['trace-sample'],
    emit: (span) => {
      spool.add(span);
    },
  });
  const administered = (call: ObservedCall, session: string | null = null): void => {
    const row = Object.hasOwn(ADMIN_CALLS, call.call) ? ADMIN_CALLS[call.call as keyof typeof ADMIN_CALLS] : null;
    if (row?.writes === true) tracer.administered(call, session);
  };
  return {
    recorded: (event) => {
      tracer.recorded(event);
    },
    called: (call) => {
      const { request } = call;
      if (call.call !== 'admin.call') tracer.called(call);
      else administered({ ...call, call: String(request['call']) }, String(request['session']));
    },
    administered,
    joined: (session, context) => {
      tracer.joined(session, context);
    },
    metrics: () => [
      counter('waybill_trace_spans_sent_total', 'Spans that the collector has taken.', spool.sent),
      counter('waybill_trace_spans_dropped_total', 'Spans that were given up.', spool.dropped),
    ],
    stop: () => spool.stop(),
  };
}

function counter(name: string, help: string, value: number): Metric {
  return { name, help, type: 'counter', values: [{ value }] };
}

const HEADERS_MAX = 32;
const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]{0,4000}[\x21-\x7e])?)$/;
/** Ours to say. */
const OWN = /^(content-.*|host|connection|transfer-encoding|user-agent)$/i;

export function traceCollector(options: ServerOptions): TraceCollector | null {
  const { otlp: url, 'otlp-headers-file': file, 'otlp-ca': ca } = options;
  if (url === null) {
    if (file !== null || ca !== null) throw invalid('--otlp-headers-file and --otlp-ca need --otlp');
    return null;
  }
  const headers = file === null ? [] : headersOf(read('otlp-headers-file', file));
  return { url, headers, ca: ca === null ? null : read('otlp-ca', ca) };
}

/** A line each: NAME: VALUE. They often are a password, so nothing of them is in a message. */
function headersOf(text: string): [string, string][] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  const found = lines.map((line) => HEADER.exec(line));
  const headers = found.map((one): [string, string] => [one?.[1] ?? '', one?.[2] ?? '']);
  if (headers.length > HEADERS_MAX || headers.some(([name]) => name === '' || OWN.test(name)))
    throw invalid('--otlp-headers-file holds lines NAME: VALUE, and none of content, host or connection');
  return headers;
}

function read(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const message = `--${option} is ${JSON.stringify(file)}, which cannot be read`;
    throw new WaybillError('option-invalid', message, { cause });
  }
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
