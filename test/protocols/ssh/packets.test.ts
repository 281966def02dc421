/** The codec without sockets: every protection, however the stream is cut, whatever bit is changed. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CIPHERS, MACS, makeOpener, makeSealer } from '../../../src/protocols/ssh/ciphers.ts';
import { frame, PlainSealer, type PacketOpener, type PacketSealer } from '../../../src/protocols/ssh/packet-cipher.ts';
import { PACKET_MAX, PacketReader } from '../../../src/protocols/ssh/packet-reader.ts';

const source = (letter: string, bytes: number): Buffer =>
  createHash('shake256', { outputLength: Math.max(bytes, 1) })
    .update(letter)
    .digest()
    .subarray(0, bytes);

interface Protection {
  readonly name: string;
  readonly sealer: () => PacketSealer;
  readonly opener: () => PacketOpener;
}

const protections: Protection[] = Object.keys(CIPHERS).flatMap((cipher) =>
  (CIPHERS[cipher]?.implicitMac === true ? [''] : Object.keys(MACS)).map((mac) => ({
    name: `${cipher} ${mac}`.trim(),
    sealer: () => makeSealer('clientToServer', cipher, mac, source),
    opener: () => makeOpener('clientToServer', cipher, mac, source),
  })),
);

function seal(sealer: PacketSealer, payloads: readonly (readonly Buffer[])[]): Buffer {
  const out: Buffer[] = [];
  let bytes = 0;
  payloads.forEach((parts, sequence) => (bytes += sealer.seal(sequence, parts, out)));
  const wire = Buffer.concat(out);
  assert.equal(wire.length, bytes);
  return wire;
}

function readerWith(opener: PacketOpener): PacketReader {
  const reader = new PacketReader();
  reader.maxLength = PACKET_MAX;
  reader.changeKeys(opener, true);
  return reader;
}

function readAll(reader: PacketReader, chunks: Iterable<Buffer>): Buffer[] {
  const payloads: Buffer[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    for (let payload = reader.next(); payload !== null; payload = reader.next()) payloads.push(Buffer.from(payload));
  }
  return payloads;
}

const part = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 9000 }).map((size) => Buffer.alloc(size, size)),
);
const payload = fc.array(part, { maxLength: 4 }).map((parts) => [Buffer.of(94), ...parts]);

for (const { name, sealer, opener } of protections) {
  describe(name, () => {
    it('gives back every payload, however the stream is cut', () => {
      const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });
      fc.assert(
        fc.property(fc.array(payload, { minLength: 1, maxLength: 6 }), cuts, (payloads, sizes) => {
          const wire = seal(sealer(), payloads);
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < wire.length; i++) {
            const size = sizes[i % sizes.length] as number;
            chunks.push(wire.subarray(at, at + size));
            at += size;
          }
          const got = readAll(readerWith(opener()), chunks);
          assert.equal(got.length, payloads.length);
          payloads.forEach((parts, i) => {
            assert.ok(Buffer.concat(parts).equals(got[i] as Buffer));
          });
        }),
        { numRuns: 40 },
      );
    });

    it('byte by byte', () => {
      const wire = seal(sealer(), [
        [Buffer.of(94), Buffer.from('one')],
        [Buffer.of(94), Buffer.alloc(3000, 2)],
      ]);
      const bytes = Array.from(wire, (byte) => Buffer.of(byte));
      assert.deepEqual(
        readAll(readerWith(opener()), bytes).map((got) => got.length),
        [4, 3001],
      );
    });

    it('no changed bit passes', () => {
      const wire = seal(sealer(), [[Buffer.of(94), Buffer.from('something to protect')]]);
      for (let bit = 0; bit < wire.length * 8; bit += 3) {
        const changed = Buffer.from(wire);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        // A changed length may only leave the reader waiting for more, or be refused.
        const outcome = (): Buffer[] => readAll(readerWith(opener()), [changed, Buffer.alloc(0)]);
        let got: Buffer[] = [];
        try {
          got = outcome();
        } catch (error) {
          assert.equal((error as Error).name, 'ProtocolViolation');
        }
        assert.deepEqual(got, [], `bit ${bit}`);
      }
    });

    it('a packet taken out, doubled or moved is not accepted', () => {
      const one = (text: string): Buffer[] => [Buffer.of(94), Buffer.from(text)];
      const out: Buffer[][] = [];
      const under = sealer();
      ['a', 'b', 'c'].forEach((text, sequence) => {
        const wire: Buffer[] = [];
        under.seal(sequence, one(text), wire);
        out.push(wire);
      });
      const [a, b, c] = out.map((wire) => Buffer.concat(wire)) as [Buffer, Buffer, Buffer];
      for (const order of [[b], [a, c], [a, a], [a, c, b]]) {
        assert.throws(() => readAll(readerWith(opener()), order), { name: 'ProtocolViolation' });
      }
    });
  });
}

describe('reader', () => {
  it('keeps nothing of a chunk that is used up', () => {
    const wire = seal(new PlainSealer(), [[Buffer.of(2), randomBytes(2000)]]);
    const reader = new PacketReader();
    assert.equal(readAll(reader, [wire]).length, 1);
    assert.equal(Reflect.get(reader, 'partial'), null);
    assert.equal((Reflect.get(reader, 'chunk') as Buffer).length, 0);
  });

  it('allocates for one packet only, and only what its length says', () => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(20_004);
    const reader = new PacketReader();
    readAll(reader, [header, Buffer.alloc(100)]);
    assert.equal((Reflect.get(reader, 'partial') as Buffer).length, 20_008);
  });
});

describe('frame (RFC 4253 section 6)', () => {
  it('aligns, pads with 4 to 255 bytes and keeps the bytes in order', () => {
    const block = fc.constantFrom(8, 16);
    fc.assert(
      fc.property(payload, block, fc.boolean(), (parts, blockBytes, lengthAligned) => {
        const whole = Buffer.concat(frame(parts, blockBytes, lengthAligned));
        const expected = Buffer.concat(parts);
        const padding = whole[4] as number;
        assert.equal(whole.readUInt32BE(0), whole.length - 4);
        assert.equal((whole.length - (lengthAligned ? 0 : 4)) % blockBytes, 0);
        assert.ok(padding >= 4);
        assert.ok(whole.subarray(5, whole.length - padding).equals(expected));
      }),
    );
  });
});
