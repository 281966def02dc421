import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toOcsf } from '../../src/events/ocsf.ts';
import { KINDS } from '../../src/ledger/core/kinds.ts';
import type { Entry, KindName } from '../../src/ledger/core/kinds.ts';
import type { FieldType } from '../../src/ledger/core/fields.ts';

const SALT = 'deadbeef'.repeat(8);
const id = fc.oneof(fc.constant(null), fc.constant('ab'.repeat(16)));
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constant(''), fc.string({ maxLength: 6000 }));

const VALUES: { readonly [T in FieldType]: fc.Arbitrary<unknown> } = {
  id,
  hash: fc.constant(SALT),
  flag: fc.boolean(),
  u32: fc.nat(),
  u64: fc.maxSafeNat(),
  text,
  texts: fc.array(text, { maxLength: 40 }),
  ranges: fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat()), { maxLength: 3000 }),
  json: fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(text, fc.nat())),
};

const time = fc.nat({ max: 4_000_000_000_000 });
const entryOf = (kind: KindName): fc.Arbitrary<Entry> => {
  const fields = Object.entries(KINDS[kind].fields as Record<string, FieldType>).map(([name, type]) => [
    name,
    VALUES[type],
  ]);
  return fc.record({
    kind: fc.constant(kind),
    time,
    ...(Object.fromEntries(fields) as object),
  }) as unknown as fc.Arbitrary<Entry>;
};

const place = { log: 'cd'.repeat(32), index: 7, tenant: 'ef'.repeat(16), tenantName: 'acme', software: 'waybill 1' };
const known = { session: () => ({ login: 'anna', account: 'ab'.repeat(16), address: '192.0.2.1' }) };
const unknown = { session: () => null };

/** What the schema (1.1) requires of every event, and of each class that is used here. */
const REQUIRED: Readonly<Record<number, readonly string[]>> = {
  0: [],
  2004: ['finding_info'],
  2005: ['finding_info_list', 'assignee'],
  3001: ['user'],
  3002: ['user', 'service', 'src_endpoint'],
  3004: ['entity'],
  3005: ['user'],
  6002: ['app'],
  6006: ['actor', 'file', 'src_endpoint'],
};
/** Objects of which at least one of these has to be there. */
const ONE_OF: Readonly<Record<string, readonly string[]>> = {
  user: ['name', 'uid'],
  entity: ['name', 'uid'],
  src_endpoint: ['ip', 'name'],
  actor: ['user', 'session', 'app_name'],
};

function check(event: Record<string, unknown>): void {
  const uid = Number(event['class_uid']);
  assert.equal(event['category_uid'], Math.floor(uid / 1000));
  assert.equal(event['type_uid'], uid * 100 + Number(event['activity_id']));
  assert.ok([1, 2, 3, 4, 5].includes(Number(event['severity_id'])));
  assert.equal(typeof event['time'], 'number');
  assert.equal(typeof event['message'], 'string');
  if (event['activity_id'] === 99 && uid !== 0) assert.ok(String(event['activity_name']).length >= 0);
  for (const name of REQUIRED[uid] ?? ['no such class']) assert.ok(event[name] !== undefined, `${uid} needs ${name}`);
  for (const [name, fields] of Object.entries(ONE_OF)) {
    const object = event[name];
    if (object === undefined) continue;
    assert.ok(
      fields.some((field) => (object as Record<string, unknown>)[field] !== undefined),
      `${uid} ${name} is empty`,
    );
  }
}

describe('OCSF', () => {
  for (const kind of Object.keys(KINDS) as KindName[])
    it(`${kind} becomes an event of a class, whatever it holds`, () => {
      fc.assert(
        fc.property(entryOf(kind), fc.boolean(), (entry, seen) => {
          const event = toOcsf(entry, place, seen ? known : unknown);
          check(event);
          const json = JSON.stringify(event);
          assert.ok(json.length < 200_000, `${json.length} characters`);
          assert.ok(!json.includes(SALT) || kind === 'node-start', 'the salt of a log went out');
          assert.equal((event['unmapped'] as { waybill: { kind: string } }).waybill.kind, kind);
        }),
        { numRuns: 60 },
      );
    });

  it('an entry of a later version is told as one', () => {
    const bytes = Buffer.alloc(3);
    const event = toOcsf({ kind: 'unknown', number: 200, version: 2, time: 5, bytes }, place, unknown);
    check(event);
    assert.equal(event['class_uid'], 0);
  });

  it('says what a person searches for', () => {
    const base = { session: 'ab'.repeat(16), folder: null, file: 'cd'.repeat(16), version: 'ef'.repeat(16), time: 1 };
    const stored = toOcsf({ kind: 'stored', ...base, replaces: null, size: 9, path: '/in/a.txt' }, place, known);
    assert.equal(stored['type_uid'], 600_601);
    assert.equal(stored.message, 'anna stored /in/a.txt (9 bytes)');
    assert.deepEqual(stored['src_endpoint'], { ip: '192.0.2.1' });
    assert.deepEqual((stored['file'] as { name: string; path: string }).name, 'a.txt');
    assert.equal((stored['metadata'] as { uid: string }).uid, `${'cd'.repeat(32)}:7`);
    const changed = { kind: 'changed', actor: 'ada', approvedBy: '', account: 'ab'.repeat(16), folder: null } as const;
    const of = (action: string) =>
      toOcsf({ ...changed, action, credential: '', detail: {}, time: 1 }, place, known)['type_uid'];
    assert.deepEqual(
      ['account.suspend', 'grant.add', 'grant.remove', 'folder.create', 'event.remove'].map(of),
      [300_105, 300_501, 300_502, 300_401, 300_404],
    );
  });
});
