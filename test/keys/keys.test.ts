import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Keys } from '../../src/keys/keys.ts';
import type { FileKey } from '../../src/keys/keys.ts';
import { RootKeyFile } from '../../src/keys/root-key.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';

let folder: string;
let file: string;
let database: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-keys-'));
  file = join(folder, 'root.key');
  database = new Database(join(folder, 'waybill.db'));
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: { create?: boolean } = {}): Promise<Keys> {
  return Keys.open(new SqliteKeys(database), new RootKeyFile(file), options);
}

async function withTenant(keys: Keys, tenant: string): Promise<void> {
  const row = await keys.newTenantKey(tenant);
  await database.write(() => {
    keys.insertTenantKey(row);
  });
  keys.currentChanged(tenant);
}

/** The error must name the file and say what to do. */
function refused(code: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof Error && 'code' in error && error.code === code && error.message.includes(file) && !leaks(error);
}

function leaks(error: Error): boolean {
  const text = existsSync(file) ? readFileSync(file, 'latin1') : '';
  const secret = /\nkey (\S+)/.exec(text)?.[1];
  return secret !== undefined && error.message.includes(secret);
}

test('the first start makes a root key for its owner alone; later starts find the same keys', async () => {
  const first = await open();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await withTenant(first, 't');
  const fileKey = first.newFileKey('t', 'f');
  const segment = first.segmentKey(fileKey, 'ab'.repeat(16), 7);
  const text = readFileSync(file);
  const again = await open();
  assert.deepEqual(again.segmentKey(fileKey, 'ab'.repeat(16), 7), segment);
  assert.deepEqual(readFileSync(file), text);
});

test('a missing root key over existing content is refused, and none is made', async () => {
  await open();
  rmSync(file);
  await assert.rejects(open(), refused('root-key-missing'));
  assert.equal(existsSync(file), false);
});

test('an altered root key, or another one, is refused', async () => {
  await open();
  const text = readFileSync(file, 'latin1');
  const at = text.indexOf('key ', 20) + 6;
  const swap = (from: string): string => (from === 'A' ? 'B' : 'A');
  for (const wrong of [
    text.slice(0, at) + swap(text.charAt(at)) + text.slice(at + 1),
    text.replace(/id ./, (found) => `id ${found.endsWith('0') ? '1' : '0'}`),
    text.slice(0, -5),
    `${text}more\n`,
    '',
    'x'.repeat(10_000),
  ]) {
    writeFileSync(file, wrong);
    await assert.rejects(open(), refused('root-key-wrong'));
  }
  rmSync(file);
  const other = new RootKeyFile(file);
  await other.create();
  await assert.rejects(open(), refused('root-key-wrong'));
  writeFileSync(file, text);
  await open();
});

test('a root key that others can read, or a link, is refused', async () => {
  await open();
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(file, mode);
    await assert.rejects(open(), refused('data-folder-invalid'));
  }
  chmodSync(file, 0o600);
  const copy = `${file}.copy`;
  writeFileSync(copy, readFileSync(file), { mode: 0o600 });
  rmSync(file);
  symlinkSync(copy, file);
  await assert.rejects(open(), refused('data-folder-invalid'));
});

test('a crash between making the root key and remembering it is healed by the next start', async () => {
  const root = await new RootKeyFile(file).create();
  const keys = await open();
  assert.equal(keys.roots.current.root, root);
});

test('a reader never makes keys', async () => {
  await assert.rejects(open({ create: false }), /no keys yet/);
  assert.equal(existsSync(file), false);
});

test('segment keys are HKDF-SHA256 of the file key, each different', async () => {
  const keys = await open();
  await withTenant(keys, 't');
  const fileKey = keys.newFileKey('t', 'f');
  const blob = '0123456789abcdef'.repeat(2);
  const seen = new Set<string>();
  for (const [one, at] of [
    [blob, 0],
    [blob, 1],
    [blob, 2 ** 30],
    ['ff'.repeat(16), 0],
  ] as const)
    seen.add(keys.segmentKey(fileKey, one, at).toString('hex'));
  seen.add(keys.segmentKey(keys.newFileKey('t', 'g'), blob, 0).toString('hex'));
  assert.equal(seen.size, 5);
  // The file key itself never leaves; with a known one the derivation is that of RFC 5869.
  const known = Buffer.alloc(32, 7);
  const info = Buffer.concat([Buffer.from('waybill segment'), Buffer.from(blob, 'hex'), Buffer.from([0, 0, 0, 9])]);
  const expected = Buffer.from(hkdfSync('sha256', known, '', info, 32));
  const extracted = Buffer.from(hkdfExtract(known));
  (keys as unknown as { fileKeys: { set(id: string, key: Buffer): void } }).fileKeys.set('known', extracted);
  assert.deepEqual(keys.segmentKey({ ...fileKey, file: 'known' }, blob, 9), expected);
});

function hkdfExtract(key: Buffer): Buffer {
  return createHmac('sha256', Buffer.alloc(32)).update(key).digest();
}

test('a wrapped key opens for its own file, tenant and tenant key only', async () => {
  const keys = await open();
  await withTenant(keys, 't');
  await withTenant(keys, 'u');
  const right = keys.newFileKey('t', 'f');
  const other = keys.newFileKey('u', 'g');
  const fresh = await open();
  const wrong: FileKey[] = [
    { ...right, file: 'g' },
    { ...right, tenant: 'u' },
    { ...right, tenantKey: other.tenantKey, tenant: 'u' },
    { ...right, wrapped: other.wrapped },
    { ...right, tenantKey: 'gone' },
    { ...right, wrapped: right.wrapped.slice(0, 20) },
  ];
  for (const one of wrong) assert.throws(() => fresh.segmentKey(one, 'ab'.repeat(16), 0), { code: 'key-unavailable' });
  fresh.segmentKey(right, 'ab'.repeat(16), 0);
  // Rows of tenant keys that somebody swapped open nothing.
  database.sql.exec("UPDATE tenant_keys SET tenant = CASE tenant WHEN 't' THEN 'u' ELSE 't' END");
  const swapped = await open();
  assert.throws(() => swapped.segmentKey({ ...right, tenant: 'u' }, 'ab'.repeat(16), 0), { code: 'key-unavailable' });
});

test('new files take the youngest tenant key; files of the older one stay readable', async () => {
  const keys = await open();
  await withTenant(keys, 't');
  const old = keys.newFileKey('t', 'f');
  const segment = keys.segmentKey(old, 'ab'.repeat(16), 0);
  await withTenant(keys, 't');
  const fresh = await open();
  assert.notEqual(fresh.newFileKey('t', 'g').tenantKey, old.tenantKey);
  assert.deepEqual(fresh.segmentKey(old, 'ab'.repeat(16), 0), segment);
});

test('sealed secrets open for their purpose only, and not once altered', async () => {
  const keys = await open();
  const sealed = keys.seal('totp a', Buffer.from('secret'));
  assert.equal((await open()).open('totp a', sealed).toString(), 'secret');
  assert.throws(() => keys.open('totp b', sealed), { code: 'key-unavailable' });
  for (let at = 0; at < sealed.length; at++) {
    const altered = Buffer.from(sealed);
    altered[at] = (altered[at] ?? 0) ^ 1;
    assert.throws(() => keys.open('totp a', altered), { code: 'key-unavailable' });
    assert.throws(() => keys.open('totp a', sealed.subarray(0, at)), { code: 'key-unavailable' });
  }
  assert.notDeepEqual(keys.seal('totp a', Buffer.from('secret')), sealed);
});
