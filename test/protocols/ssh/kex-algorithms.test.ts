import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { KEX_ALGORITHMS, type KexAlgorithm } from '../../../src/protocols/ssh/kex-algorithms.ts';
import { isReduced } from '../../../src/protocols/ssh/mlkem768.ts';

const row = (name: string): KexAlgorithm => {
  const found = KEX_ALGORITHMS[name];
  assert.ok(found);
  return found;
};
const refused = (name: string, value: Buffer): void => {
  assert.throws(() => row(name).answer(value), { name: 'MalformedBytes' });
};
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('X25519', () => {
  // Points of small order (RFC 7748 section 7; RFC 8731 section 3 demands that their result is refused).
  const small = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
    `${'00'.repeat(31)}80`,
  ];
  for (const point of small) {
    it(`refuses ${point.slice(0, 8)}...`, () => {
      refused('curve25519-sha256', hex(point));
    });
  }
  it('refuses every other length', () => {
    for (const length of [0, 31, 33, 64]) refused('curve25519-sha256', Buffer.alloc(length, 9));
  });
});

describe('NIST curves', () => {
  const curves = [
    ['ecdh-sha2-nistp256', 'prime256v1', 65],
    ['ecdh-sha2-nistp384', 'secp384r1', 97],
    ['ecdh-sha2-nistp521', 'secp521r1', 133],
  ] as const;
  for (const [name, curve, bytes] of curves) {
    it(`${name} takes a point on the curve and refuses all else`, () => {
      const own = crypto.createECDH(curve);
      const point = own.generateKeys();
      assert.equal(point.length, bytes);
      const answer = row(name).answer(point);
      assert.deepEqual(own.computeSecret(answer.server), answer.sharedSecret);

      const off = Buffer.from(point);
      off[bytes - 1] = (off[bytes - 1] as number) ^ 1;
      refused(name, off);
      refused(name, own.getPublicKey(null, 'compressed'));
      refused(name, own.getPublicKey(null, 'hybrid'));
      refused(name, Buffer.of(0)); // the point at infinity
      refused(name, Buffer.concat([Buffer.of(4), Buffer.alloc(bytes - 1)]));
      refused(name, Buffer.concat([Buffer.of(4), Buffer.alloc(bytes - 1, 0xff)]));
      refused(name, Buffer.alloc(0));
    });
  }
});

describe('Diffie-Hellman groups', () => {
  const groups = [
    ['diffie-hellman-group14-sha256', 'modp14', 256],
    ['diffie-hellman-group16-sha512', 'modp16', 512],
  ] as const;
  for (const [name, group, bytes] of groups) {
    it(`${name} takes only 1 < e < p - 1`, () => {
      const own = crypto.createDiffieHellmanGroup(group);
      const prime = own.getPrime();
      const beside = (difference: number): Buffer => {
        const value = (BigInt(`0x${prime.toString('hex')}`) + BigInt(difference)).toString(16);
        return hex(value.length % 2 === 0 ? value : `0${value}`);
      };
      for (const bad of [Buffer.alloc(0), Buffer.of(1), beside(-1), prime, beside(1), Buffer.alloc(bytes + 1, 1)]) {
        refused(name, bad);
      }
      for (const good of [Buffer.of(2), beside(-2), own.generateKeys()]) {
        assert.ok(row(name).answer(good).sharedSecret.length <= bytes);
      }
      const answer = row(name).answer(own.getPublicKey());
      // OpenSSL pads neither: the secret is hashed as mpint, which has one form.
      assert.deepEqual(own.computeSecret(answer.server), answer.sharedSecret);
    });
  }
});

describe('ML-KEM-768 with X25519', () => {
  const name = 'mlkem768x25519-sha256';
  const fresh = (): Buffer =>
    Buffer.concat([
      crypto.generateKeyPairSync('ml-kem-768').publicKey.export({ format: 'raw-public' }),
      crypto.generateKeyPairSync('x25519').publicKey.export({ format: 'raw-public' }),
    ]);

  it('answers with 1088 + 32 bytes and a secret of 32', () => {
    const { server, sharedSecret } = row(name).answer(fresh());
    assert.deepEqual([server.length, sharedSecret.length], [1120, 32]);
  });

  it('refuses a key with a coefficient that is not reduced (FIPS 203 section 7.2)', () => {
    for (const at of [0, 1, 577, 1150]) {
      const value = fresh();
      // Two coefficients share three bytes: 0xfff is above 3328 in either of them.
      value.writeUInt8(0xff, at);
      value.writeUInt8(0xff, at + 1);
      assert.equal(isReduced(value.subarray(0, 1184)), false);
      refused(name, value);
    }
  });

  it('draws the line at 3329', () => {
    const key = Buffer.alloc(1184);
    key.writeUInt16LE(3328, 0);
    assert.equal(isReduced(key), true);
    key.writeUInt16LE(3329, 0);
    assert.equal(isReduced(key), false);
    key.writeUInt16LE(3328 << 4, 1);
    key[0] = 0;
    assert.equal(isReduced(key), true);
    key.writeUInt16LE(3329 << 4, 1);
    assert.equal(isReduced(key), false);
  });

  it('refuses an X25519 half of small order and every other length', () => {
    const value = fresh();
    refused(name, Buffer.concat([value.subarray(0, 1184), Buffer.alloc(32)]));
    refused(name, value.subarray(0, 1215));
    refused(name, Buffer.concat([value, Buffer.of(0)]));
    refused(name, value.subarray(1184));
  });
});
