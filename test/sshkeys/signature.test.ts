import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { publicKeyFrom } from '../../src/sshkeys/public-key.ts';
import { verifySignature } from '../../src/sshkeys/signature.ts';

const DATA = Buffer.from('exchange');
const ed = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const RSA_KEY = publicKeyFrom(rsa.publicKey);
const P256_KEY = publicKeyFrom(p256.publicKey);
const ED_KEY = publicKeyFrom(ed.publicKey);

const blob = (name: string, raw: Buffer) => new ByteWriter().string(name).string(raw).finish();
const faultOf = (...args: Parameters<typeof verifySignature>) => {
  const verdict = verifySignature(...args);
  return verdict.valid ? 'valid' : verdict.fault;
};

function rawOf(signature: Buffer): Buffer {
  const reader = new ByteReader(signature);
  reader.string();
  return reader.string();
}

describe('signature blobs', () => {
  it('of P-384 and P-521 verify', () => {
    for (const [curve, bytes, hash] of [
      ['384', 48, 'sha384'],
      ['521', 66, 'sha512'],
    ] as const) {
      const pair = generateKeyPairSync('ec', { namedCurve: `P-${curve}` });
      const raw = sign(hash, DATA, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
      const inner = new ByteWriter().mpint(raw.subarray(0, bytes)).mpint(raw.subarray(bytes)).finish();
      const name = `ecdsa-sha2-nistp${curve}`;
      assert.equal(faultOf(publicKeyFrom(pair.publicKey), name, blob(name, inner), DATA), 'valid');
    }
  });

  it('by SHA-1 are refused under every name', () => {
    const sha1 = sign('sha1', DATA, rsa.privateKey);
    assert.equal(faultOf(RSA_KEY, 'ssh-rsa', blob('ssh-rsa', sha1), DATA), 'algorithm-refused');
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('ssh-rsa', sha1), DATA), 'algorithm-refused');
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', sha1), DATA), 'signature-wrong');
    assert.equal(faultOf(RSA_KEY, 'ssh-rsa-cert-v01@openssh.com', blob('ssh-rsa', sha1), DATA), 'algorithm-refused');
  });

  it('of RSA are PKCS#1 v1.5 of the named hash', () => {
    const sha256 = sign('sha256', DATA, rsa.privateKey);
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-512', blob('rsa-sha2-256', sha256), DATA), 'algorithm-refused');
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-512', blob('rsa-sha2-512', sha256), DATA), 'signature-wrong');
    const pss = sign('sha256', DATA, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING });
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', pss), DATA), 'signature-wrong');
    const longer = Buffer.concat([Buffer.of(0), sha256]);
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', longer), DATA), 'signature-malformed');
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', Buffer.alloc(0)), DATA), 'signature-malformed');
    assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', Buffer.of(1)), DATA), 'signature-wrong');
  });

  it('of RSA that lost leading zeros verify all the same', () => {
    for (let index = 0; index < 5000; index++) {
      const data = Buffer.from(String(index));
      const raw = sign('sha256', data, rsa.privateKey);
      if (raw[0] !== 0) continue;
      assert.equal(faultOf(RSA_KEY, 'rsa-sha2-256', blob('rsa-sha2-256', raw.subarray(1)), data), 'valid');
      return;
    }
  });

  it('of ECDSA need r and s positive, shortest and in range', () => {
    const good = new ByteReader(rawOf(signWithHostKey(p256.privateKey, 'ecdsa-sha2-nistp256', DATA)));
    const [r, s] = [good.mpint(), good.mpint()];
    const check = (inner: Buffer) => faultOf(P256_KEY, P256_KEY.type, blob(P256_KEY.type, inner), DATA);
    const pair = (one: Buffer, two: Buffer) => new ByteWriter().mpint(one).mpint(two).finish();
    assert.equal(check(pair(r, s)), 'valid');
    assert.equal(check(pair(s, r)), 'signature-wrong');
    assert.equal(check(pair(Buffer.alloc(0), s)), 'signature-malformed');
    assert.equal(check(pair(r, Buffer.alloc(0))), 'signature-malformed');
    assert.equal(check(pair(Buffer.alloc(32, 0xff), s)), 'signature-wrong');
    assert.equal(check(pair(Buffer.alloc(40, 0x7f), s)), 'signature-malformed');
    assert.equal(check(Buffer.concat([pair(r, s), Buffer.of(0)])), 'signature-malformed');
    const padded = new ByteWriter()
      .string(Buffer.concat([Buffer.alloc(2), r]))
      .mpint(s)
      .finish();
    assert.equal(check(padded), 'signature-malformed');
    assert.equal(check(sign('sha256', DATA, p256.privateKey)), 'signature-malformed');
  });

  it('of Ed25519 have 64 bytes and an S below the group order', () => {
    const raw = rawOf(signWithHostKey(ed.privateKey, 'ssh-ed25519', DATA));
    const check = (bytes: Buffer) => faultOf(ED_KEY, 'ssh-ed25519', blob('ssh-ed25519', bytes), DATA);
    assert.equal(check(raw), 'valid');
    assert.equal(check(raw.subarray(0, 63)), 'signature-malformed');
    assert.equal(check(Buffer.concat([raw, Buffer.of(0)])), 'signature-malformed');
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + order;
    const malleable = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    assert.equal(check(Buffer.concat([raw.subarray(0, 32), malleable])), 'signature-wrong');
  });

  it('fuzz: no changed blob verifies, and none throws', () => {
    const keys = [
      { key: ED_KEY, algorithm: 'ssh-ed25519', good: signWithHostKey(ed.privateKey, 'ssh-ed25519', DATA) },
      { key: P256_KEY, algorithm: P256_KEY.type, good: signWithHostKey(p256.privateKey, P256_KEY.type, DATA) },
      { key: RSA_KEY, algorithm: 'rsa-sha2-512', good: blob('rsa-sha2-512', sign('sha512', DATA, rsa.privateKey)) },
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.nat(400),
        fc.integer({ min: 1, max: 255 }),
        ({ key, algorithm, good }, at, flip) => {
          const changed = Buffer.from(good);
          const index = at % changed.length;
          changed[index] = (changed[index] ?? 0) ^ flip;
          assert.equal(verifySignature(key, algorithm, changed, DATA).valid, false);
          assert.equal(verifySignature(key, algorithm, good.subarray(0, index), DATA).valid, false);
        },
      ),
      { numRuns: 500 },
    );
  });
});
