/** JSON made by a schema of the OpenAPI document: valid, nearly valid, hostile. */
import fc from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;
/** Values for a property or parameter of this name that are really there. */
export type Dictionary = Readonly<Record<string, readonly unknown[]>>;

export interface Making {
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly dictionary: Dictionary;
}

const DEPTH_MAX = 6;
const ITEMS_MAX = 3;

/** What the schema allows; of a name that the dictionary knows mostly what is there. */
export function validOf(schema: Schema, making: Making, name = '', depth = 0): fc.Arbitrary<unknown> {
  const made = made0(schema, making, name, depth);
  const known = making.dictionary[name];
  return known === undefined || known.length === 0
    ? made
    : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: made });
}

function made0(schema: Schema, making: Making, name: string, depth: number): fc.Arbitrary<unknown> {
  const reference = schema['$ref'];
  if (typeof reference === 'string') {
    const target = making.schemas[reference.slice(reference.lastIndexOf('/') + 1)];
    return depth > DEPTH_MAX ? fc.constant(null) : made0((target ?? {}) as Schema, making, name, depth + 1);
  }
  if ('const' in schema) return fc.constant(schema['const']);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]));
  const some = (schema['anyOf'] ?? schema['oneOf']) as readonly Schema[] | undefined;
  if (some !== undefined) return fc.oneof(...some.map((one) => validOf(one, making, name, depth + 1)));
  const type: unknown = Array.isArray(schema['type']) ? (schema['type'] as unknown[])[0] : schema['type'];
  switch (type) {
    case 'string':
      return stringOf(schema);
    case 'integer':
      return fc.integer(boundsOf(schema, -(2 ** 31), 2 ** 31 - 1));
    case 'number':
      return fc.double({ ...boundsOf(schema, -1e9, 1e9), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return arrayOf(schema, making, name, depth);
    case 'object':
      return objectOf(schema, making, depth);
    default:
      return fc.oneof(fc.constant(null), fc.boolean(), fc.string());
  }
}

function stringOf(schema: Schema): fc.Arbitrary<string> {
  const minLength = numberOr(schema['minLength'], 0);
  const maxLength = Math.min(numberOr(schema['maxLength'], 40), Math.max(minLength, 40));
  if (schema['format'] === 'date-time')
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  const { pattern } = schema;
  if (typeof pattern === 'string') {
    try {
      return fc.stringMatching(new RegExp(pattern)).filter((text) => text.length >= minLength);
    } catch {
      // Of a kind that is not made backwards: what does not match is a test of its own.
    }
  }
  return fc.string({ minLength, maxLength });
}

function arrayOf(schema: Schema, making: Making, name: string, depth: number): fc.Arbitrary<unknown[]> {
  const minLength = numberOr(schema['minItems'], 0);
  const prefix = schema['prefixItems'] as readonly Schema[] | undefined;
  if (prefix !== undefined) return fc.tuple(...prefix.map((one) => validOf(one, making, name, depth + 1)));
  const maxLength = Math.max(minLength, Math.min(ITEMS_MAX, numberOr(schema['maxItems'], ITEMS_MAX)));
  const items = (schema['items'] ?? {}) as Schema;
  return fc.array(validOf(items, making, name, depth + 1), { minLength, maxLength });
}

function objectOf(schema: Schema, making: Making, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const made = Object.entries(properties).map(([name, of]) => [name, validOf(of, making, name, depth + 1)] as const);
  const requiredKeys = ((schema['required'] ?? []) as string[]).filter((name) => Object.hasOwn(properties, name));
  return fc.record(Object.fromEntries(made), { requiredKeys });
}

function boundsOf(schema: Schema, least: number, most: number): { min: number; max: number } {
  const above = numberOr(schema['exclusiveMinimum'], -Infinity);
  const min = Math.max(numberOr(schema['minimum'], least), above === -Infinity ? -Infinity : above + 1);
  const max = Math.max(min, Math.min(numberOr(schema['maximum'], most), Number.MAX_SAFE_INTEGER));
  return { min, max };
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

/** Text that has broken parsers, queries, paths, headers, pages and logs of others. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\r\nSet-Cookie: a=b',
  '../../../etc/passwd',
  '/..',
  '..\\..\\x',
  '/%2e%2e/%2e%2e/x',
  '%00',
  '%',
  'C:\\x',
  'CON',
  "' OR 1=1 --",
  '"; DROP TABLE accounts; --',
  '{{7*7}}${7*7}',
  '<script>alert(1)</script>',
  '\ud800',
  '\udfff\ud800',
  '\u202egnp.exe',
  '\u2028',
  'e\u0301',
  '\ufeff',
  '\u0130',
  '𝕏',
  '__proto__',
  'constructor',
  'toString',
  '*',
  'null',
  '-1',
  '1e999',
  '0x10',
  '9007199254740993',
  'a'.repeat(256),
  'é'.repeat(2100),
  '/'.repeat(4097),
  'x'.repeat(5000),
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
);

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: hostileText },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(null, true, -1, 0, 1e308, -1e308, 2 ** 53, 1.5, [], {}, [[]], [null], { a: 1 }),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);

/** One thing in it is wrong: gone, of another type, hostile, or one too many. */
export function nearlyOf(schema: Schema, making: Making): fc.Arbitrary<unknown> {
  return fc
    .tuple(validOf(schema, making), hostileValue, fc.nat(), fc.constantFrom('drop', 'change', 'add', 'deep'))
    .map(([value, wrong, at, how]) => spoil(value, wrong, at, how));
}

function spoil(value: unknown, wrong: unknown, at: number, how: 'drop' | 'change' | 'add' | 'deep'): unknown {
  if (Array.isArray(value)) {
    const copy = value as unknown[];
    if (copy.length === 0 || how === 'add') return [...copy, wrong];
    return copy.map((one, index) => (index === at % copy.length ? wrong : one));
  }
  if (typeof value !== 'object' || value === null) return wrong;
  const entries = Object.entries(value);
  if (how === 'add' || entries.length === 0) return { ...value, surplus: wrong };
  const [name = '', inner] = entries[at % entries.length] ?? [];
  if (how === 'drop') return Object.fromEntries(entries.filter(([other]) => other !== name));
  const changed = how === 'deep' && typeof inner === 'object' ? spoil(inner, wrong, at >> 3, 'change') : wrong;
  return Object.fromEntries(entries.map(([other, one]) => [other, other === name ? changed : one]));
}
