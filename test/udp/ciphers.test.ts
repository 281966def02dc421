import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseCipher } from '../../src/udp/crypto/choose-cipher.ts';
import { openArena } from '../../src/udp/native/open-arena.ts';
import { nodeCipher } from '../../src/udp/wire/node-cipher.ts';
import { HEADER_LENGTH, NONCE_LENGTH, TAG_LENGTH } from '../../src/udp/wire/sizes.ts';

describe('AES-256-GCM by OpenSSL through FFI', async () => {
  const { arena } = await openArena();
  const { make, name, without } = await chooseCipher(arena);

  test('is there', () => {
    assert.equal(name, 'OpenSSL EVP', without ?? '');
  });

  test('writes what node:crypto writes, and each opens what the other sealed', () => {
    const bytes = (length: number) =>
      fc.uint8Array({ minLength: length, maxLength: length }).map((of) => Buffer.from(of));
    fc.assert(
      fc.property(
        bytes(32),
        bytes(NONCE_LENGTH),
        fc.uint8Array({ minLength: HEADER_LENGTH, maxLength: 9000 }).map((of) => Buffer.from(of)),
        fc.nat(),
        (key, nonce, plain, place) => {
          const [ours, theirs] = [make(key), nodeCipher(key)];
          const [a, b] = [0, 1].map(() => Buffer.concat([plain, Buffer.alloc(TAG_LENGTH)])) as [Buffer, Buffer];
          ours.seal(a, plain.length, nonce);
          theirs.seal(b, plain.length, nonce);
          assert.deepEqual(a, b);
          const sealed = Buffer.from(a);
          const at = place % a.length;
          a.writeUInt8(a.readUInt8(at) ^ (1 << (place % 8)), at);
          const changed = Buffer.from(a);
          assert.equal(ours.open(a, a.length, nonce), false);
          assert.deepEqual(a, changed, 'what is refused stays as it was');
          for (const cipher of [ours, theirs]) {
            const opened = Buffer.from(sealed);
            assert.equal(cipher.open(opened, opened.length, nonce), true);
            assert.deepEqual(opened.subarray(0, plain.length), plain);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('in the middle of a slab, one key after the other', () => {
    const slab = arena?.take(100_000) ?? Buffer.alloc(0);
    randomBytes(100_000).copy(slab);
    const before = Buffer.from(slab);
    for (let at = 0; at < 50; at++) {
      const [cipher, nonce] = [make(randomBytes(32)), randomBytes(NONCE_LENGTH)];
      const datagram = slab.subarray(at * 1400 + 7, at * 1400 + 1400);
      cipher.seal(datagram, datagram.length - TAG_LENGTH, nonce);
      assert.equal(cipher.open(datagram, datagram.length, randomBytes(NONCE_LENGTH)), false);
      assert.equal(cipher.open(datagram, datagram.length, nonce), true);
      assert.deepEqual(slab.subarray(at * 1400, at * 1400 + 1384), before.subarray(at * 1400, at * 1400 + 1384));
    }
  });
});

test('the plain one is there when it is asked for', async () => {
  assert.deepEqual(await chooseCipher(null), { make: nodeCipher, name: 'node:crypto', without: null });
});
