/**
 * The sending end of a transfer, without a clock, a socket or a timer: datagrams and the time go in, datagrams and the
 * next time to be woken come out. A driver calls `receive` for what arrives, then `produce` until it returns 0, then sleeps
 * until `wakeAt`. Time is in microseconds.
 */
import type { Controller } from '../congestion/controller.ts';
import { DeliveryRate } from '../congestion/delivery-rate.ts';
import { PACKET, PacketLog } from '../congestion/packet-log.ts';
import { ReceiverClock } from '../congestion/receiver-clock.ts';
import { RoundTrip } from '../congestion/round-trip.ts';
import type { Paused } from '../wire/control.ts';
import { writePaused, writeZeros } from '../wire/control.ts';
import { DATA_AT, writeData } from '../wire/data.ts';
import { emptyFeedbackFields, readFeedback } from '../wire/feedback.ts';
import type { FeedbackFields } from '../wire/feedback.ts';
import { FLAG_END, KIND } from '../wire/header.ts';
import {
  DATA_OVERHEAD,
  DATAGRAM_BASE,
  FEEDBACK_EXPONENT_MAX,
  FEEDBACK_UNIT_US,
  HEADER_LENGTH,
  INITIAL_LIMIT,
  OVERHEAD,
  TAG_LENGTH,
} from '../wire/sizes.ts';
import { Connection, KEEPALIVE_EVERY } from './connection.ts';
import type { ConnectionOptions } from './connection.ts';
import { LossDetection } from './loss-detection.ts';
import { PathMtu } from './path-mtu.ts';
import { Pieces } from './pieces.ts';
import type { StreamRange } from './pieces.ts';

/** Where the bytes of the stream come from. What is not `settled` may be asked for again. */
export interface StreamSource {
  /** Bytes below this offset were released, and can be read now. */
  readonly readableBelow: number;
  read(offset: number, into: Buffer, at: number, length: number): void;
  /** Everything below is with the receiver. */
  settled(below: number): void;
}

export interface SenderOptions {
  readonly connection: ConnectionOptions;
  readonly controller: Controller;
  readonly source: StreamSource;
  /** The stream's length; what of it the receiver has already. */
  readonly end: number;
  readonly have?: readonly StreamRange[];
  readonly random: () => number;
  readonly datagramMost?: number;
  /** Bytes per microsecond at the most, whatever the path carries. */
  readonly rateLimit?: number;
  readonly rttGuess?: number;
  /** After this long without a word the transfer is over. */
  readonly silenceLimit?: number;
}

/**
 * Up to this long is sent in one go: timers are no finer, and batches are cheaper (draft-ietf-ccwg-bbr, "Send Quantum").
 * Twice as long where that is little beside the round trip: a wake-up costs as much as several datagrams.
 */
const QUANTUM_TIME = 1000;
const QUANTUM_TIME_LONG = 2000;
const QUANTA_A_ROUND = 50;
const QUANTUM_BYTES = 65_536;
/** The longest wait between questions: for some seconds short, so that an outage is not made longer by us. */
const PROBE_TIMEOUT_MAX = 400_000;
const PROBES_QUICK = 25;
const PROBE_TIMEOUT_SLOW = 2_000_000;
const SILENCE_LIMIT = 60_000_000;
/** So many unanswered probes are silence: what was known of the path is doubted. */
const SILENT_PROBES = 3;
/** Every so many packets, by chance, a number is left out: who acknowledges it lies (RFC 9000 section 21.4). */
const SKIP_ABOUT_EVERY = 500;
/** So often a lost piece is sent again when everything else is out. */
const LAST_TIMES = 3;
const PAUSED_EVERY = 2_000_000;
const FEEDBACKS_A_ROUND = 16;
const FIRST_EXPONENT = 2;
/** Twice as often as the shortest interval that can be asked for, and as many at once as a stalled way back lets go. */
const HEARING_EVERY = 125;
const HEARINGS_MOST = 64;
/** If most of so many packets before it have not arrived, a packet has overtaken; one of them may have done so too. */
const PREDECESSORS = 8;

export class TransferSender {
  readonly connection: Connection;
  readonly controller: Controller;
  readonly roundTrip: RoundTrip;
  readonly mtu: PathMtu;
  readonly pieces: Pieces;
  readonly losses: LossDetection;
  private readonly options: SenderOptions;
  private readonly log = new PacketLog();
  private readonly rate = new DeliveryRate();
  private readonly clock = new ReceiverClock();
  private readonly fields = emptyFeedbackFields();
  private readonly lose: (packetNumber: number, slot: number) => void;
  private now = 0;

  /** Of the receiver: so many bytes may be sent in all; and how many were, each counted once. */
  private limit = INITIAL_LIMIT;
  private sentNew = 0;
  private nextSendAt = 0;
  private nextSkip: number;
  private exponent = FIRST_EXPONENT;
  private heardAt = -Infinity;
  /** Since when an answer is waited for, and when the first datagram went out. */
  private askedAt = 0;
  private firstSentAt = Infinity;
  private hearings = HEARINGS_MOST;
  private hearingsAt = 0;
  private probeCount = 0;
  /** Questions whether the window opened, since it last did. */
  private blockedProbes = 0;
  private lastLost = -2;
  private marked = 0;
  private paused: Paused | null = null;
  private nextPausedAt = Infinity;

  constructor(options: SenderOptions) {
    this.options = options;
    this.connection = new Connection(options.connection);
    this.controller = options.controller;
    this.roundTrip = new RoundTrip(options.rttGuess);
    this.mtu = new PathMtu(options.datagramMost);
    this.pieces = new Pieces(options.end, options.have ?? []);
    this.losses = new LossDetection(this.roundTrip);
    this.nextSkip = this.pickSkip(0);
    this.lose = (packetNumber, slot) => {
      this.onLost(packetNumber, slot);
    };
  }

  private pickSkip(from: number): number {
    return from + 2 + Math.floor(this.options.random() * 2 * SKIP_ABOUT_EVERY);
  }

  /** Microseconds between two feedbacks, as the sender asks for them now. */
  get feedbackInterval(): number {
    return FEEDBACK_UNIT_US << this.exponent;
  }

  get isDone(): boolean {
    return this.connection.ended !== null;
  }

  get isSilent(): boolean {
    return this.probeCount >= SILENT_PROBES;
  }

  get inflight(): number {
    return this.rate.inflight;
  }

  /** Nothing more is released for now, and why; the receiver's side shows the reference. */
  pause(paused: Paused): void {
    this.paused = paused;
    this.nextPausedAt = -Infinity;
  }

  resume(): void {
    this.paused = null;
    this.nextPausedAt = Infinity;
  }

  receive(datagram: Buffer, length: number, now: number, path: number): void {
    if (this.isDone) return;
    this.now = now;
    const kind = this.connection.accept(datagram, length, now, path);
    if (kind !== KIND.feedback || !this.mayBeHeard(now)) return;
    if (!readFeedback(datagram, length, this.fields)) this.connection.malformed('feedback is not well-formed');
    else this.takeFeedback(now);
  }

  // --- feedback in

  /** Each feedback costs a walk over what is on the way: a receiver that floods us with it must not set the price. */
  private mayBeHeard(now: number): boolean {
    this.hearings = Math.min(HEARINGS_MOST, this.hearings + (now - this.hearingsAt) / HEARING_EVERY);
    this.hearingsAt = now;
    if (this.hearings < 1) {
      this.connection.refused.excess++;
      return false;
    }
    this.hearings--;
    return true;
  }

  private takeFeedback(now: number): void {
    const { fields, log, rate, losses } = this;
    if (fields.count > 0 && (fields.highs[0] as number) >= log.next) {
      this.connection.close('feedback-lies', 'a packet was acknowledged that was never sent');
      return;
    }
    const wasSilent = this.isSilent;
    this.onHeard(now);
    if (fields.limit > this.limit) this.blockedProbes = 0;
    this.limit = Math.max(this.limit, fields.limit);
    const at = this.clock.toOurs(fields.clock, now);
    rate.begin(now);
    this.measureRoundTrip(now);
    if (!this.takeRanges(at)) return;
    if (wasSilent) this.giveUp();
    this.forget(fields.forgotten);
    if (fields.count > 0) losses.onCovered(fields.lowest, fields.highs[0] as number);
    losses.detect(log, at, this.lose);
    rate.sample.newlyMarked = Math.max(0, fields.marked - this.marked);
    this.marked = Math.max(this.marked, fields.marked);
    this.settle(now);
    const sample = rate.finish(this.controller.minRtt);
    this.controller.onFeedback(sample);
    if (this.controller.phase === 'probe-rtt') rate.markAppLimited();
    if (this.controller.tripped !== null) this.connection.close('circuit-breaker', this.controller.tripped);
    if (this.pieces.isComplete) this.connection.close('complete', '');
  }

  private onHeard(now: number): void {
    if (this.isSilent) {
      this.controller.onSilence(now);
      this.nextSendAt = now;
    }
    this.heardAt = now;
    this.probeCount = 0;
    this.askedAt = now;
  }

  private measureRoundTrip(now: number): void {
    const { fields, log } = this;
    // The longest delay that can be written means that it was not measured.
    if (fields.count === 0 || fields.delay === 0xffffffff) return;
    const { latest } = fields;
    if (latest < log.base || latest >= log.next) return;
    const slot = log.slot(latest);
    if (log.state[slot] !== PACKET.flying || this.hasOvertaken(latest)) return;
    const rtt = Math.max(now - (log.sentAt[slot] as number) - fields.delay, 1);
    this.roundTrip.add(rtt);
    this.rate.sample.rtt = rtt;
    this.chooseExponent();
  }

  /** A packet that came before those sent before it took a way that is not the path's: its time would mislead. */
  private hasOvertaken(packetNumber: number): boolean {
    const { fields, log } = this;
    let checked = 0;
    let missing = 0;
    for (let before = packetNumber - 1; before >= log.base && checked < PREDECESSORS; before--) {
      const state = log.state[log.slot(before)];
      if (state === PACKET.skipped) continue;
      checked++;
      if (state === PACKET.flying && !this.isIn(fields, before)) missing++;
    }
    return missing > 1 && missing * 2 > checked;
  }

  private isIn(fields: FeedbackFields, packetNumber: number): boolean {
    for (let index = 0; index < fields.count; index++) {
      if (packetNumber > (fields.highs[index] as number)) return false;
      if (packetNumber >= (fields.lows[index] as number)) return true;
    }
    return false;
  }

  private chooseExponent(): void {
    const wanted = this.roundTrip.least / FEEDBACKS_A_ROUND / FEEDBACK_UNIT_US;
    this.exponent = Math.max(1, Math.min(6, FEEDBACK_EXPONENT_MAX, Math.floor(Math.log2(Math.max(wanted, 1)))));
  }

  /** False when the receiver lied. */
  private takeRanges(at: number): boolean {
    const { fields, log } = this;
    for (let index = fields.count - 1; index >= 0; index--) {
      const high = fields.highs[index] as number;
      for (let packetNumber = Math.max(fields.lows[index] as number, log.base); packetNumber <= high; packetNumber++) {
        const slot = log.slot(packetNumber);
        const state = log.state[slot];
        if (state === PACKET.acked) continue;
        if (state === PACKET.skipped) {
          this.connection.close('feedback-lies', 'a packet number was acknowledged that was left out');
          return false;
        }
        this.onAcked(packetNumber, slot, at);
      }
    }
    return true;
  }

  private onAcked(packetNumber: number, slot: number, at: number): void {
    const { log } = this;
    if (!this.pieces.onAcked(log.offset[slot] as number, log.length[slot] as number)) return;
    if (log.state[slot] === PACKET.lost) this.losses.onLateArrival(log.sentAt[slot] as number, at);
    if (this.mtu.isProbe(packetNumber)) this.mtu.onProbeAcked(this.now);
    this.rate.onAcked(log, slot, at);
  }

  /** What was on the way when silence fell is gone with it. That was no congestion, and says nothing of the path. */
  private giveUp(): void {
    const { log } = this;
    for (let packetNumber = log.base; packetNumber < log.next; packetNumber++) {
      const slot = log.slot(packetNumber);
      if (log.state[slot] !== PACKET.flying) continue;
      if (this.mtu.isProbe(packetNumber)) this.mtu.onProbeLost(this.now);
      this.rate.onUncountedLoss(log, slot);
      this.pieces.onLost(log.offset[slot] as number, log.length[slot] as number);
    }
  }

  private forget(below: number): void {
    const { log } = this;
    const end = Math.min(below, log.next);
    for (let packetNumber = log.base; packetNumber < end; packetNumber++) {
      const slot = log.slot(packetNumber);
      if (log.state[slot] === PACKET.flying) this.onLost(packetNumber, slot);
    }
  }

  private onLost(packetNumber: number, slot: number): void {
    const { log, rate } = this;
    if (this.mtu.isProbe(packetNumber)) {
      this.mtu.onProbeLost(this.now);
      rate.onUncountedLoss(log, slot);
      return;
    }
    rate.onLost(log, slot);
    // At the end each loss of what is sent again costs a round trip more, and the link has nothing better to carry.
    const times = this.pieces.hasNew ? 1 : LAST_TIMES;
    for (let time = 0; time < times; time++) this.pieces.onLost(log.offset[slot] as number, log.length[slot] as number);
    const since = rate.lost - (log.lost[slot] as number);
    const txInFlight = log.inflight[slot] as number;
    const isRun = packetNumber === this.lastLost + 1;
    this.lastLost = packetNumber;
    this.controller.onLost(log.size[slot] as number, txInFlight, since, log.appLimited[slot] === 1, isRun);
  }

  private settle(now: number): void {
    const before = this.log.base;
    this.log.settle(now - this.losses.horizon);
    if (this.log.base !== before) this.losses.onRound();
    this.options.source.settled(this.pieces.settledBelow);
  }

  // --- datagrams out

  /** Writes one datagram that is due into `into` (at least 9,216 bytes) for `connection.sendTo`; its length, or 0. */
  produce(into: Buffer, now: number): number {
    this.now = now;
    const shared = this.connection.produceShared(into, now);
    if (shared > 0) {
      this.catchUp();
      return shared;
    }
    if (this.isDone || this.connection.paths.active < 0) return 0;
    this.checkTimers(now);
    if (this.connection.ended !== null) return this.connection.produceShared(into, now);
    return (
      this.producePaused(into, now) ||
      this.produceProbe(into, now) ||
      this.produceData(into, now) ||
      this.produceIdle(into, now)
    );
  }

  /** Numbers that other kinds used need no answer. */
  private catchUp(): void {
    const { log, connection } = this;
    while (log.next < connection.nextNumber) log.state[log.append()] = PACKET.acked;
  }

  private checkTimers(now: number): void {
    if (now >= this.losses.dueAt) this.losses.detect(this.log, now, this.lose);
    if (now >= this.silenceAt()) this.connection.close('silence', 'nothing came from the receiver any more');
  }

  private producePaused(into: Buffer, now: number): number {
    if (this.paused === null || now < this.nextPausedAt || !this.connection.paths.allows(OVERHEAD + 80)) return 0;
    this.nextPausedAt = now + PAUSED_EVERY;
    this.connection.begin(into, KIND.paused, this.exponent);
    const length = this.connection.finish(
      into,
      writePaused(into, { ...this.paused, released: this.options.source.readableBelow }),
      now,
    );
    this.catchUp();
    return length;
  }

  /** When nothing was heard for too long: ask, with the oldest thing that is out, less and less often. */
  private produceProbe(into: Buffer, now: number): number {
    if (now < this.probeAt()) return 0;
    if (!this.connection.paths.allows(DATAGRAM_BASE)) return 0;
    this.probeCount++;
    if (this.rate.inflight === 0) this.blockedProbes++;
    this.askedAt = now;
    if (this.probeCount === 2) this.mtu.onBlackHole();
    const { log, pieces } = this;
    for (let packetNumber = log.base; packetNumber < log.next; packetNumber++) {
      const slot = log.slot(packetNumber);
      const length = log.length[slot] as number;
      const offset = log.offset[slot] as number;
      if (log.state[slot] !== PACKET.flying || length === 0 || pieces.settled.has(offset)) continue;
      return this.sendData(into, now, offset, Math.min(length, this.mtu.size - DATA_OVERHEAD));
    }
    if (pieces.hasLost()) return this.sendLost(into, now);
    return this.sendEmpty(into, now, OVERHEAD);
  }

  /** When to ask; Infinity while nothing is waited for. */
  private probeAt(): number {
    if (this.rate.inflight === 0 && !this.isBlockedByPeer()) return Infinity;
    const timeout = this.roundTrip.probeTimeout(FEEDBACK_UNIT_US << this.exponent);
    return (
      this.askedAt +
      Math.min(
        timeout * 2 ** Math.max(this.probeCount, this.rate.inflight === 0 ? this.blockedProbes : 0),
        Math.max(this.probeCount < PROBES_QUICK ? PROBE_TIMEOUT_MAX : PROBE_TIMEOUT_SLOW, timeout),
      )
    );
  }

  private isBlockedByPeer(): boolean {
    const { pieces } = this;
    return pieces.hasNew && this.sentNew >= this.limit && pieces.nextNew < this.options.source.readableBelow;
  }

  private produceData(into: Buffer, now: number): number {
    if (this.probeCount > 0 || this.log.isFull) return 0;
    if (this.rate.inflight + this.mtu.size > this.controller.window) {
      this.controller.isWindowLimited = true;
      return 0;
    }
    if (now < this.nextSendAt - this.quantumTime() || !this.connection.paths.allows(this.mtu.size)) return 0;
    const wanted = this.roundTrip.isKnown ? this.mtu.wanted(now) : 0;
    if (wanted > 0) return this.sendMtuProbe(into, now, wanted);
    if (this.pieces.hasLost()) return this.sendLost(into, now);
    const length = this.newLength();
    if (length > 0) {
      const offset = this.pieces.nextNew;
      this.pieces.takeNew(length);
      this.sentNew += length;
      return this.sendData(into, now, offset, length);
    }
    if (!this.isBlockedByPeer() || this.rate.inflight < this.controller.window / 2) this.rate.markAppLimited();
    return 0;
  }

  private newLength(): number {
    const { pieces } = this;
    if (!pieces.hasNew) return 0;
    const room = Math.min(this.limit - this.sentNew, this.options.source.readableBelow - pieces.nextNew);
    return Math.max(0, Math.min(room, pieces.newRun, this.mtu.size - DATA_OVERHEAD));
  }

  private sendLost(into: Buffer, now: number): number {
    const { pieces } = this;
    const offset = pieces.lostOffset;
    const length = Math.min(pieces.lostLength, this.mtu.size - DATA_OVERHEAD);
    pieces.takeLost(length);
    return this.sendData(into, now, offset, length);
  }

  private sendData(into: Buffer, now: number, offset: number, length: number): number {
    this.skipNow();
    const end = offset + length === this.options.end ? FLAG_END : 0;
    const packetNumber = this.connection.begin(into, KIND.data, end | this.exponent);
    writeData(into, offset, packetNumber, this.log.base);
    this.options.source.read(offset, into, DATA_AT, length);
    const sent = this.connection.finish(into, DATA_AT + length, now);
    this.record(sent, offset, length, now);
    return sent;
  }

  private sendEmpty(into: Buffer, now: number, size: number): number {
    this.connection.begin(into, KIND.probe, 0);
    const sent = this.connection.finish(into, writeZeros(into, HEADER_LENGTH, size), now);
    this.record(sent, 0, 0, now);
    return sent;
  }

  private sendMtuProbe(into: Buffer, now: number, size: number): number {
    const sent = this.sendEmpty(into, now, size);
    this.mtu.onProbeSent(this.log.next - 1);
    return sent;
  }

  private skipNow(): void {
    this.catchUp();
    if (this.connection.nextNumber < this.nextSkip) return;
    this.connection.nextNumber++;
    this.log.state[this.log.append()] = PACKET.skipped;
    this.nextSkip = this.pickSkip(this.log.next);
  }

  private record(size: number, offset: number, length: number, now: number): void {
    const { log, rate } = this;
    while (log.next < this.connection.nextNumber - 1) log.state[log.append()] = PACKET.acked;
    if (rate.inflight === 0) {
      if (rate.isAppLimited) this.controller.onRestartFromIdle(now);
      if (this.probeCount === 0) this.askedAt = now;
      this.firstSentAt = Math.min(this.firstSentAt, now);
    }
    const slot = log.append();
    log.offset[slot] = offset;
    log.length[slot] = length;
    rate.onSent(log, slot, size, now);
    // Who woke late may catch up.
    const from = Math.max(this.nextSendAt, now - Math.max(QUANTUM_TIME, this.quantumTime()));
    this.nextSendAt = from + size / this.pacingRate();
  }

  private pacingRate(): number {
    return Math.min(this.controller.pacingRate, this.options.rateLimit ?? Infinity);
  }

  private quantumTime(): number {
    const share = this.roundTrip.isKnown ? this.roundTrip.least / QUANTA_A_ROUND : 0;
    const time = Math.min(QUANTUM_TIME_LONG, Math.max(QUANTUM_TIME, share));
    return Math.min(time, QUANTUM_BYTES / this.pacingRate());
  }

  private produceIdle(into: Buffer, now: number): number {
    if (now < Math.max(this.connection.lastSentAt, this.heardAt) + KEEPALIVE_EVERY) return 0;
    const length = this.connection.produceKeepalive(into, now, OVERHEAD + TAG_LENGTH);
    this.catchUp();
    return length;
  }

  /** When `produce` may next have something, if nothing arrives before. */
  wakeAt(): number {
    const shared = this.connection.wakeForShared();
    if (this.isDone || this.connection.paths.active < 0) return shared;
    const idle = Math.max(this.connection.lastSentAt, this.heardAt) + KEEPALIVE_EVERY;
    return Math.min(
      shared,
      this.losses.dueAt,
      this.probeAt(),
      this.nextPausedAt,
      this.dataAt(),
      idle,
      this.silenceAt(),
    );
  }

  private silenceAt(): number {
    if (this.firstSentAt === Infinity) return Infinity;
    // A receiver that waits with us (a hold over night) sends keepalives.
    return Math.max(this.firstSentAt, this.connection.lastReceivedAt) + (this.options.silenceLimit ?? SILENCE_LIMIT);
  }

  private dataAt(): number {
    const size = this.mtu.size;
    if (this.probeCount > 0 || this.rate.inflight + size > this.controller.window) return Infinity;
    if (!this.connection.paths.allows(size)) return Infinity;
    if (!this.pieces.hasLost() && this.newLength() === 0) return Infinity;
    return this.nextSendAt;
  }
}
