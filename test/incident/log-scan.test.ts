import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAddressRange, addressNumber } from '../../src/incident/addresses.ts';
import type { FilledBatch } from '../../src/incident/batch.ts';
import { IdTable, wordsOfHex } from '../../src/incident/id-table.ts';
import { LogScan } from '../../src/incident/log-scan.ts';
import { indexOf, placeOf } from '../../src/incident/places.ts';
import { union } from '../../src/ledger/core/ranges.ts';
import { MALFORMED_KIND, TABLES, UNKNOWN_KIND } from '../../src/incident/tables.ts';
import { decodeEntry, encodeEntry } from '../../src/ledger/core/entry.ts';
import { KINDS } from '../../src/ledger/core/kinds.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { Random } from '../../bench/ledger-random.ts';
import { Traffic } from '../../bench/ledger-traffic.ts';
import { signIn } from './random-ledger.ts';
import { bytesOf } from './reference.ts';
import { testId } from './test-ledger.ts';

/** The rows of one entry, by table: columns as numbers. */
function scan(entries: readonly Buffer[]): Record<string, Record<string, number>[]> {
  const rows: Record<string, Record<string, number>[]> = {};
  const send = ({ table, rows: count, columns }: FilledBatch): void => {
    const types = Object.entries(TABLES[table]);
    for (let row = 0; row < count; row++)
      (rows[table] ??= []).push(
        Object.fromEntries(
          types.map(([name, type], at) => {
            const column = columns[at] as Uint32Array;
            if (type === 'u32' || type === 'name') return [name, column[row] ?? -1];
            return [name, (column[2 * row + 1] ?? 0) * 2 ** 32 + (column[2 * row] ?? 0)];
          }),
        ),
      );
  };
  const log = new LogScan(1, { send, name: () => 0 }, [1, 2]);
  entries.forEach((entry, index) => {
    // Not at the beginning of its memory, as in a bundle.
    const bytes = Buffer.concat([Buffer.from([9, 9]), entry, Buffer.from([9])]);
    log.start(bytes);
    log.entry(bytes, 2, 2 + entry.length, index);
  });
  log.finish();
  return rows;
}

const id = fc.option(fc.nat(3).map((number) => testId('id', number)));
const u32 = fc.oneof(fc.nat(100), fc.constantFrom(0, 0xffffffff));
const u64 = fc.oneof(fc.nat(1e9), fc.constantFrom(0, Number.MAX_SAFE_INTEGER, 2 ** 32, 2 ** 32 - 1));
const path = fc.oneof(
  fc.constantFrom('/', '', '/a/b', '/ä/ö', 'x'.repeat(4096)),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);

const hot: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('release' as const),
    session: id,
    reading: id,
    folder: id,
    file: id,
    version: id,
    first: u32,
    count: u32,
    bytes: u64,
    path,
  }),
  fc.record({
    kind: fc.constant('sent' as const),
    ...{ session: id, reading: id, file: id, version: id, known: fc.boolean(), bytes: u64 },
    ranges: fc.array(fc.tuple(u64, u64), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('listed' as const), session: id, folder: id, count: u32, path }),
  fc.record({
    kind: fc.constant('stored' as const),
    session: id,
    folder: id,
    file: id,
    version: id,
    replaces: id,
    size: u64,
    path,
  }),
);
const time = fc.oneof(fc.nat(2 ** 41), fc.constantFrom(0, Number.MAX_SAFE_INTEGER));

describe('reading entries straight from their bytes', () => {
  it('finds in them what decodeEntry finds', () => {
    fc.assert(
      fc.property(hot, time, (event, when) => {
        const rows = scan([encodeEntry(event, when)]);
        switch (event.kind) {
          case 'release': {
            const [row] = rows['releases'] ?? [];
            const { first, count, bytes } = event;
            assert.deepEqual(row, { place: placeOf(1, 0), time: when, reading: placeOf(1, 0), first, count, bytes });
            const [reading] = rows['readingsTail'] ?? [];
            assert.deepEqual([reading?.['releases'], reading?.['released'], reading?.['firstTime']], [1, bytes, when]);
            break;
          }
          case 'sent': {
            const [row] = rows['readings'] ?? [];
            const [offset = 0, length = 0] = event.ranges[0] ?? [];
            const found = [
              row?.['sentBytes'],
              row?.['ranges'],
              row?.['rangeOffset'],
              row?.['rangeLength'],
              row?.['endTime'],
            ];
            assert.deepEqual(found, [event.bytes, event.ranges.length, offset, length, when]);
            const more = (rows['sentRanges'] ?? []).map((range) => [range['rangeOffset'], range['rangeLength']]);
            assert.deepEqual(more, event.ranges.slice(1));
            break;
          }
          case 'listed': {
            const [row] = rows['listings'] ?? [];
            assert.deepEqual([row?.['names'], row?.['time']], [event.count, when]);
            break;
          }
          case 'stored': {
            const [row] = rows['events'] ?? [];
            assert.deepEqual([row?.['amount'], row?.['time'], row?.['kind']], [event.size, when, KINDS.stored.number]);
            break;
          }
          default:
            assert.fail();
        }
      }),
    );
  });

  it('refuses exactly the bytes that decodeEntry refuses', () => {
    const change = fc.oneof(
      fc.record({ how: fc.constant('bit' as const), at: fc.nat(400), bit: fc.nat(7) }),
      fc.record({ how: fc.constant('cut' as const), at: fc.nat(400), bit: fc.nat(7) }),
      fc.record({ how: fc.constant('longer' as const), at: fc.nat(400), bit: fc.nat(7) }),
    );
    fc.assert(
      fc.property(hot, time, fc.array(change, { minLength: 1, maxLength: 3 }), (event, when, changes) => {
        let bytes = encodeEntry(event, when);
        for (const { how, at, bit } of changes) {
          if (how === 'bit' && bytes.length > 0) {
            const where = at % bytes.length;
            bytes[where] = (bytes[where] ?? 0) ^ (1 << bit);
          } else if (how === 'cut') bytes = bytes.subarray(0, Math.max(0, bytes.length - 1 - bit));
          else bytes = Buffer.concat([bytes, Buffer.alloc(1 + bit, at)]);
        }
        const events = scan([bytes])['events'] ?? [];
        let wanted: number | null = null;
        try {
          const entry = decodeEntry(bytes);
          if (entry.kind === 'unknown') wanted = UNKNOWN_KIND + entry.number;
        } catch {
          wanted = MALFORMED_KIND;
        }
        const found = events.find((row) => (row['kind'] ?? 0) >= UNKNOWN_KIND)?.['kind'] ?? null;
        assert.equal(found, wanted);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a sent to the releases before it, and to no other', () => {
    const [session, other] = [testId('session', 1), testId('session', 2)];
    const named = { reading: testId('reading', 1), file: testId('file', 1), version: testId('version', 1) };
    const release: Event = {
      kind: 'release',
      session,
      folder: null,
      ...named,
      first: 0,
      count: 1,
      bytes: 10,
      path: '/a',
    };
    const sent: Event = { kind: 'sent', session, ...named, known: true, bytes: 10, ranges: [[0, 10]] };
    const outcomes = (events: readonly Event[]): (number | undefined)[] => {
      const rows = scan(events.map((event, at) => encodeEntry(event, at)));
      return [...(rows['readings'] ?? []), ...(rows['readingsTail'] ?? [])].map((row) => row['outcome']);
    };
    const end: Event = { kind: 'session-end', session, reason: '', gap: false };
    assert.deepEqual(outcomes([release, sent]), [1]);
    assert.deepEqual(outcomes([release, end, sent]), [1], 'also when its session has ended meanwhile');
    assert.deepEqual(outcomes([release, { ...sent, known: false }]), [2]);
    assert.deepEqual(outcomes([release, end]), [3]);
    assert.deepEqual(outcomes([release]), [0]);
    assert.deepEqual(outcomes([release, { ...sent, session: other }]), [4, 0], "not with another session's");
    assert.deepEqual(outcomes([release, { ...sent, version: null }]), [4, 0]);
    assert.deepEqual(
      outcomes([release, sent, release]),
      [1, 0],
      'what is released after it is not accounted for by it',
    );
    assert.deepEqual(outcomes([sent, release]), [4, 0]);
  });

  it('lets go of no session early, however many have ended', () => {
    const events: Event[] = [];
    for (let number = 0; number < 600; number++) {
      const session = testId('session', number);
      events.push({ ...signIn(session, number), session } as Event, {
        kind: 'session-end',
        session,
        reason: '',
        gap: false,
      });
    }
    const rows = scan(events.map((event, at) => encodeEntry(event, at)));
    const all = [...(rows['sessions'] ?? []), ...(rows['sessionsTail'] ?? [])];
    assert.equal(all.length, 600);
    assert.ok(all.every((row) => row['signedIn'] === 1 && row['state'] === 1));
    assert.deepEqual(
      all.map((row) => indexOf(row['session'] ?? 0)).sort((a, b) => a - b),
      all.map((_, at) => 2 * at),
    );
  });
});

describe('the generator of ledgers', () => {
  it('writes what encodeEntry writes', () => {
    const traffic = new Traffic(7, 1, Date.UTC(2026, 0, 1));
    const kinds = new Set<string>();
    for (let at = 0; at < 5000; at++) {
      const bytes = Buffer.from(traffic.next(at));
      const entry = decodeEntry(bytes);
      assert.notEqual(entry.kind, 'unknown');
      if (entry.kind === 'unknown') continue;
      kinds.add(entry.kind);
      const { time: when, ...event } = entry;
      assert.deepEqual(encodeEntry(event, when), bytes);
    }
    for (const kind of ['opened', 'sign-in', 'release', 'sent', 'listed', 'stored', 'renamed', 'session-end'])
      assert.ok(kinds.has(kind), kind);
  });

  it('is the same for the same seed', () => {
    const first = (seed: number): Buffer[] => {
      const traffic = new Traffic(seed, 2, 0);
      return Array.from({ length: 300 }, (_, at) => Buffer.from(traffic.next(at)));
    };
    assert.deepEqual(first(3), first(3));
    assert.notDeepEqual(first(3), first(4));
    const random = new Random(1, 1);
    assert.ok(Array.from({ length: 1000 }, () => random.unit()).every((value) => value >= 0 && value < 1));
  });
});

describe('parts of an index', () => {
  it('a table of identifiers is a map', () => {
    const key = fc.nat(40).map((number) => testId('key', number));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), key), { maxLength: 300 }), (acts) => {
        const table = new IdTable<{ id: ReturnType<typeof wordsOfHex>; name: string }>();
        const map = new Map<string, { id: ReturnType<typeof wordsOfHex>; name: string }>();
        for (const [add, name] of acts) {
          const found = table.get(wordsOfHex(name));
          assert.equal(found, map.get(name));
          if (add && found === undefined) {
            const value = { id: wordsOfHex(name), name };
            table.add(value);
            map.set(name, value);
          } else if (!add && found !== undefined) {
            table.remove(found);
            map.delete(name);
          }
        }
        assert.equal(table.size, map.size);
        for (const [name, value] of map) assert.equal(table.get(wordsOfHex(name)), value);
      }),
    );
  });

  it('a union of ranges has the same bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.nat(20)), { maxLength: 12 }), (ranges) => {
        const joined = union(ranges);
        assert.equal(bytesOf(joined), bytesOf(ranges.filter(([, length]) => length > 0)));
        joined.slice(1).forEach(([offset], at) => {
          const [before = 0, length = 0] = joined[at] ?? [];
          assert.ok(offset > before + length);
        });
      }),
    );
  });

  it('an address in a range is in it, in whatever form it is written', () => {
    const contains = (text: string, address: string): boolean => {
      const { from, to } = parseAddressRange(text);
      const number = addressNumber(address);
      const whole = ({ high, low }: { high: bigint; low: bigint }): bigint => (high << 64n) | low;
      return number !== null && whole(number) >= whole(from) && whole(number) <= whole(to);
    };
    assert.ok(contains('192.0.2.0/24', '192.0.2.255'));
    assert.ok(!contains('192.0.2.0/24', '192.0.3.0'));
    assert.ok(contains('192.0.2.7', '::ffff:192.0.2.7'));
    assert.ok(contains('192.0.2.1-192.0.2.9', '192.0.2.5'));
    assert.ok(contains('2001:db8::/32', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'));
    assert.ok(!contains('2001:db8::/32', '2001:db9::'));
    assert.ok(contains('::/0', '10.0.0.1'));
    assert.equal(addressNumber('fe80::1%eth0')?.low, 1n);
    assert.equal(addressNumber('not an address'), null);
    for (const wrong of ['192.0.2.0/33', '192.0.2.9-192.0.2.1', 'x', '10.0.0.0/', '1.2.3.4-', '::/129'])
      assert.throws(() => parseAddressRange(wrong), { code: 'option-invalid' }, wrong);
  });
});
