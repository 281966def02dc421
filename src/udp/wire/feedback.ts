/**
 * feedback: what arrived, and how much more may come.
 *   u48 highest      the highest packet number that arrived
 *   u32 delay        microseconds from the arrival of `latest` to this datagram; 2^32 - 1: not measured
 *   u48 clock        microseconds of the receiver's own clock, from any beginning
 *   u48 limit        so many bytes of the stream may be sent in all (each counted once, however often it is sent)
 *   u48 received     bytes of the stream that are there, without duplicates
 *   u48 forgotten    packet numbers below were forgotten: what of them is not yet decided counts as lost
 *   u32 marked       datagrams that came with the ECN mark CE
 *   u48 latest       the packet number that arrived last
 *   u16 count        of ranges; then `count` times u16 gap, u16 length, from `highest` downwards
 * A range is `length` packet numbers that arrived, below a gap of `gap` that did not. What is longer than 65,535 goes on
 * in the next one (length 0, or gap 0). Below the last one nothing is said.
 */
import { readU48, writeU48 } from './header.ts';
import type { NumberRanges } from './number-ranges.ts';
import { FEEDBACK_PREFIX, FEEDBACK_RANGES_MAX, HEADER_LENGTH, RANGE_LENGTH, TAG_LENGTH } from './sizes.ts';

const RANGES_AT = HEADER_LENGTH + FEEDBACK_PREFIX;
const RUN_MAX = 0xffff;

export interface FeedbackFields {
  highest: number;
  delay: number;
  clock: number;
  limit: number;
  received: number;
  forgotten: number;
  marked: number;
  latest: number;
  /** Ranges as pairs [low, high] (both inclusive), highest first; `count` of them count. */
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  count: number;
  /** Between the lowest thing said and `highest`, what is in no range did not arrive. */
  lowest: number;
}

export function emptyFeedbackFields(): FeedbackFields {
  return {
    highest: 0,
    delay: 0,
    clock: 0,
    limit: 0,
    received: 0,
    forgotten: 0,
    marked: 0,
    latest: 0,
    lows: new Float64Array(FEEDBACK_RANGES_MAX),
    highs: new Float64Array(FEEDBACK_RANGES_MAX),
    count: 0,
    lowest: 0,
  };
}

/**
 * Writes the body; returns where it ends. Ranges are those of `arrived`, from index `newest` downwards; what is not in it
 * from `floor` on did not arrive.
 */
export function writeFeedback(
  into: Buffer,
  fields: FeedbackFields,
  arrived: NumberRanges,
  floor: number,
  newest = arrived.count - 1,
): number {
  let at = HEADER_LENGTH;
  writeU48(into, arrived.count === 0 ? 0 : arrived.high(newest), at);
  into.writeUInt32BE(Math.min(fields.delay, 0xffffffff), at + 6);
  writeU48(into, fields.clock, at + 10);
  writeU48(into, fields.limit, at + 16);
  writeU48(into, fields.received, at + 22);
  writeU48(into, fields.forgotten, at + 28);
  into.writeUInt32BE(fields.marked >>> 0, at + 34);
  writeU48(into, fields.latest, at + 38);
  at = RANGES_AT;
  const most = RANGES_AT + FEEDBACK_RANGES_MAX * RANGE_LENGTH;
  let expected = newest < 0 ? 0 : arrived.high(newest);
  for (let index = newest; index >= 0 && at < most; index--) {
    const high = arrived.high(index);
    const low = arrived.low(index);
    at = writeRange(into, at, most, expected - high, high - low + 1);
    expected = low - 1;
  }
  if (newest >= 0) at = writeRange(into, at, most, expected - floor + 1, 0);
  into.writeUInt16BE((at - RANGES_AT) / RANGE_LENGTH, HEADER_LENGTH + 44);
  return at;
}

function writeRange(into: Buffer, from: number, most: number, gap: number, length: number): number {
  let at = from;
  let [gapLeft, lengthLeft] = [gap, length];
  while ((gapLeft > 0 || lengthLeft > 0) && at < most) {
    const gapHere = Math.min(gapLeft, RUN_MAX);
    gapLeft -= gapHere;
    const lengthHere = gapLeft > 0 ? 0 : Math.min(lengthLeft, RUN_MAX);
    lengthLeft -= lengthHere;
    into.writeUInt16BE(gapHere, at);
    into.writeUInt16BE(lengthHere, at + 2);
    at += RANGE_LENGTH;
  }
  return at;
}

/** Reads an opened datagram of feedback; false when its body is not exactly one. */
export function readFeedback(datagram: Buffer, length: number, fields: FeedbackFields): boolean {
  const end = length - TAG_LENGTH;
  if (end < RANGES_AT) return false;
  const at = HEADER_LENGTH;
  const count = datagram.readUInt16BE(at + 44);
  if (count > FEEDBACK_RANGES_MAX || end !== RANGES_AT + count * RANGE_LENGTH) return false;
  fields.highest = readU48(datagram, at);
  fields.delay = datagram.readUInt32BE(at + 6);
  fields.clock = readU48(datagram, at + 10);
  fields.limit = readU48(datagram, at + 16);
  fields.received = readU48(datagram, at + 22);
  fields.forgotten = readU48(datagram, at + 28);
  fields.marked = datagram.readUInt32BE(at + 34);
  fields.latest = readU48(datagram, at + 38);
  return readRanges(datagram, count, fields);
}

function readRanges(datagram: Buffer, count: number, fields: FeedbackFields): boolean {
  let next = fields.highest;
  let kept = 0;
  for (let index = 0, at = RANGES_AT; index < count; index++, at += RANGE_LENGTH) {
    const gap = datagram.readUInt16BE(at);
    const run = datagram.readUInt16BE(at + 2);
    // The first range holds `highest`; an empty pair says nothing and would be padding to hide in.
    if ((gap === 0 && run === 0) || (index === 0 && (gap !== 0 || run === 0))) return false;
    const high = next - gap;
    next = high - run;
    if (next < -1) return false;
    if (run === 0) continue;
    fields.highs[kept] = high;
    fields.lows[kept] = next + 1;
    kept++;
  }
  fields.count = kept;
  fields.lowest = next + 1;
  return true;
}
