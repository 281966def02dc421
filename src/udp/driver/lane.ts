/** One stream on a socket: the engine, its ring, and what its user is told. Runs in the thread of the socket. */
import { randomBytes } from 'node:crypto';
import { makeController } from '../congestion/make.ts';
import type { PolicyName } from '../congestion/make.ts';
import { TransferReceiver } from '../engine/receiver.ts';
import { TransferSender } from '../engine/sender.ts';
import type { CipherMaker } from '../wire/sealing.ts';
import type { Close, CloseReason, Paused } from '../wire/control.ts';
import { DATAGRAM_ETHERNET } from '../wire/sizes.ts';
import { BlockRing } from './block-ring.ts';
import type { FromSocket, OpenStream, StreamFigures } from './messages.ts';

export interface LaneParts {
  readonly open: OpenStream;
  readonly cipher: CipherMaker;
  readonly now: number;
  readonly provenPath: number | null;
  readonly isKnown: (path: number) => boolean;
  readonly tell: (message: FromSocket) => void;
}

export type Engine = TransferSender | TransferReceiver;

/**
 * The user is told that the stream has come further when it is so much of the ring, or so many microseconds later: each
 * message wakes another thread.
 */
const TELL_SHARE = 1 / 16;
const TELL_EVERY = 50_000;
const FIGURES_EVERY = 200_000;
const SHOW_YOURSELF = 5_000_000;
/** The handshake that tells the round trip may have ended at a proxy near by: a short one makes nobody impatient. */
const GUESS_LEAST = 60_000;

export class Lane {
  readonly stream: number;
  readonly engine: Engine;
  private readonly tell: (message: FromSocket) => void;
  private readonly ring: BlockRing;
  private readonly end: number;
  private readonly random = (): number => randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
  private readonly sender: TransferSender | null;
  private readonly receiver: TransferReceiver | null;
  /** send: filled by the user. receive: taken by the user. */
  private moved = 0;
  private reached = 0;
  private told = 0;
  private tellAt = 0;
  private figuresAt = 0;
  private pausedTold: Paused | null = null;
  private endTold = false;
  /** Told to the peer once everything that was filled before it is out: later data would take it back. */
  private pausing: Paused | null = null;
  /** A peer that has not shown where it is cannot be told: so long it is waited for. */
  private closing: (Close & { readonly by: number }) | null = null;

  constructor({ open, cipher, now, provenPath, isKnown, tell }: LaneParts) {
    this.stream = open.stream;
    this.tell = tell;
    this.end = open.end;
    this.ring = new BlockRing(open.ring);
    const transfer = { secret: Buffer.from(open.secret), connectionId: Buffer.from(open.connectionId) };
    const connection = { transfer, side: open.side, cipher, randomBytes, provenPath, isKnown };
    this.sender = open.role === 'send' ? this.makeSender(open, connection, now) : null;
    this.receiver =
      open.role === 'receive'
        ? new TransferReceiver({ connection, sink: this, window: this.ring.size, end: open.end })
        : null;
    this.engine = this.sender ?? (this.receiver as TransferReceiver);
  }

  private makeSender(
    open: OpenStream,
    connection: ConstructorParameters<typeof TransferSender>[0]['connection'],
    now: number,
  ): TransferSender {
    const { policy, rateLimit, rttGuess, end } = open;
    const guess = rttGuess === null || rttGuess < GUESS_LEAST ? {} : { rttGuess };
    return new TransferSender({
      connection,
      controller: this.controller(policy, rateLimit, guess, now),
      source: this,
      end,
      random: this.random,
      ...guess,
      ...(rateLimit === null ? {} : { rateLimit }),
    });
  }

  private controller(policy: PolicyName, rateLimit: number | null, guess: { rttGuess?: number }, now: number) {
    const target = policy === 'fixed' && rateLimit !== null ? { target: rateLimit } : {};
    return makeController(policy, { mss: DATAGRAM_ETHERNET, random: this.random, now, ...guess, ...target });
  }

  get memory(): SharedArrayBuffer {
    return this.ring.memory;
  }

  // --- StreamSource

  get readableBelow(): number {
    return this.moved;
  }

  read(offset: number, into: Buffer, at: number, length: number): void {
    this.ring.read(offset, into, at, length);
  }

  settled(below: number): void {
    this.reach(below);
  }

  // --- StreamSink

  write(offset: number, from: Buffer, start: number, end: number): void {
    // A sender within its limit never comes here; this is what keeps one that is not from overwriting what waits.
    if (offset + (end - start) > this.moved + this.ring.size) {
      this.engine.connection.close('limit-exceeded', 'data lies beyond what was let in');
      return;
    }
    this.ring.write(offset, from, start, end);
  }

  /** What arrived without a gap is the user's; after a batch of datagrams. */
  arrived(): void {
    const stream = this.receiver?.stream;
    if (stream !== undefined && stream.count > 0 && stream.low(0) === 0) this.reach(stream.high(0) + 1);
  }

  // --- from the user

  fill(below: number): void {
    this.moved = below;
  }

  take(below: number): void {
    this.receiver?.written(below - this.moved);
    this.moved = below;
  }

  pause(paused: Paused | null): void {
    this.pausing = paused;
    if (paused === null) this.sender?.resume();
  }

  close(reason: CloseReason, text: string): void {
    this.closing ??= { reason, text, by: SHOW_YOURSELF + performance.now() * 1000 };
  }

  // --- to the user

  /** Tells what is due; true when the stream is over and its last word was sent. */
  report(now: number): boolean {
    this.pauseWhenOut();
    this.closeWhenHeard(now);
    const over = this.engine.connection.ended;
    // Who ended it is not kept waiting for a peer that has yet to show itself, and be told.
    const ended = over ?? (this.closing === null ? null : { ...this.closing, by: 'us' as const });
    if (this.receiver !== null) this.reportPaused(this.receiver.paused);
    if (ended !== null && !this.endTold) {
      this.endTold = true;
      this.tellReached();
      const { reason, text, by } = ended;
      this.tell({ kind: 'ended', stream: this.stream, end: { reason, text, by }, figures: this.figures() });
    } else if (ended === null && now >= this.tellAt) {
      this.tellAt = now + TELL_EVERY;
      this.tellReached();
    }
    if (ended === null && now >= this.figuresAt) {
      this.figuresAt = now + FIGURES_EVERY;
      this.tell({ kind: 'figures', stream: this.stream, figures: this.figures() });
    }
    return over !== null && this.engine.wakeAt() === Infinity;
  }

  /** When `report` may next have something to do that no datagram brings about. */
  get reportDue(): number {
    if (this.engine.connection.ended !== null) return Infinity;
    return this.closing?.by ?? this.figuresAt;
  }

  private pauseWhenOut(): void {
    if (this.pausing === null || this.sender === null || this.sender.pieces.nextNew < this.moved) return;
    this.sender.pause(this.pausing);
    this.pausing = null;
  }

  private closeWhenHeard(now: number): void {
    const { closing, engine } = this;
    if (closing === null || (engine.connection.paths.active < 0 && now < closing.by)) return;
    this.closing = null;
    engine.connection.close(closing.reason, closing.text);
  }

  private reach(below: number): void {
    this.reached = below;
    if (below - this.told >= this.ring.size * TELL_SHARE || (below === this.end && this.told < below))
      this.tellReached();
  }

  private tellReached(): void {
    if (this.reached === this.told) return;
    this.told = this.reached;
    this.tell({ kind: 'reached', stream: this.stream, below: this.reached });
  }

  private reportPaused(paused: Paused | null): void {
    if (paused?.reference === this.pausedTold?.reference && paused?.cause === this.pausedTold?.cause) return;
    this.pausedTold = paused;
    this.tell({ kind: 'paused', stream: this.stream, paused });
  }

  private figures(): StreamFigures {
    const { connection } = this.engine;
    const { sender } = this;
    const wire = { sentBytes: connection.bytesOut, receivedBytes: connection.bytesIn };
    if (sender === null) {
      const { received: bytes = 0, path } = this.receiver ?? {};
      const { roundTrip = null, loss = null } = path ?? {};
      return { ...wire, bytes, resentBytes: 0, roundTrip, loss, phase: null, pacing: null };
    }
    const { controller, roundTrip, pieces } = sender;
    return {
      ...wire,
      bytes: pieces.settledBytes,
      resentBytes: pieces.resentBytes,
      roundTrip: roundTrip.isKnown ? roundTrip.least : null,
      loss: controller.lossBaseline,
      phase: controller.phase,
      pacing: controller.pacingRate,
    };
  }
}
