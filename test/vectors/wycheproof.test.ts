/** Published vectors of others for what we wrap: Wycheproof's signature and key agreement cases through our own SSH formats. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ByteWriter } from '../../src/base/bytes.ts';
import { parsePublicKey } from '../../src/sshkeys/public-key.ts';
import { verifySignature } from '../../src/sshkeys/signature.ts';

type Verdict = 'valid' | 'invalid' | 'acceptable';
type SignatureCase = readonly [number, Verdict, number, string, string];
type AgreementCase = readonly [number, Verdict, string, string, string];

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'wycheproof.json'), 'utf8')) as {
  keys: string[];
  ed25519: SignatureCase[];
  ecdsaP256: SignatureCase[];
  rsa3072Sha512: SignatureCase[];
  x25519: AgreementCase[];
};

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const odd = (text: string): Buffer => hex(text.length % 2 === 0 ? text : `0${text}`);

/** True when our verification accepts; a key or signature that is refused as malformed is not accepted either. */
function accepts(algorithm: string, blob: Buffer, signature: Buffer, message: string): boolean {
  try {
    return verifySignature(parsePublicKey(blob), algorithm, signature, hex(message)).valid;
  } catch {
    return false;
  }
}

function judge(
  cases: readonly SignatureCase[],
  check: (key: string, message: string, signature: string) => boolean,
): void {
  let accepted = 0;
  for (const [id, verdict, key, message, signature] of cases) {
    const result = check(vectors.keys[key] ?? '', message, signature);
    if (verdict !== 'acceptable') assert.equal(result, verdict === 'valid', `case ${id}`);
    if (result) accepted++;
  }
  assert.ok(accepted > 0, 'some cases are valid');
}

describe('Wycheproof', () => {
  test('Ed25519', () => {
    judge(vectors.ed25519, (key, message, signature) =>
      accepts(
        'ssh-ed25519',
        new ByteWriter().string('ssh-ed25519').string(hex(key)).finish(),
        new ByteWriter().string('ssh-ed25519').string(hex(signature)).finish(),
        message,
      ),
    );
  });

  test('ECDSA P-256 with SHA-256', () => {
    const name = 'ecdsa-sha2-nistp256';
    judge(vectors.ecdsaP256, (key, message, signature) => {
      const raw = hex(signature);
      const inner = new ByteWriter().mpint(raw.subarray(0, 32)).mpint(raw.subarray(32)).finish();
      return accepts(
        name,
        new ByteWriter().string(name).string('nistp256').string(hex(key)).finish(),
        new ByteWriter().string(name).string(inner).finish(),
        message,
      );
    });
  });

  test('RSA 3072 with SHA-512', () => {
    judge(vectors.rsa3072Sha512, (key, message, signature) => {
      const [modulus = '', exponent = ''] = key.split('/');
      return accepts(
        'rsa-sha2-512',
        new ByteWriter().string('ssh-rsa').mpint(odd(exponent)).mpint(odd(modulus)).finish(),
        new ByteWriter().string('rsa-sha2-512').string(hex(signature)).finish(),
        message,
      );
    });
  });

  test('X25519: shared secrets, and none from a point of low order', () => {
    for (const [id, , publicValue, privateValue, shared] of vectors.x25519) {
      const raw = (value: string): Parameters<typeof createPublicKey>[0] =>
        ({ key: hex(value), format: 'raw-public', asymmetricKeyType: 'x25519' }) as never;
      const der = Buffer.concat([hex('302e020100300506032b656e04220420'), hex(privateValue)]);
      const agree = (): Buffer =>
        diffieHellman({
          privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
          publicKey: createPublicKey(raw(publicValue)),
        });
      if (/^0+$/.test(shared)) assert.throws(agree, `case ${id}`);
      else assert.equal(agree().toString('hex'), shared, `case ${id}`);
    }
  });
});
