/**
 * A collector for tests: OTLP over HTTP. What it takes must be an ExportTraceServiceRequest by the names, types and
 * encodings of opentelemetry-proto 1.x in its JSON form. The schema is ours, written after the published .proto files,
 * and strict: a field that is not there is refused.
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const traceId = z.string().regex(/^(?!0{32})[0-9a-f]{32}$/);
const spanId = z.string().regex(/^(?!0{16})[0-9a-f]{16}$/);
const fixed64 = z.string().regex(/^(0|[1-9]\d{0,19})$/);
const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ boolValue: z.boolean() }),
  z.strictObject({ intValue: z.string().regex(/^-?\d{1,19}$/) }),
  z.strictObject({ doubleValue: z.number() }),
  z.strictObject({
    arrayValue: z.strictObject({ values: z.array(z.strictObject({ stringValue: z.string() })) }),
  }),
]);
const attributes = z.array(z.strictObject({ key: z.string().min(1), value }));
const span = z.strictObject({
  traceId,
  spanId,
  parentSpanId: spanId.optional(),
  flags: z.number().int().min(0).max(0xffffffff),
  name: z.string().min(1),
  kind: z.number().int().min(1).max(5),
  startTimeUnixNano: fixed64,
  endTimeUnixNano: fixed64,
  attributes,
  links: z.array(z.strictObject({ traceId, spanId, flags: z.number().int().min(0) })).optional(),
  status: z.strictObject({ code: z.number().int().min(0).max(2), message: z.string() }).optional(),
});
export type SpanJson = z.infer<typeof span>;
const scope = z.strictObject({ name: z.string(), version: z.string() });
export const exportRequest = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(z.strictObject({ scope, spans: z.array(span) })),
    }),
  ),
});

export interface Collector {
  readonly url: string;
  readonly spans: SpanJson[];
  readonly bodies: string[];
  readonly headers: IncomingHttpHeaders[];
  stop(): Promise<void>;
}

export async function collector(
  answer: () => { status: number; body?: string } = () => ({ status: 200 }),
): Promise<Collector> {
  const [spans, bodies, headers]: [SpanJson[], string[], IncomingHttpHeaders[]] = [[], [], []];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      const { status, body = '{}' } = answer();
      headers.push(request.headers);
      if (status === 200) {
        bodies.push(text);
        const found = exportRequest.parse(JSON.parse(text));
        spans.push(...found.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((one) => one.spans)));
      }
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    ...{ spans, bodies, headers },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Attributes by name, in plain values. */
export function attributesOf({ attributes: list }: SpanJson): Record<string, unknown> {
  return Object.fromEntries(
    list.map(({ key, value: held }) => {
      if ('intValue' in held) return [key, Number(held.intValue)];
      if ('arrayValue' in held) return [key, held.arrayValue.values.map(({ stringValue }) => stringValue)];
      return [key, Object.values(held)[0] as unknown];
    }),
  );
}
