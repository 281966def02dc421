import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  hashAccessToken,
  newAccessToken,
  parseTokenFingerprint,
  tokenFingerprint,
} from '../../src/accounts/access-token.ts';
import { newReference, parseReference } from '../../src/base/references.ts';

it('tokens are of one form and never the same; their fingerprint is their hash', () => {
  const tokens = new Set(Array.from({ length: 100 }, newAccessToken));
  assert.equal(tokens.size, 100);
  for (const token of tokens) {
    const hash = hashAccessToken(token);
    assert.equal(hash?.length, 32);
    assert.deepEqual(parseTokenFingerprint(tokenFingerprint(hash)), hash);
    assert.equal(hashAccessToken(`${token}\n`), null);
    assert.equal(hashAccessToken(token.slice(1)), null);
  }
});

it('a fingerprint has one spelling: what decodes to the same bytes is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const text = tokenFingerprint(Buffer.from(bytes));
      assert.deepEqual(parseTokenFingerprint(text), Buffer.from(bytes));
      const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
      const last = digits.indexOf(text.at(-1) ?? '');
      for (const other of [1, 2, 3]) {
        const alike = `${text.slice(0, -1)}${digits[last ^ other] ?? ''}`;
        assert.equal(parseTokenFingerprint(alike), null, alike);
      }
    }),
  );
  for (const text of ['', 'SHA256:', 'sha256:x', `SHA256:${'A'.repeat(44)}`])
    assert.equal(parseTokenFingerprint(text), null, text);
});

it('references are read as people type them, and only those of the kind', () => {
  for (let made = 0; made < 100; made++) {
    const reference = newReference('A');
    assert.match(reference, /^A-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
    const typed = reference.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l');
    assert.equal(parseReference('A', ` ${typed} `), reference);
    assert.equal(parseReference('A', `A-${reference.slice(2).replace('-', '')}`), reference);
    assert.equal(parseReference('H', reference), null);
  }
  for (const text of ['', 'A', 'A-', 'A-1234', 'A-12345-1234U', 'A-12345-123456', 'B-12345-12345'])
    assert.equal(parseReference('A', text), null, text);
});
