import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  CLOSE_REASONS,
  PAUSE_CAUSES,
  readChallenge,
  readClose,
  readPaused,
  writeChallenge,
  writeClose,
  writePaused,
} from '../../../src/udp/wire/control.ts';
import type { CloseReason, PauseCause } from '../../../src/udp/wire/control.ts';
import { DATA_AT, emptyDataFields, readData, writeData } from '../../../src/udp/wire/data.ts';
import { emptyFeedbackFields, readFeedback, writeFeedback } from '../../../src/udp/wire/feedback.ts';
import {
  FLAG_END,
  KIND,
  kindOf,
  packetNumberOf,
  readU48,
  writeHeader,
  writeU48,
} from '../../../src/udp/wire/header.ts';
import type { Kind } from '../../../src/udp/wire/header.ts';
import { NumberRanges } from '../../../src/udp/wire/number-ranges.ts';
import {
  CLOSE_TEXT_MAX,
  DATAGRAM_BASE,
  DATAGRAM_MAX,
  FEEDBACK_PREFIX,
  FEEDBACK_RANGES_MAX,
  HEADER_LENGTH,
  OVERHEAD,
  REFERENCE_MAX,
  TAG_LENGTH,
  U48_MAX,
  UNDECIDED_UNIT,
} from '../../../src/udp/wire/sizes.ts';

const u48 = fc.integer({ min: 0, max: U48_MAX });
const ascii = (most: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: most });
const id = Buffer.from('0102030405060708', 'hex');

/** What every reader must do with any bytes: answer, and never throw or read past the length it was given. */
function readAll(datagram: Buffer, length: number): void {
  if (kindOf(datagram, length) === 0) return;
  readData(datagram, length, packetNumberOf(datagram), emptyDataFields());
  readFeedback(datagram, length, emptyFeedbackFields());
  readChallenge(datagram, length);
  readPaused(datagram, length);
  readClose(datagram, length);
}

describe('the header of a datagram', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(u48, fc.constantFrom(...Object.values(KIND)), (packetNumber, kind) => {
        const into = Buffer.alloc(OVERHEAD);
        writeHeader(into, kind, 0, packetNumber, id);
        assert.equal(kindOf(into, OVERHEAD), kind);
        assert.equal(packetNumberOf(into), packetNumber);
        assert.deepEqual(into.subarray(8, 16), id);
      }),
    );
  });

  it('is refused with another version, an unknown kind, a flag that means nothing, or a length out of bounds', () => {
    const into = Buffer.alloc(DATAGRAM_MAX + 1);
    writeHeader(into, KIND.feedback, 0, 1, id);
    assert.equal(kindOf(into, OVERHEAD - 1), 0);
    assert.equal(kindOf(into, DATAGRAM_MAX + 1), 0);
    assert.equal(kindOf(into.subarray(0, 40), 41), 0);
    for (let first = 0; first < 256; first++) {
      into[0] = first;
      const isOurs = first >> 4 === 1 && (first & 15) >= 1 && (first & 15) <= 8;
      assert.equal(kindOf(into, OVERHEAD) !== 0, isOurs, `first byte ${first}`);
    }
    writeHeader(into, KIND.feedback, FLAG_END, 1, id);
    assert.equal(kindOf(into, OVERHEAD), 0);
    writeHeader(into, KIND.data, 0x0a, 1, id);
    assert.equal(kindOf(into, OVERHEAD), 0, 'an exponent that is too large');
  });

  it('holds numbers of 48 bits and no more', () => {
    const into = Buffer.alloc(8);
    fc.assert(
      fc.property(u48, (value) => {
        writeU48(into, value, 1);
        assert.equal(readU48(into, 1), value);
      }),
    );
    assert.throws(() => {
      writeU48(into, U48_MAX + 1, 0);
    }, RangeError);
  });
});

describe('data', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: U48_MAX - 9000 }),
        fc.integer({ min: 1, max: 9000 }),
        u48,
        fc.integer({ min: 0, max: 4_000_000 }),
        fc.boolean(),
        (offset, bytes, packetNumber, behind, isEnd) => {
          const into = Buffer.alloc(DATAGRAM_MAX);
          const decided = Math.max(0, packetNumber - behind);
          writeHeader(into, KIND.data, isEnd ? FLAG_END : 0, packetNumber, id);
          writeData(into, offset, packetNumber, decided);
          const fields = emptyDataFields();
          assert.ok(readData(into, DATA_AT + bytes + TAG_LENGTH, packetNumber, fields));
          assert.equal(fields.offset, offset);
          assert.equal(fields.length, bytes);
          assert.equal(fields.end, isEnd);
          // Rounded towards remembering more, never less.
          assert.ok(fields.decidedBelow <= decided);
          assert.ok(decided - fields.decidedBelow < UNDECIDED_UNIT || fields.decidedBelow === 0);
        },
      ),
    );
  });

  it('has at least one byte, and none past 2^48', () => {
    const into = Buffer.alloc(DATAGRAM_MAX);
    writeHeader(into, KIND.data, 0, 5, id);
    writeData(into, U48_MAX - 10, 5, 0);
    assert.equal(readData(into, DATA_AT + TAG_LENGTH, 5, emptyDataFields()), false);
    assert.equal(readData(into, DATA_AT + TAG_LENGTH + 10, 5, emptyDataFields()), true);
    assert.equal(readData(into, DATA_AT + TAG_LENGTH + 11, 5, emptyDataFields()), false);
  });
});

const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 1, max: 200_000 })), {
  minLength: 1,
  maxLength: 400,
});

function rangesOf(list: readonly (readonly [number, number])[]): NumberRanges {
  const ranges = new NumberRanges(10_000);
  let at = 0;
  for (const [gap, length] of list) {
    ranges.add(at + gap, at + gap + length - 1);
    at += gap + length;
  }
  return ranges;
}

describe('feedback', () => {
  it('says the newest ranges truly, as many as fit, and where it stops', () => {
    fc.assert(
      fc.property(runs, u48, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (list, clock, delay) => {
        const arrived = rangesOf(list);
        const into = Buffer.alloc(DATAGRAM_BASE);
        writeHeader(into, KIND.feedback, 0, 9, id);
        const written = {
          ...emptyFeedbackFields(),
          clock,
          delay,
          limit: 7,
          received: 8,
          forgotten: 9,
          marked: 10,
          latest: 11,
        };
        const end = writeFeedback(into, written, arrived, 0);
        assert.ok(end + TAG_LENGTH <= DATAGRAM_BASE);
        const read = emptyFeedbackFields();
        assert.ok(readFeedback(into, end + TAG_LENGTH, read));
        assert.equal(read.highest, arrived.high(arrived.count - 1));
        assert.deepEqual(
          [read.clock, read.delay, read.limit, read.received, read.forgotten, read.marked, read.latest],
          [clock, delay, 7, 8, 9, 10, 11],
        );
        const said = new NumberRanges(10_000);
        for (let index = 0; index < read.count; index++) {
          said.add(read.lows[index] as number, read.highs[index] as number);
        }
        assert.ok(said.count > 0);
        // From `lowest` upwards both tell the same.
        const cut = rangesOf(list);
        cut.cutBelow(read.lowest);
        assert.equal(said.count, cut.count);
        for (let index = 0; index < cut.count; index++) {
          assert.deepEqual([said.low(index), said.high(index)], [cut.low(index), cut.high(index)]);
        }
        if (list.length < FEEDBACK_RANGES_MAX / 8) assert.equal(said.count, arrived.count);
      }),
    );
  });

  it('is refused when it is cut, longer, or says what cannot be', () => {
    const into = Buffer.alloc(DATAGRAM_BASE);
    writeHeader(into, KIND.feedback, 0, 9, id);
    const arrived = rangesOf([
      [3, 5],
      [2, 9],
    ]);
    const end = writeFeedback(into, emptyFeedbackFields(), arrived, 0);
    for (let length = OVERHEAD; length < end + 40; length++) {
      assert.equal(readFeedback(into, length, emptyFeedbackFields()), length === end + TAG_LENGTH);
    }
    const bad = (at: number, value: number): void => {
      const copy = Buffer.from(into);
      copy.writeUInt16BE(value, at);
      assert.equal(readFeedback(copy, end + TAG_LENGTH, emptyFeedbackFields()), false);
    };
    const ranges = HEADER_LENGTH + FEEDBACK_PREFIX;
    bad(ranges, 1); // a gap before the first range
    bad(ranges + 2, 0); // an empty first range
    bad(ranges + 6, 1000); // below zero
    bad(HEADER_LENGTH + 44, FEEDBACK_RANGES_MAX + 1);
    assert.ok(readFeedback(into, end + TAG_LENGTH, emptyFeedbackFields()));
  });

  it('without anything arrived is well-formed too', () => {
    const into = Buffer.alloc(DATAGRAM_BASE);
    writeHeader(into, KIND.feedback, 0, 9, id);
    const end = writeFeedback(into, emptyFeedbackFields(), new NumberRanges(10), 0);
    const read = emptyFeedbackFields();
    assert.ok(readFeedback(into, end + TAG_LENGTH, read));
    assert.equal(read.count, 0);
  });
});

describe('small datagrams', () => {
  it('come back as they were written, and only at their exact length', () => {
    const causes = Object.keys(PAUSE_CAUSES) as PauseCause[];
    const reasons = Object.keys(CLOSE_REASONS) as CloseReason[];
    fc.assert(
      fc.property(ascii(REFERENCE_MAX), ascii(CLOSE_TEXT_MAX), fc.nat(), (reference, text, pick) => {
        const into = Buffer.alloc(DATAGRAM_BASE);
        const cause = causes[pick % causes.length] as PauseCause;
        const pauseEnd = writePaused(into, { cause, released: pick, reference });
        assert.deepEqual(readPaused(into, pauseEnd + TAG_LENGTH), { cause, released: pick, reference });
        assert.equal(readPaused(into, pauseEnd + TAG_LENGTH + 1), null);
        assert.equal(readPaused(into, pauseEnd + TAG_LENGTH - 1), null);
        const reason = reasons[pick % reasons.length] as CloseReason;
        const closeEnd = writeClose(into, { reason, text });
        assert.deepEqual(readClose(into, closeEnd + TAG_LENGTH), { reason, text });
        assert.equal(readClose(into, closeEnd + TAG_LENGTH + 1), null);
        assert.equal(readClose(into, closeEnd + TAG_LENGTH - 1), null);
      }),
    );
  });

  it('hide nothing in padding, and no control characters in text', () => {
    const into = Buffer.alloc(200);
    const value = randomBytes(8);
    const end = writeChallenge(into, value, 100) + TAG_LENGTH;
    assert.deepEqual(readChallenge(into, end), value);
    into[60] = 1;
    assert.equal(readChallenge(into, end), null);
    const closed = writeClose(into, { reason: 'internal', text: 'a\u001b[2Jb\u2028c' }) + TAG_LENGTH;
    assert.deepEqual(readClose(into, closed), { reason: 'internal', text: 'a?[2Jb?c' });
    into[HEADER_LENGTH + 4] = 0x1b;
    assert.equal(readClose(into, closed), null);
    into.writeUInt16BE(999, HEADER_LENGTH);
    assert.equal(readClose(into, closed), null);
  });
});

describe('every reader', () => {
  it('takes any bytes of any length without throwing', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 0, maxLength: 400 }),
        fc.constantFrom(...Object.values(KIND)),
        (bytes, kind: Kind) => {
          const datagram = Buffer.from(bytes);
          if (datagram.length > 0) datagram[0] = 0x10 | kind;
          if (datagram.length > 1) datagram[1] = 0;
          readAll(datagram, datagram.length);
          for (const length of [0, 1, 31, 32, 33, 50]) readAll(datagram, Math.min(length, datagram.length));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
