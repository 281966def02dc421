import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { fingerprint, parsePublicKey, publicKeyFrom } from '../../src/sshkeys/public-key.ts';
import { KeyRefused } from '../../src/sshkeys/refusal.ts';
import { softSecurityKey } from './soft-security-key.ts';

const ED25519 = publicKeyFrom(generateKeyPairSync('ed25519').publicKey).blob;
const P256 = publicKeyFrom(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey).blob;
const P384 = publicKeyFrom(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey).blob;
const P521 = publicKeyFrom(generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey).blob;
const RSA = publicKeyFrom(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey).blob;
const SK = softSecurityKey('ed25519').public.blob;
const SK_ECDSA = softSecurityKey('ecdsa').public.blob;
const ALL = { ED25519, P256, P384, P521, RSA, SK, SK_ECDSA };

const rsa = (e: Buffer, n: Buffer) => new ByteWriter().string('ssh-rsa').mpint(e).mpint(n).finish();
const rawRsa = (e: Buffer, n: Buffer) => new ByteWriter().string('ssh-rsa').string(e).string(n).finish();
const F4 = Buffer.of(1, 0, 1);
const ed25519 = (point: Buffer) => new ByteWriter().string('ssh-ed25519').string(point).finish();
const ec = (point: Buffer, curve = 'nistp256', type = 'ecdsa-sha2-nistp256') =>
  new ByteWriter().string(type).string(curve).string(point).finish();

function modulus(bits: number, last = 0xff): Buffer {
  const n = Buffer.alloc(Math.ceil(bits / 8), 0xff);
  n[0] = 0xff >> ((8 - (bits % 8)) % 8);
  n[n.length - 1] = last;
  return n;
}

function pointOf(blob: Buffer): Buffer {
  const reader = new ByteReader(blob);
  reader.string();
  reader.string();
  return Buffer.from(reader.string());
}

describe('public key blobs', () => {
  for (const [name, blob] of Object.entries(ALL)) {
    it(`${name}: every cut and every extra byte is refused`, () => {
      assert.deepEqual(parsePublicKey(blob).blob, blob);
      for (let length = 0; length < blob.length; length++)
        assert.throws(() => parsePublicKey(blob.subarray(0, length)), KeyRefused);
      assert.throws(() => parsePublicKey(Buffer.concat([blob, Buffer.of(0)])), KeyRefused);
    });
  }

  const refused: Readonly<Record<string, Buffer>> = {
    'RSA of 1024 bits': rsa(F4, modulus(1024)),
    'RSA of 2047 bits': rsa(F4, modulus(2047)),
    'RSA of 8193 bits': rsa(F4, modulus(8193)),
    'RSA of 16384 bits': rsa(F4, modulus(16384)),
    'an even modulus': rsa(F4, modulus(2048, 0xfe)),
    'exponent 0': rsa(Buffer.alloc(0), modulus(2048)),
    'exponent 1': rsa(Buffer.of(1), modulus(2048)),
    'an even exponent': rsa(Buffer.of(1, 0, 0), modulus(2048)),
    'a giant exponent': rsa(modulus(2048), modulus(2048)),
    'a negative exponent': rawRsa(Buffer.of(0x81), Buffer.concat([Buffer.of(0), modulus(2048)])),
    'a negative modulus': rawRsa(F4, modulus(2048)),
    'an exponent with leading zeros': rawRsa(Buffer.of(0, 1, 0, 1), Buffer.concat([Buffer.of(0), modulus(2048)])),
    'a modulus with leading zeros': rawRsa(F4, Buffer.concat([Buffer.of(0, 0), modulus(2048)])),
    'an Ed25519 key of 31 bytes': ed25519(Buffer.alloc(31, 3)),
    'an Ed25519 key of 33 bytes': ed25519(Buffer.alloc(33, 3)),
    'a point at infinity': ec(Buffer.of(0)),
    'a point (0, 0)': ec(Buffer.concat([Buffer.of(4), Buffer.alloc(64)])),
    'a coordinate at least p': ec(Buffer.concat([Buffer.of(4), Buffer.alloc(64, 0xff)])),
    'a compressed point': ec(Buffer.concat([Buffer.of(2), pointOf(P256).subarray(1, 33)])),
    'a hybrid point': ec(Buffer.concat([Buffer.of(6), pointOf(P256).subarray(1)])),
    'a point of another curve': ec(pointOf(P384)),
    'a curve that contradicts the type': ec(pointOf(P384), 'nistp384'),
    'an unknown curve': ec(pointOf(P256), 'secp256k1', 'ecdsa-sha2-secp256k1'),
    'a DSA key': new ByteWriter().string('ssh-dss').mpint(modulus(1024)).finish(),
    'an empty application': new ByteWriter()
      .raw(SK.subarray(0, SK.length - 8))
      .string('')
      .finish(),
    'a length of 0xffffffff': Buffer.concat([Buffer.alloc(4, 0xff), ED25519]),
    nothing: Buffer.alloc(0),
  };
  for (const [name, blob] of Object.entries(refused)) {
    it(`refuse ${name}`, () => {
      assert.throws(() => parsePublicKey(blob), KeyRefused);
    });
  }

  it('refuse points off their curve', () => {
    for (const [blob, curve, type] of [
      [P256, 'nistp256', 'ecdsa-sha2-nistp256'],
      [P384, 'nistp384', 'ecdsa-sha2-nistp384'],
      [P521, 'nistp521', 'ecdsa-sha2-nistp521'],
    ] as const) {
      const point = pointOf(blob);
      point[point.length - 1] = (point.at(-1) ?? 0) ^ 1;
      assert.throws(() => parsePublicKey(ec(point, curve, type)), /not on its curve/);
    }
  });

  it('refuse Ed25519 points of small order and y >= p, with either sign', () => {
    const weak = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ];
    for (const hex of weak) {
      const point = Buffer.from(hex, 'hex');
      assert.throws(() => parsePublicKey(ed25519(point)), /weak/);
      point[31] = (point[31] ?? 0) | 0x80;
      assert.throws(() => parsePublicKey(ed25519(point)), /weak/);
    }
  });

  it('take RSA at both ends of the range', () => {
    assert.equal(parsePublicKey(rsa(F4, modulus(2048))).bits, 2048);
    assert.equal(parsePublicKey(rsa(Buffer.of(3), modulus(8192))).bits, 8192);
  });

  it('keep fingerprints in the form of ssh-keygen', () => {
    assert.match(fingerprint(ED25519), /^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it('fuzz: any bytes parse to a key that writes itself, or are refused', () => {
    const mutated = fc
      .tuple(fc.constantFrom(...Object.values(ALL)), fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 4 }))
      .map(([blob, changes]) => {
        const copy = Buffer.from(blob);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      });
    const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(mutated, any), (blob) => {
        try {
          assert.deepEqual(parsePublicKey(blob).blob, blob);
        } catch (error) {
          if (!(error instanceof KeyRefused)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
