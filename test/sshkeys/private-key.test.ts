import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatPrivateKey, parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { KeyRefused } from '../../src/sshkeys/refusal.ts';

const KEYS = [
  generateKeyPairSync('ed25519').privateKey,
  generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
];
const [BEGIN, END] = ['-----BEGIN OPENSSH PRIVATE KEY-----', '-----END OPENSSH PRIVATE KEY-----'];

function bytesOf(text: string): Buffer {
  return Buffer.from(text.replace(BEGIN, '').replace(END, ''), 'base64');
}

function textOf(bytes: Buffer): string {
  return `${BEGIN}\n${bytes.toString('base64')}\n${END}\n`;
}

describe('private key files', () => {
  it('come back as they were written', () => {
    for (const key of KEYS) {
      const { key: again, comment } = parsePrivateKey(formatPrivateKey(key, 'ada@x ü'));
      assert.ok(again.equals(key));
      assert.equal(comment, 'ada@x ü');
    }
  });

  it('with the public half of another key are refused', () => {
    const [one, two] = [1, 2].map(() => bytesOf(formatPrivateKey(generateKeyPairSync('ed25519').privateKey, '')));
    assert.ok(one !== undefined && two !== undefined);
    // Up to the end of the public blob: magic, three strings, count, blob.
    const mixed = Buffer.concat([one.subarray(0, 94), two.subarray(94)]);
    assert.throws(() => parsePrivateKey(textOf(mixed)), KeyRefused);
  });

  it('in another form are refused with what to do', () => {
    const pem = KEYS[0]?.export({ type: 'pkcs8', format: 'pem' }).toString() ?? '';
    assert.throws(() => parsePrivateKey(pem), /ssh-keygen -p/);
    for (const text of ['', BEGIN, `${BEGIN}${END}`, textOf(Buffer.alloc(0)), `${BEGIN}\n!!!!\n${END}`])
      assert.throws(() => parsePrivateKey(text), KeyRefused);
  });

  it('fuzz: cut or changed anywhere, they are a key or refused; never another public half', () => {
    const files = KEYS.map((key) => bytesOf(formatPrivateKey(key, 'comment')));
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.nat(3000), fc.nat(255), fc.boolean(), (bytes, at, value, cut) => {
        const index = at % bytes.length;
        const changed = cut ? bytes.subarray(0, index) : Buffer.from(bytes);
        if (!cut) changed[index] = value;
        try {
          parsePrivateKey(textOf(changed));
        } catch (error) {
          if (!(error instanceof KeyRefused)) throw error;
        }
      }),
      { numRuns: 600 },
    );
  });
});
