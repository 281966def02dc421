import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keysAreUsedUp, keysAreWorn } from '../../../src/protocols/ssh/rekey-policy.ts';

const limits = { rekeyBytes: 1000, rekeySeconds: 60 };
const fresh = { bytes: 0, packets: 0, seconds: 0 };

describe('keys', () => {
  it('are changed at the bytes, the seconds and the packets of their limit, not before', () => {
    assert.equal(keysAreWorn({ bytes: 999, packets: 2 ** 31 - 1, seconds: 59.9 }, limits), false);
    assert.equal(keysAreWorn({ ...fresh, bytes: 1000 }, limits), true);
    assert.equal(keysAreWorn({ ...fresh, seconds: 60 }, limits), true);
    assert.equal(keysAreWorn({ ...fresh, packets: 2 ** 31 }, limits), true);
  });

  it('are never used for a sequence number twice', () => {
    assert.equal(keysAreUsedUp({ ...fresh, packets: 2 ** 32 - 2 }), false);
    assert.equal(keysAreUsedUp({ ...fresh, packets: 2 ** 32 - 1 }), true);
  });
});
