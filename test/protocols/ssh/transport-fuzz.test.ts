import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteWriter } from '../../../src/base/bytes.ts';
import { buildKexInit } from '../../../src/protocols/ssh/kex-init.ts';
import { PlainSealer } from '../../../src/protocols/ssh/packet-cipher.ts';
import { algorithmLists } from '../../../src/protocols/ssh/profiles.ts';
import { TRANSPORT_FUZZ_TARGETS } from './transport-fuzz-targets.ts';

function packet(payload: Buffer): Buffer {
  const out: Buffer[] = [];
  new PlainSealer().seal(0, [payload], out);
  return Buffer.concat(out);
}

/** Well-formed inputs, from which changed ones reach further than noise does. */
const kexInit = buildKexInit(algorithmLists('legacy', ['ssh-ed25519'], true), randomBytes(16));
const SEEDS: readonly Buffer[] = [
  Buffer.from('SSH-2.0-Client comment\r\n'),
  kexInit,
  packet(kexInit),
  new ByteWriter().u8(1).u32(11).string('bye').string('').finish(),
  new ByteWriter().u8(7).u32(1).string('server-sig-algs').string('x').finish(),
  new ByteWriter().u8(4).boolean(true).string('debug').string('en').finish(),
  new ByteWriter().string(randomBytes(32)).finish(),
  new ByteWriter().mpint(randomBytes(255)).finish(),
  randomBytes(65),
];

const changed = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    fc.nat(),
  )
  .map(([seed, changes, cut]) => {
    const bytes = Buffer.from(seed);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : bytes.length);
  });
const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

describe('no parser of the transport does anything but accept or refuse', () => {
  for (const [name, target] of Object.entries(TRANSPORT_FUZZ_TARGETS)) {
    it(name, () => {
      fc.assert(fc.property(fc.oneof(noise, changed), target), { numRuns: 3000, interruptAfterTimeLimit: 1500 });
    });
  }
});
