/**
 * A peer that has the keys and is malicious: everything that it seals is authentic, and says whatever it likes. Neither end
 * throws, waits for a time that is none, remembers more than its bounds, or answers more than it may.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { writeU48, writeHeader, KIND } from '../../../src/udp/wire/header.ts';
import type { Kind } from '../../../src/udp/wire/header.ts';
import { HEADER_LENGTH, KEY_EPOCH_PACKETS, U48_MAX } from '../../../src/udp/wire/sizes.ts';
import { Pair } from './pair.ts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150);
const kinds = Object.values(KIND);

/** Numbers that have broken arithmetic, beside small ones, which mean something here. */
const number = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 300 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(65_535, 65_536, 2 ** 31, 2 ** 32 - 1, KEY_EPOCH_PACKETS, U48_MAX - 1, U48_MAX),
  },
);

interface Said {
  readonly kind: Kind;
  readonly flags: number;
  /** How far this packet number is from the one before. */
  readonly jump: number;
  readonly fields: readonly number[];
  readonly ranges: readonly (readonly [gap: number, length: number])[];
  readonly size: number;
  /** A body that is nothing at all. */
  readonly noise: Uint8Array | null;
  readonly later: number;
  readonly path: number;
}

const said: fc.Arbitrary<Said> = fc.record({
  kind: fc.oneof(fc.constantFrom(...kinds), fc.constantFrom(KIND.data, KIND.feedback)),
  flags: fc.constantFrom(0, 0, 1, 9, 0x10, 0x19),
  jump: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: number }),
  fields: fc.array(number, { minLength: 8, maxLength: 8 }),
  ranges: fc.array(fc.tuple(fc.nat({ max: 65_535 }), fc.nat({ max: 65_535 })), { maxLength: 280 }),
  size: fc.nat({ max: 1160 }),
  noise: fc.option(fc.uint8Array({ maxLength: 120 }), { freq: 5 }),
  later: fc.constantFrom(0, 10, 5000, 250_000, 61_000_000),
  path: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 6),
});

/** Writes the body as its kind has it, with what is said; returns where it ends. */
function body(into: Buffer, { kind, fields, ranges, size, noise }: Said): number {
  if (noise !== null) return HEADER_LENGTH + Buffer.from(noise).copy(into, HEADER_LENGTH);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = fields;
  const at = HEADER_LENGTH;
  if (kind === KIND.data) {
    writeU48(into, a, at);
    into.writeUInt16BE(b & 0xffff, at + 6);
    return at + 8 + size;
  }
  if (kind === KIND.feedback) {
    const first: readonly (readonly [number, number])[] = [[0, (g % 300) + 1], ...ranges.slice(1)];
    const whole = (h & 1) === 0 ? first : ranges;
    for (const [value, where] of [
      [a, 0],
      [c, 10],
      [d, 16],
      [e, 22],
      [f, 28],
    ] as const)
      writeU48(into, value, at + where);
    into.writeUInt32BE(b >>> 0, at + 6);
    into.writeUInt32BE(g >>> 0, at + 34);
    writeU48(into, h, at + 38);
    into.writeUInt16BE(whole.length, at + 44);
    whole.forEach(([gap, length], index) => {
      into.writeUInt16BE(gap, at + 46 + 4 * index);
      into.writeUInt16BE(length, at + 48 + 4 * index);
    });
    return at + 46 + 4 * whole.length;
  }
  writeU48(into, a, at);
  return at + size;
}

/** Lets the other end of `liar` hear all of it, and looks at that end after each. */
function tell(pair: Pair, liar: 'sender' | 'receiver', all: readonly Said[]): void {
  const victim = liar === 'sender' ? 'receiver' : 'sender';
  const end = pair[victim];
  let packetNumber = -1;
  let [bytesIn, answers] = [0, 0];
  for (const one of all) {
    packetNumber = Math.min(U48_MAX, Math.max(0, packetNumber + one.jump));
    const into = Buffer.alloc(9216);
    const bodyEnd = body(into, one);
    const datagram = pair.seal(liar, bodyEnd, (space) => {
      into.copy(space);
      writeHeader(space, one.kind, one.flags, packetNumber, pair.transfer.connectionId);
    });
    pair.now += one.later;
    pair.give(victim, [datagram], one.path);
    bytesIn += datagram.length;
    const out = pair.say(victim);
    answers += out.length;
    assert.ok(out.length < 200, `${out.length} datagrams at once`);
    assert.ok(!Number.isNaN(end.wakeAt()));
    assert.ok(end.connection.bytesIn <= bytesIn);
  }
  assert.ok(answers <= all.length * 200);
}

describe('an authentic peer that says whatever it likes', () => {
  it('as a receiver: the sender lives, and sends what it was given to send', () => {
    fc.assert(
      fc.property(fc.array(said, { minLength: 1, maxLength: 40 }), fc.boolean(), (all, serves) => {
        const pair = new Pair({ file: Buffer.alloc(400_000, 1), ...(serves ? { server: 'sender' as const } : {}) });
        if (!serves) pair.say('sender');
        tell(pair, 'receiver', all);
        const { pieces, roundTrip, controller } = pair.sender;
        assert.ok(pieces.settledBytes <= pair.file.length && pieces.settledBelow <= pair.file.length);
        assert.ok(pair.settledBelow <= pair.file.length);
        assert.ok(!Number.isNaN(roundTrip.least) && controller.pacingRate > 0, `paced at ${controller.pacingRate}`);
      }),
      { numRuns: RUNS },
    );
  });

  it('as a sender: the receiver lives, and takes no byte that was not let in, twice, or past the end', () => {
    fc.assert(
      fc.property(fc.array(said, { minLength: 1, maxLength: 40 }), (all) => {
        const taken = new Set<number>();
        const end = 70_000;
        const pair = new Pair({
          file: Buffer.alloc(end),
          receiver: {
            end,
            window: 65_536,
            sink: {
              write: (offset, _from, start, stop) => {
                for (let at = offset; at < offset + stop - start; at++) {
                  assert.ok(!taken.has(at), `${at} came twice`);
                  taken.add(at);
                }
              },
            },
          },
        });
        tell(pair, 'sender', all);
        assert.equal(pair.receiver.received, taken.size);
        assert.ok(taken.size <= 65_536);
        for (const at of taken) assert.ok(at < end);
        assert.ok(pair.receiver.stream.count <= 65_536);
      }),
      { numRuns: RUNS },
    );
  });
});
