/**
 * Spans as OTLP/JSON (opentelemetry-proto 1.x, ExportTraceServiceRequest): ids in hexadecimal, 64-bit numbers as decimal
 * strings, names in lowerCamelCase. Pure.
 */
import type { Attributes, AttributeValue, Span } from './span.ts';

const KINDS = { internal: 1, server: 2 } as const;
const STATUS_ERROR = 2;
/** The trace was sampled. */
const FLAGS = 1;

export interface TracedService {
  readonly version: string;
  readonly host: string;
  /** Of this run of the server. */
  readonly instance: string;
}

export function otlpTraces(service: TracedService, spans: readonly Span[]): string {
  const resource = {
    'service.name': 'waybill',
    'service.version': service.version,
    'service.instance.id': service.instance,
    'host.name': service.host,
  };
  const scopeSpans = [{ scope: { name: 'waybill', version: service.version }, spans: spans.map(spanJson) }];
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: pairs(resource) }, scopeSpans }] });
}

function spanJson({ trace, id, parent, name, kind, start, end, attributes, links, error }: Span): object {
  return {
    traceId: trace,
    spanId: id,
    ...(parent === null ? {} : { parentSpanId: parent }),
    flags: FLAGS,
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(start),
    // Clocks of machines go back; a span that ends before it began is refused by some collectors.
    endTimeUnixNano: nanoseconds(Math.max(start, end)),
    attributes: pairs(attributes),
    ...(links === undefined || links.length === 0
      ? {}
      : { links: links.map((link) => ({ traceId: link.trace, spanId: link.span, flags: link.flags })) }),
    ...(error === undefined ? {} : { status: { code: STATUS_ERROR, message: error } }),
  };
}

function nanoseconds(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  return (BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6))).toString();
}

function pairs(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueJson(value) }));
}

function valueJson(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value !== 'number') return { arrayValue: { values: value.map((one) => ({ stringValue: one })) } };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
