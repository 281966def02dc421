/**
 * The receiving end of a transfer, without a clock, a socket or a timer (see sender.ts for how it is driven). It says what
 * arrived and how much more may come; everything it remembers is bounded, whatever the sender does.
 */
import { readPaused } from '../wire/control.ts';
import type { Paused } from '../wire/control.ts';
import { DATA_AT, emptyDataFields, readData } from '../wire/data.ts';
import { emptyFeedbackFields, writeFeedback } from '../wire/feedback.ts';
import { FLAG_FEEDBACK_MASK, flagsOf, KIND, packetNumberOf } from '../wire/header.ts';
import type { Kind } from '../wire/header.ts';
import { NumberRanges } from '../wire/number-ranges.ts';
import {
  CHALLENGE_LENGTH,
  DATAGRAM_BASE,
  FEEDBACK_PREFIX,
  FEEDBACK_RANGES_MAX,
  FEEDBACK_UNIT_US,
  INITIAL_LIMIT,
  OVERHEAD,
  RANGE_LENGTH,
  U48_MAX,
} from '../wire/sizes.ts';
import { Connection, KEEPALIVE_EVERY } from './connection.ts';
import type { ConnectionOptions } from './connection.ts';
import { PathFigures } from './path-figures.ts';
import { STREAM_RANGES_MAX } from './pieces.ts';
import type { StreamRange } from './pieces.ts';

/** Takes bytes of the stream, in any order, each once. The buffer is reused as soon as it returns. */
export interface StreamSink {
  write(offset: number, from: Buffer, start: number, end: number): void;
}

export interface ReceiverOptions {
  readonly connection: ConnectionOptions;
  readonly sink: StreamSink;
  /** Bytes that may be on the way or wait to be written: twice the bandwidth-delay product for full speed. */
  readonly window: number;
  readonly have?: readonly StreamRange[];
  /** The stream's length, when it is known beforehand; nothing longer is taken. */
  readonly end?: number;
  readonly silenceLimit?: number;
}

const PACKET_RANGES_MAX = 32_768;
const HELLO_EVERY = 250_000;
/** Nothing comes for so long: twice as long each time. */
const STALL_FIRST = 1_000_000;
/** Room for a challenge, and one more, to an address that is not proven. */
const STALL_BYTES = 2 * (OVERHEAD + CHALLENGE_LENGTH);
const SILENCE_LIMIT = 60_000_000;
const FIRST_EXPONENT = 2;
/** A limit that rose by this share of the window is worth a datagram of its own. */
const LIMIT_SHARE = 1 / 8;

export class TransferReceiver {
  readonly connection: Connection;
  private readonly options: ReceiverOptions;
  private readonly window: number;
  private readonly arrived = new NumberRanges(PACKET_RANGES_MAX);
  readonly stream = new NumberRanges(STREAM_RANGES_MAX);
  readonly path = new PathFigures();
  private readonly fields = emptyDataFields();
  private readonly feedback = emptyFeedbackFields();

  private highest = -1;
  private latest = 0;
  private latestAt = 0;
  /** Packet numbers below are decided for the sender, or forgotten. */
  private floor = 0;
  private readonly hadBytes: number;
  received = 0;
  duplicateBytes = 0;
  private pending = 0;
  private limit = 0;
  private limitTold = 0;
  private end = Infinity;
  private forgotten = 0;
  private marked = 0;
  private exponent = FIRST_EXPONENT;
  private owed = false;
  private lastFeedbackAt = -Infinity;
  private sweepDue = false;
  private sweepIndex = 0;
  private nextHelloAt = -Infinity;
  private hellos = 0;
  /** Keepalives since something came. */
  private stalls = 0;
  private pausedNow: Paused | null = null;
  private pausedFrom = 0;
  private startedAt = Infinity;

  constructor(options: ReceiverOptions) {
    this.options = options;
    this.connection = new Connection(options.connection);
    this.window = Math.max(options.window, INITIAL_LIMIT);
    if (options.end !== undefined) this.end = options.end;
    let had = 0;
    for (const [start, stop] of options.have ?? []) {
      if (stop > start) had += Math.max(0, this.stream.add(start, stop - 1));
    }
    this.hadBytes = had;
    this.received = this.hadBytes;
    this.raiseLimit();
  }

  /** Everything up to the end is here (not yet verified: that is the caller's). */
  get isComplete(): boolean {
    return this.received >= this.end;
  }

  get paused(): Paused | null {
    return this.pausedNow;
  }

  /** Microseconds between two feedbacks, as the sender asks for them now. */
  get feedbackInterval(): number {
    return FEEDBACK_UNIT_US << this.exponent;
  }

  get isDone(): boolean {
    return this.connection.ended !== null;
  }

  /** Bytes of `sink.write` are where they belong: their room is free again. */
  written(bytes: number): void {
    this.pending -= bytes;
    this.raiseLimit();
  }

  private raiseLimit(): void {
    // What was let in and is not here, and what waits, fit the window together. It never falls: a promise was made.
    const credit = this.received - this.hadBytes + this.window - this.pending;
    this.limit = Math.min(U48_MAX, Math.max(this.limit, credit));
  }

  /** `isMarked`: the datagram came with the ECN mark CE. */
  receive(datagram: Buffer, length: number, now: number, path: number, isMarked = false): void {
    if (this.isDone) return;
    this.startedAt = Math.min(this.startedAt, now);
    const kind = this.connection.accept(datagram, length, now, path);
    if (kind !== 0) {
      this.stalls = 0;
      this.path.onArrived(packetNumberOf(datagram));
    }
    if (kind !== KIND.data && kind !== KIND.probe && kind !== KIND.paused) return;
    if (isMarked) this.marked++;
    if (kind === KIND.data && !this.takeData(datagram, length, now)) return;
    if (kind === KIND.paused && !this.takePaused(datagram, length)) return;
    this.acknowledge(packetNumberOf(datagram), now, kind);
  }

  /** False when it must not be acknowledged. */
  private takeData(datagram: Buffer, length: number, now: number): boolean {
    const { fields, stream } = this;
    const packetNumber = packetNumberOf(datagram);
    if (!readData(datagram, length, packetNumber, fields)) {
      this.connection.malformed('data is not well-formed');
      return false;
    }
    const last = fields.offset + fields.length;
    if (!this.isWithinBounds(last)) return false;
    const index = stream.find(fields.offset);
    const isThere = index < stream.count && stream.low(index) <= fields.offset && stream.high(index) >= last - 1;
    if (isThere) this.duplicateBytes += fields.length;
    else if (!this.store(datagram, last)) return false;
    if (fields.end) this.end = last;
    this.exponent = flagsOf(datagram) & FLAG_FEEDBACK_MASK;
    if (fields.decidedBelow > this.floor) this.path.onDecided(fields.decidedBelow, now);
    this.floor = Math.max(this.floor, Math.min(fields.decidedBelow, this.highest));
    this.arrived.cutBelow(this.floor);
    if (this.pausedNow !== null && last > this.pausedFrom) this.pausedNow = null;
    return true;
  }

  private isWithinBounds(last: number): boolean {
    const { fields } = this;
    if (
      last > this.end ||
      (fields.end && this.end !== Infinity && this.end !== last) ||
      (fields.end && this.isBeyond(last))
    )
      this.connection.malformed('data lies beyond the end of the stream');
    else return true;
    return false;
  }

  private isBeyond(end: number): boolean {
    return this.stream.count > 0 && this.stream.high(this.stream.count - 1) >= end;
  }

  /** Gives the sink what is new of the piece; false when too many pieces lie apart. */
  private store(datagram: Buffer, last: number): boolean {
    const { offset } = this.fields;
    const { stream, options } = this;
    if (stream.count >= STREAM_RANGES_MAX - 1) return false;
    let from = offset;
    for (let index = stream.find(offset); from < last; index++) {
      const low = index < stream.count ? Math.min(stream.low(index), last) : last;
      if (low > from) {
        options.sink.write(from, datagram, DATA_AT + from - offset, DATA_AT + low - offset);
        this.received += low - from;
        this.pending += low - from;
      }
      from = index < stream.count ? Math.max(from, stream.high(index) + 1) : last;
    }
    stream.add(offset, last - 1);
    if (this.received - this.hadBytes > this.limit)
      this.connection.close('limit-exceeded', 'more came than was let in');
    this.raiseLimit();
    return true;
  }

  private takePaused(datagram: Buffer, length: number): boolean {
    const paused = readPaused(datagram, length);
    if (paused === null) {
      this.connection.malformed('a pause is not well-formed');
      return false;
    }
    // One that was overtaken by what came after it is no news.
    const { cause, reference, released } = paused;
    this.pausedFrom = released;
    if (packetNumberOf(datagram) > this.highest) this.pausedNow = { cause, reference };
    this.exponent = flagsOf(datagram) & FLAG_FEEDBACK_MASK;
    return true;
  }

  private acknowledge(packetNumber: number, now: number, kind: Kind): void {
    this.highest = Math.max(this.highest, packetNumber);
    this.latest = packetNumber;
    this.latestAt = now;
    if (packetNumber >= this.floor && this.arrived.add(packetNumber, packetNumber) < 0) {
      this.forgotten = this.arrived.high(0) + 1;
      this.floor = this.forgotten;
      this.arrived.cutBelow(this.floor);
      this.arrived.add(packetNumber, packetNumber);
    }
    this.owed = true;
    // Who probes waits: it is answered at once.
    if (kind !== KIND.data) this.lastFeedbackAt = -Infinity;
  }

  produce(into: Buffer, now: number): number {
    const shared = this.connection.produceShared(into, now);
    if (shared > 0) return shared;
    if (this.isDone || this.connection.paths.active < 0) return 0;
    this.startedAt = Math.min(this.startedAt, now);
    if (now >= this.silenceAt()) {
      this.connection.close('silence', 'nothing came from the sender any more');
      return this.connection.produceShared(into, now);
    }
    if (now >= this.feedbackAt()) return this.produceFeedback(into, now);
    return this.produceHello(into, now);
  }

  private feedbackAt(): number {
    if (!this.owed && !this.sweepDue && this.limit - this.limitTold < this.window * LIMIT_SHARE) return Infinity;
    if (this.highest < 0) return Infinity;
    const size = OVERHEAD + FEEDBACK_PREFIX + Math.min(this.arrived.count * 2 + 1, FEEDBACK_RANGES_MAX) * RANGE_LENGTH;
    if (!this.connection.paths.allows(size)) return Infinity;
    return this.sweepDue ? -Infinity : this.lastFeedbackAt + (FEEDBACK_UNIT_US << this.exponent);
  }

  private produceFeedback(into: Buffer, now: number): number {
    const { feedback, arrived } = this;
    const older = this.sweepDue && this.sweepIndex < arrived.count - 1;
    feedback.delay = Math.max(0, Math.round(now - this.latestAt));
    feedback.clock = Math.round(now);
    feedback.limit = this.limit;
    feedback.received = this.received;
    feedback.forgotten = this.forgotten;
    feedback.marked = this.marked;
    feedback.latest = this.latest;
    this.connection.begin(into, KIND.feedback, 0);
    const end = writeFeedback(into, feedback, arrived, this.floor, older ? this.sweepIndex : arrived.count - 1);
    this.path.onFeedback(older ? -1 : this.highest, now);
    if (this.sweepDue) this.sweepDue = false;
    else this.planSweep(now);
    return this.connection.finish(into, end, now);
  }

  /** What does not fit one datagram is told in turns: behind the newest ranges goes one block of older ones. */
  private planSweep(now: number): void {
    this.lastFeedbackAt = now;
    this.owed = false;
    this.limitTold = this.limit;
    const { count } = this.arrived;
    this.sweepDue = count > FEEDBACK_RANGES_MAX;
    const next = Math.min(this.sweepIndex, count - 1) - FEEDBACK_RANGES_MAX;
    this.sweepIndex = next > 0 ? next : count - 1 - FEEDBACK_RANGES_MAX;
  }

  /** Until the sender is heard, and then now and again: padded, so that it may answer before we are proven. */
  private produceHello(into: Buffer, now: number): number {
    if (now < this.helloAt()) return 0;
    const isFirst = this.connection.lastReceivedAt === -Infinity;
    this.nextHelloAt = now + HELLO_EVERY * 2 ** Math.min(this.hellos++, 4);
    this.stalls++;
    return this.connection.produceKeepalive(into, now, isFirst ? DATAGRAM_BASE : STALL_BYTES);
  }

  private helloAt(): number {
    if (this.connection.lastReceivedAt === -Infinity) return this.nextHelloAt;
    const { lastSentAt, lastReceivedAt } = this.connection;
    // A NAT may have forgotten us: the sender sends to where we were, until it hears us from where we are.
    const quiet = Math.min(KEEPALIVE_EVERY, STALL_FIRST * 2 ** Math.min(this.stalls, 4));
    return Math.max(this.nextHelloAt, Math.max(lastSentAt, lastReceivedAt) + quiet);
  }

  private silenceAt(): number {
    return Math.max(this.startedAt, this.connection.lastReceivedAt) + (this.options.silenceLimit ?? SILENCE_LIMIT);
  }

  wakeAt(): number {
    const shared = this.connection.wakeForShared();
    if (this.isDone || this.connection.paths.active < 0) return shared;
    return Math.min(shared, this.feedbackAt(), this.helloAt(), this.silenceAt());
  }
}
