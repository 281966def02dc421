/** Requests for one operation of the OpenAPI document: as it wants them, nearly, and hostile. */
import fc from 'fast-check';
import type { Described, Document, Parameter } from './document.ts';
import { hostileText, hostileValue, nearlyOf, validOf } from './json-values.ts';
import type { Dictionary, Making } from './json-values.ts';

export interface Planned {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export const KINDS = ['valid', 'nearly', 'hostile'] as const;
export type Kind = (typeof KINDS)[number];

/** Values of headers that mean something; others than these are for the hostile ones. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  range: ['bytes=0-0', 'bytes=-5', 'bytes=2-', 'bytes=0-1,3-4', 'bytes=99999999-', 'bytes=5-1', 'lines=1-2'],
  'if-range': ['"x"', 'W/"x"', 'Mon, 23 Nov 2026 10:00:00 GMT'],
  'if-match': ['*', '"x"', 'W/"x"', '"a","b"'],
  'if-none-match': ['*', '"x"', '"a", "b"'],
  'repr-digest': ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', 'sha-512=:AA==:', 'x'],
  'tus-resumable': ['1.0.0', '1.0.0', '1.0.0', '0.2.2'],
  'upload-length': ['0', '5', '100', '-1', '9007199254740993'],
  'upload-offset': ['0', '0', '5', '-1', '1e3'],
  'upload-metadata': ['path L2V4Y2hhbmdlL2Z1eno=', 'filename eA==,directory L2V4Y2hhbmdl', 'path', 'path !!'],
  'upload-checksum': ['sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'sha1 AA==', 'crc32 AA=='],
};

/** What no operation asks for, and what servers have believed. */
const STRANGE: readonly (readonly [string, string])[] = [
  ['x-forwarded-for', '203.0.113.9'],
  ['forwarded', 'for=203.0.113.9;proto=http'],
  ['x-http-method-override', 'DELETE'],
  ['content-encoding', 'gzip'],
  ['content-type', 'text/plain'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'multipart/form-data; boundary=x'],
  ['accept', 'text/html'],
  ['accept-encoding', 'gzip'],
  ['origin', 'https://evil.example'],
  ['origin', 'null'],
  ['sec-fetch-site', 'cross-site'],
  ['cookie', '__Host-waybill=planted'],
  ['cookie', '__Host-waybill=a; __Host-waybill=b'],
  ['host', 'evil.example'],
  ['upgrade-insecure-requests', '1'],
  ['te', 'trailers'],
  ['content-range', 'bytes 0-1/5'],
  ['expect', ''],
];

type Field = Readonly<Record<string, string>>;

export function requestsOf(
  described: Described,
  document: Document,
  dictionary: Dictionary,
): Readonly<Record<Kind, fc.Arbitrary<Planned>>> {
  const making: Making = { schemas: document.components.schemas, dictionary };
  const parts = { described, making };
  return { valid: planned(parts, 'valid'), nearly: planned(parts, 'nearly'), hostile: planned(parts, 'hostile') };
}

interface Parts {
  readonly described: Described;
  readonly making: Making;
}

function planned({ described, making }: Parts, kind: Kind): fc.Arbitrary<Planned> {
  const { path, row } = described;
  const of = (place: Parameter['in']): Parameter[] => (row.parameters ?? []).filter((one) => one.in === place);
  // One place is wrong in what is nearly right; everything in what is hostile.
  const places = ['path', 'query', 'header', 'body'] as const;
  const wrong = kind === 'nearly' ? fc.constantFrom<string>(...places) : fc.constant(kind === 'hostile' ? 'all' : '');
  return wrong.chain((where) => {
    const bad = (place: string): boolean => where === place || where === 'all';
    return fc
      .record({
        names: fields(of('path'), making, bad('path')),
        query: fields(of('query'), making, bad('query')),
        headers: headersOf(of('header'), bad('header')),
        strange: bad('header') ? fc.constantFrom(...STRANGE) : fc.constant(null),
        body: bodyOf(described, making, bad('body')),
      })
      .map(({ names, query, headers, strange, body }) => {
        const asked = new URLSearchParams(query).toString();
        return {
          target: `${filled(path, names)}${asked === '' ? '' : `?${asked}`}`,
          headers: {
            ...headers,
            ...(body === null ? {} : { 'content-type': body.type }),
            ...(strange === null ? {} : { [strange[0]]: strange[1] }),
          },
          body: body?.bytes ?? null,
        };
      });
  });
}

function filled(path: string, names: Field): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = (names[name] ?? '').toWellFormed();
    if (name !== 'path') return encodeURIComponent(value);
    return value.replace(/^\//, '').split('/').map(encodeURIComponent).join('/');
  });
}

function fields(parameters: readonly Parameter[], making: Making, bad: boolean): fc.Arbitrary<Field> {
  const made = parameters.map(({ name, schema }) => {
    const good = validOf(schema, making, name).map(String);
    return [name, bad ? fc.oneof(hostileText, good) : good] as const;
  });
  const requiredKeys = parameters.filter(({ required }) => required === true).map(({ name }) => name);
  const known = fc.record(Object.fromEntries(made), { requiredKeys }) as fc.Arbitrary<Field>;
  if (!bad || parameters.some((one) => one.in === 'path')) return known;
  return fc.tuple(known, hostileText).map(([one, text]) => ({ ...one, surplus: text }));
}

function headersOf(parameters: readonly Parameter[], bad: boolean): fc.Arbitrary<Field> {
  const made = parameters.map(({ name }) => {
    const key = name.toLowerCase();
    const good = fc.constantFrom(...(HEADERS[key] ?? ['x']));
    return [key, bad ? fc.oneof(good, hostileText.map(headerText)) : good] as const;
  });
  // A version that a protocol asks for: without it everything ends there.
  const requiredKeys = parameters.map(({ name }) => name.toLowerCase()).filter((name) => name === 'tus-resumable');
  return fc.record(Object.fromEntries(made), bad ? {} : { requiredKeys }) as fc.Arbitrary<Field>;
}

/** What a client can send at all: Node's refuses the rest itself (test/api/bad-input.test.ts sends it as bytes). */
function headerText(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 2000);
}

type Body = { readonly type: string; readonly bytes: Buffer } | null;

function bodyOf({ row }: Described, making: Making, bad: boolean): fc.Arbitrary<Body> {
  const [type, { schema } = { schema: {} }] = Object.entries(row.requestBody?.content ?? {})[0] ?? [];
  if (type === undefined) {
    const bytes = Buffer.from('{"surplus":true}');
    return bad ? fc.constantFrom(null, { type: 'application/json', bytes }) : fc.constant(null);
  }
  if (type !== 'application/json') return stream(type, bad);
  const good = validOf(schema, making).map((value) => jsonBody(value));
  if (!bad) return good;
  return fc.oneof(
    { weight: 6, arbitrary: nearlyOf(schema, making).map((value) => jsonBody(value)) },
    { weight: 2, arbitrary: hostileValue.map((value) => jsonBody(value)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...BROKEN_JSON).map((text) => ({ type, bytes: Buffer.from(text, 'latin1') })),
    },
  );
}

function stream(type: string, bad: boolean): fc.Arbitrary<Body> {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
  const types = bad ? fc.constantFrom(type, 'text/plain', 'application/json', '', 'x'.repeat(300)) : fc.constant(type);
  return fc.record({ type: types, bytes });
}

/** A lone surrogate is what JSON may hold and UTF-8 may not. */
function jsonBody(value: unknown): Body {
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(value)) };
}

const BROKEN_JSON: readonly string[] = [
  '',
  '{',
  '{"a":1}{"a":1}',
  '\ufeff{}',
  '\xff\xfe',
  'NaN',
  "{'a':1}",
  '['.repeat(20_000),
  `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  `"${'x'.repeat(70_000)}"`,
  '{"__proto__":{"path":"/exchange/x"}}',
  '{"path":"/exchange/x","path":"/exchange/y"}',
  '1e400',
];
