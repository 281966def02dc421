import assert from 'node:assert/strict';
import { createDecipheriv, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameCipher, NonceSequence, plainLength, storedLength, storedPosition } from '../../src/keys/frame.ts';
import { FRAME_PLAIN, FRAME_STORED, SEGMENT_STORED } from '../../src/keys/layout.ts';

const BLOB = '000102030405060708090a0b0c0d0e0f';

describe('frames', () => {
  const key = randomBytes(32);

  it('are AES-256-GCM over "WBF1" || blob || segment || frame, as any other program would read them', () => {
    const stored = Buffer.concat(
      new FrameCipher(BLOB).seal(key, new NonceSequence(7).next(), 129, Buffer.from('hello')),
    );
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from('000000070000000000000000', 'hex'));
    decipher.setAAD(Buffer.from(`57424631${BLOB}0000000100000001`, 'hex'));
    decipher.setAuthTag(stored.subarray(-16));
    const plain = Buffer.concat([decipher.update(stored.subarray(12, -16)), decipher.final()]);
    assert.equal(plain.toString(), 'hello');
    assert.equal(stored.subarray(0, 12).toString('hex'), '000000070000000000000000');
  });

  it('open only where and as they were sealed', () => {
    const cipher = new FrameCipher(BLOB);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(1000), fc.nat(), (bytes, frame, where) => {
        const stored = Buffer.concat(cipher.seal(key, new NonceSequence(1).next(), frame, Buffer.from(bytes)));
        assert.deepEqual(cipher.open(key, frame, stored), Buffer.from(bytes));
        assert.equal(cipher.open(key, frame + 1, stored), null);
        assert.equal(cipher.open(randomBytes(32), frame, stored), null);
        assert.equal(new FrameCipher(BLOB.replace('00', 'ff')).open(key, frame, stored), null);
        assert.equal(cipher.open(key, frame, stored.subarray(0, where % stored.length)), null);
        const bit = where % (stored.length * 8);
        stored[bit >> 3] = (stored[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.equal(cipher.open(key, frame, stored), null);
      }),
    );
  });

  it('lie one after the other', () => {
    assert.equal(storedLength(FRAME_PLAIN), FRAME_STORED);
    assert.equal(storedPosition(127) + FRAME_STORED, storedPosition(128));
    assert.equal(storedPosition(128), SEGMENT_STORED);
    assert.equal(plainLength(1, FRAME_PLAIN + 5), 5);
    assert.equal(plainLength(2, FRAME_PLAIN + 5), 0);
  });
});

describe('nonces', () => {
  it('differ within an epoch and between epochs', () => {
    const seen = new Set<string>();
    for (const epoch of [1, 2, 0xffffffff]) {
      const nonces = new NonceSequence(epoch);
      for (let count = 0; count < 1000; count++) seen.add(nonces.next().toString('hex'));
    }
    assert.equal(seen.size, 3000);
  });

  it('need an epoch that fits', () => {
    for (const epoch of [0, -1, 1.5, 2 ** 32, NaN]) assert.throws(() => new NonceSequence(epoch), RangeError);
  });
});
