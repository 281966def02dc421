import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packWrapped, unpackWrapped } from '../../src/keys/root-key-provider.ts';

const root = fc.stringMatching(/^[a-z]{1,8}:[A-Za-z0-9/._-]{1,100}(:[1-9]\d{0,8})?$/);
const payload = fc.uint8Array({ minLength: 1, maxLength: 600 }).map((bytes) => Buffer.from(bytes));

test('a wrapped key carries provider, version and payload', () => {
  fc.assert(
    fc.property(fc.record({ root, payload }), (wrapped) => {
      assert.deepEqual(unpackWrapped(packWrapped(wrapped)), { ...wrapped });
    }),
  );
});

test('other bytes are no wrapped key, or are one whose parts lie inside them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const found = unpackWrapped(bytes);
      if (found === null) return;
      assert.equal(bytes[0], 2);
      assert.ok(found.payload.length > 0);
      assert.equal(2 + found.root.length + found.payload.length, bytes.length);
      assert.deepEqual(packWrapped(found), Buffer.from(bytes));
    }),
  );
});

test('a reference that does not fit is refused', () => {
  assert.throws(() => packWrapped({ root: 'x'.repeat(256), payload: Buffer.alloc(1) }), RangeError);
});
