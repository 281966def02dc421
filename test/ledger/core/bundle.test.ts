import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeBundle, encodeBundle, encodeBundleEntry } from '../../../src/ledger/core/bundle.ts';

const damaged = { code: 'ledger-damaged' };
const entries = fc.array(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  { minLength: 1, maxLength: 256 },
);

void describe('entry bundles', () => {
  it('are u16 lengths and bytes', () => {
    assert.equal(
      encodeBundle([Buffer.from('ab'), Buffer.alloc(0), Buffer.from('c')]).toString('hex'),
      '0002616200000001' + '63',
    );
    assert.equal(encodeBundleEntry(Buffer.alloc(0x102)).subarray(0, 2).toString('hex'), '0102');
  });

  it('come back, and never with another count', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: -3, max: 300 }), (list, count) => {
        const bytes = encodeBundle(list);
        assert.deepEqual(decodeBundle(bytes, list.length), list);
        if (count !== list.length) assert.throws(() => decodeBundle(bytes, count), damaged);
      }),
    );
  });

  it('cut short or too long are refused', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, cut) => {
        const bytes = encodeBundle(list);
        assert.throws(() => decodeBundle(bytes.subarray(0, cut % bytes.length), list.length), damaged);
        assert.throws(() => decodeBundle(Buffer.concat([bytes, Buffer.of(0)]), list.length), damaged);
      }),
    );
  });

  it('have their bounds', () => {
    const largest = Buffer.alloc(65535, 1);
    assert.deepEqual(decodeBundle(encodeBundle([largest]), 1), [largest]);
    assert.throws(() => encodeBundle([Buffer.alloc(65536)]), damaged);
    assert.throws(() => encodeBundle([]), damaged);
    assert.throws(() => encodeBundle(Array<Buffer>(257).fill(Buffer.of(1))), damaged);
    assert.throws(() => decodeBundle(Buffer.alloc(0), 0), damaged);
  });
});
