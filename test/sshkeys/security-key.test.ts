import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifySignature } from '../../src/sshkeys/signature.ts';
import { press, softSecurityKey } from './soft-security-key.ts';
import type { Press } from './soft-security-key.ts';

const DATA = Buffer.from('what is signed');

for (const family of ['ed25519', 'ecdsa'] as const) {
  describe(`security key signatures, ${family}`, () => {
    const key = softSecurityKey(family);
    const verdict = (how: Press, demands = { touch: true, verified: false }, data = DATA) => {
      const result = verifySignature(key.public, key.public.type, press(key, DATA, how), data, demands);
      return result.valid ? 'valid' : result.fault;
    };

    it('hold with a touch, and tell flags and counter', () => {
      const result = verifySignature(key.public, key.public.type, press(key, DATA, { flags: 5, counter: 99 }), DATA);
      assert.deepEqual(result, {
        valid: true,
        securityKey: { userPresent: true, userVerified: true, counter: 99 },
      });
    });

    it('need the touch unless told otherwise, and verification where demanded', () => {
      assert.equal(verdict({ flags: 0 }), 'user-presence-missing');
      assert.equal(verdict({ flags: 0 }, { touch: false, verified: false }), 'valid');
      assert.equal(verdict({ flags: 1 }, { touch: true, verified: true }), 'user-verification-missing');
      assert.equal(verdict({ flags: 4 }, { touch: true, verified: true }), 'user-presence-missing');
      assert.equal(verdict({ flags: 5 }, { touch: true, verified: true }), 'valid');
    });

    it('cover application, flags and data', () => {
      assert.equal(verdict({ application: 'ssh:other' }), 'signature-wrong');
      assert.equal(verdict({ flags: 0, claimedFlags: 1 }), 'signature-wrong');
      assert.equal(verdict({}, undefined, Buffer.from('other')), 'signature-wrong');
    });

    it('are not those of a plain key, nor the other way round', () => {
      const plain = press(key, DATA).subarray(0, -5);
      const result = verifySignature(key.public, key.public.type, plain, DATA);
      assert.deepEqual(result, { valid: false, fault: 'signature-malformed' });
      const name = family === 'ed25519' ? 'ssh-ed25519' : 'ecdsa-sha2-nistp256';
      assert.deepEqual(verifySignature(key.public, name, press(key, DATA), DATA), {
        valid: false,
        fault: 'algorithm-refused',
      });
    });
  });
}
