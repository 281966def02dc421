import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEntry, encodeEntry } from '../../../src/ledger/core/entry.ts';
import type { FieldType } from '../../../src/ledger/core/fields.ts';
import { decodeChanges, decodeHead, encodeChanges, encodeHead } from '../../../src/ledger/core/head.ts';
import { KINDS } from '../../../src/ledger/core/kinds.ts';
import type { Event, KindName } from '../../../src/ledger/core/kinds.ts';

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const integer = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'binary', maxLength: 200 }).map((value) => value.toWellFormed());
const VALUES: Readonly<Record<FieldType, fc.Arbitrary<unknown>>> = {
  id: fc.option(hex(16).filter((value) => !/^0+$/.test(value))),
  hash: hex(32),
  flag: fc.boolean(),
  u32: fc.integer({ min: 0, max: 0xffffffff }),
  u64: integer,
  text,
  texts: fc.array(text, { maxLength: 5 }),
  ranges: fc.array(fc.tuple(integer, integer), { maxLength: 5 }),
  json: fc
    .dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)))
    .map((value) => ({ ...value })),
};

function eventOf(kind: KindName): fc.Arbitrary<Event> {
  const fields = Object.entries(KINDS[kind].fields as Readonly<Record<string, FieldType>>);
  const record = Object.fromEntries(fields.map(([name, type]) => [name, VALUES[type]]));
  return fc.record({ kind: fc.constant(kind), ...record }) as unknown as fc.Arbitrary<Event>;
}
const anyEvent = fc.oneof(...(Object.keys(KINDS) as KindName[]).map(eventOf));

test('every kind comes back as it was, and has one form', () => {
  fc.assert(
    fc.property(anyEvent, integer, (event, time) => {
      const bytes = encodeEntry(event, time);
      const entry = decodeEntry(bytes);
      assert.deepEqual(entry, { ...event, time });
      assert.deepEqual(encodeEntry(entry as Event, time), bytes);
    }),
    { numRuns: 1000 },
  );
});

test('numbers of kinds are used once', () => {
  const numbers = Object.values(KINDS).map(({ number }) => number);
  assert.equal(new Set(numbers).size, numbers.length);
});

test('what is cut short, or goes on after its end, is refused', () => {
  fc.assert(
    fc.property(anyEvent, fc.nat(), (event, at) => {
      const bytes = encodeEntry(event, 1);
      const cut = bytes.subarray(0, 10 + (at % (bytes.length - 10)));
      assert.throws(() => decodeEntry(cut), { code: 'ledger-entry-invalid' });
      assert.throws(() => decodeEntry(Buffer.concat([bytes, Buffer.from([0])])), { code: 'ledger-entry-invalid' });
    }),
  );
});

test('random bytes give an entry, an unknown entry or a refusal, and what is read gives the same bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 10, maxLength: 300 }),
      fc.constantFrom(...Object.values(KINDS)),
      (bytes, kind) => {
        bytes.set([1, kind.number]);
        let entry;
        try {
          entry = decodeEntry(bytes);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'ledger-entry-invalid');
          return;
        }
        assert.deepEqual(encodeEntry(entry as Event, entry.time), Buffer.from(bytes));
      },
    ),
    { numRuns: 2000 },
  );
});

test('an entry of a kind or version to come is kept as it is', () => {
  const bytes = Buffer.alloc(40, 7);
  bytes.writeUInt32BE(0, 2);
  const entry = decodeEntry(bytes);
  assert.equal(entry.kind, 'unknown');
  assert.deepEqual(entry.bytes, bytes);
});

test('values that a field cannot hold are refused before anything is written', () => {
  const release = {
    kind: 'release',
    session: 'ab'.repeat(16),
    reading: null,
    folder: null,
    file: null,
    version: null,
    first: 0,
    count: 1,
    bytes: 1,
    path: '/a',
  } as const;
  const refused = { code: 'ledger-entry-invalid' };
  assert.throws(() => encodeEntry({ ...release, session: 'AB'.repeat(16) }, 1), refused);
  assert.throws(() => encodeEntry({ ...release, session: 'ab' }, 1), refused);
  assert.throws(() => encodeEntry({ ...release, bytes: 2 ** 53 }, 1), refused);
  assert.throws(() => encodeEntry({ ...release, first: -1 }, 1), refused);
  assert.throws(() => encodeEntry({ ...release, path: 'a'.repeat(4097) }, 1), refused);
});

test('heads and their changes come back, and changes are in order', () => {
  fc.assert(
    fc.property(hex(32), integer, hex(16), fc.uniqueArray(hex(32), { maxLength: 6 }), (root, number, run, logs) => {
      const head = {
        time: number,
        sumRoot: Buffer.from(root, 'hex'),
        total: number,
        tenants: logs.length,
        changes: Buffer.from(root, 'hex'),
        run,
        software: '1.0',
      };
      assert.deepEqual(decodeHead(encodeHead(head)), head);
      const states = logs.map((log) => ({ log, size: number, root: Buffer.from(root, 'hex') }));
      const bytes = encodeChanges(states);
      assert.deepEqual(
        decodeChanges(bytes),
        [...states].sort((a, b) => (a.log < b.log ? -1 : 1)),
      );
      if (logs.length > 1) {
        const [count, first, second] = [bytes.subarray(0, 4), bytes.subarray(4, 76), bytes.subarray(76, 148)];
        assert.throws(() => decodeChanges(Buffer.concat([count, second, first, bytes.subarray(148)])));
      }
      assert.throws(() => decodeChanges(Buffer.concat([bytes, Buffer.from([0])])));
    }),
  );
});
