/**
 * Readers of datagrams over valid ones that were changed a little, which come further than random bytes: lengths and counts
 * that are claimed, ends that are cut. What is read depends on the bytes of the datagram alone, not on what lies behind it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  readChallenge,
  readClose,
  readPaused,
  writeChallenge,
  writeClose,
  writePaused,
} from '../../../src/udp/wire/control.ts';
import { DATA_AT, emptyDataFields, readData, writeData } from '../../../src/udp/wire/data.ts';
import { emptyFeedbackFields, readFeedback, writeFeedback } from '../../../src/udp/wire/feedback.ts';
import type { FeedbackFields } from '../../../src/udp/wire/feedback.ts';
import { KIND, kindOf, packetNumberOf, writeHeader } from '../../../src/udp/wire/header.ts';
import type { Kind } from '../../../src/udp/wire/header.ts';
import { NumberRanges } from '../../../src/udp/wire/number-ranges.ts';
import { DATAGRAM_MAX, FEEDBACK_RANGES_MAX, HEADER_LENGTH, TAG_LENGTH, U48_MAX } from '../../../src/udp/wire/sizes.ts';

const id = Buffer.alloc(8, 7);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 4000);

/** One datagram of each kind, as it would be before sealing, and its length with the tag. */
const MAKERS: Readonly<Partial<Record<Kind, (into: Buffer, much: number) => number>>> = {
  [KIND.data]: (into, much) => {
    writeData(into, much * 1000, 9000, much * 40);
    return DATA_AT + 1 + much;
  },
  [KIND.feedback]: (into, much) => {
    const arrived = new NumberRanges(1000);
    for (let at = 0; at <= much; at++) arrived.add(at * 70_000, at * 70_000 + at);
    return writeFeedback(into, { ...emptyFeedbackFields(), clock: 1, limit: 2, latest: much }, arrived, 0);
  },
  [KIND.challenge]: (into, much) => writeChallenge(into, Buffer.alloc(8, much), 40 + much),
  [KIND.response]: (into, much) => writeChallenge(into, Buffer.alloc(8, much), 0),
  [KIND.paused]: (into, much) => writePaused(into, { cause: 'held', released: much, reference: 'x'.repeat(much % 64) }),
  [KIND.close]: (into, much) => writeClose(into, { reason: 'refused', text: 'y'.repeat(much) }),
};
const kinds = Object.keys(MAKERS).map(Number) as Kind[];

type Change = readonly [at: number, value: number, width: 1 | 2];
const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.tuple(
    // The front is where lengths and counts stand.
    fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 70 }) }, { weight: 1, arbitrary: fc.nat({ max: 1400 }) }),
    fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x8000), fc.nat({ max: 0xffff })),
    fc.constantFrom(1 as const, 2 as const),
  ),
  { maxLength: 4 },
);

function everything(datagram: Buffer, length: number): unknown {
  if (kindOf(datagram, length) === 0) return 'refused';
  const [data, feedback] = [emptyDataFields(), emptyFeedbackFields()];
  const challenge = readChallenge(datagram, length);
  return [
    readData(datagram, length, packetNumberOf(datagram), data) ? data : null,
    readFeedback(datagram, length, feedback) ? rangesOf(feedback) : null,
    challenge === null ? null : Buffer.from(challenge),
    readPaused(datagram, length),
    readClose(datagram, length),
  ];
}

/** In order, apart from each other, within what numbers there are, and no more than fit a datagram. */
function rangesOf({ lows, highs, count, highest, lowest, ...rest }: FeedbackFields): unknown {
  assert.ok(count <= FEEDBACK_RANGES_MAX && lows.length === FEEDBACK_RANGES_MAX && highs.length === lows.length);
  let above = highest + 1;
  for (let at = 0; at < count; at++) {
    const [low, high] = [lows[at] as number, highs[at] as number];
    assert.ok(low >= 0 && low <= high && high < above && high <= U48_MAX, `${low} to ${high}, below ${above}`);
    above = low;
  }
  assert.ok(lowest >= 0 && lowest <= above);
  return { ...rest, highest, lowest, ranges: [...lows.subarray(0, count), ...highs.subarray(0, count)] };
}

describe('a valid datagram that was changed', () => {
  it('is read or refused by its own bytes, whatever lies behind it', () => {
    const space = Buffer.alloc(DATAGRAM_MAX + 64);
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.nat({ max: 180 }),
        changes,
        fc.oneof(fc.constant(0), fc.integer({ min: -60, max: 60 })),
        (kind, much, some, longer) => {
          space.fill(0);
          writeHeader(space, kind, 0, 9000, id);
          const whole = (MAKERS[kind]?.(space, much) ?? HEADER_LENGTH) + TAG_LENGTH;
          for (const [at, value, width] of some) space.writeUIntBE(width === 1 ? value & 0xff : value, at, width);
          const length = Math.max(0, whole + longer);
          // An exact copy has nothing behind it that could be read; the other one has what misleads.
          const alone = Buffer.from(space.subarray(0, length));
          space.fill(0xff, length);
          assert.deepEqual(everything(space, length), everything(alone, length));
          if (some.length === 0 && longer === 0) assert.notEqual(everything(alone, length), 'refused');
        },
      ),
      { numRuns: RUNS },
    );
  });
});
