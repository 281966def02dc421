/**
 * What both ends of a transfer share: keys of both directions, numbers, replay, paths, closing. Everything that is not
 * authentic, new and well-formed changes nothing here but a counter, and is never answered.
 */
import { readChallenge, readClose, writeChallenge, writeClose, writeZeros } from '../wire/control.ts';
import type { Close, CloseReason } from '../wire/control.ts';
import { isOfConnection, KIND, kindOf, packetNumberOf, writeHeader } from '../wire/header.ts';
import type { Kind } from '../wire/header.ts';
import { ReplayWindow } from '../wire/replay-window.ts';
import { DirectionKeys } from '../wire/sealing.ts';
import type { CipherMaker, Direction, TransferSecret } from '../wire/sealing.ts';
import { CHALLENGE_LENGTH, DATAGRAM_BASE, HEADER_LENGTH, OVERHEAD } from '../wire/sizes.ts';
import { Paths } from './paths.ts';

const CHALLENGE_SIZE = OVERHEAD + CHALLENGE_LENGTH;
const CLOSE_TIMES = 3;
/** Twice soon, as who says it may be about to leave; once more for a path that was busy. */
const CLOSE_SOON = 10_000;
const CLOSE_LATE = 100_000;
export const KEEPALIVE_EVERY = 15_000_000;

export interface ConnectionOptions {
  readonly transfer: TransferSecret;
  readonly side: Direction;
  readonly cipher: CipherMaker;
  readonly randomBytes: (length: number) => Buffer;
  /** See PathsOptions. A server's may be proven too, when the control channel came from the same address. */
  readonly provenPath: number | null;
  readonly isKnown?: ((path: number) => boolean) | undefined;
}

export interface Refusals {
  /** Not of this connection, not well-formed, or from where nobody was expected. */
  foreign: number;
  forged: number;
  replayed: number;
  malformed: number;
  /** Authentic feedback that came oftener than anybody asked for. */
  excess: number;
}

export class Connection {
  readonly paths: Paths;
  readonly refused: Refusals = { foreign: 0, forged: 0, replayed: 0, malformed: 0, excess: 0 };
  bytesIn = 0;
  bytesOut = 0;
  lastReceivedAt = -Infinity;
  lastSentAt = -Infinity;
  /** Where what `produce` wrote last has to go. */
  sendTo = -1;
  /** How the connection ended; null while it goes on. */
  ended: (Close & { readonly by: 'us' | 'peer' }) | null = null;
  /** Every datagram has its own number, whatever its kind. */
  nextNumber = 0;

  private readonly sealing: DirectionKeys;
  private readonly opening: DirectionKeys;
  private readonly replay = new ReplayWindow();
  private readonly connectionId: Buffer;
  private closesLeft = 0;
  private nextCloseAt = -Infinity;

  constructor(options: ConnectionOptions) {
    const { transfer, side, cipher, provenPath, isKnown, randomBytes } = options;
    this.sealing = new DirectionKeys(transfer, side, cipher);
    this.opening = new DirectionKeys(transfer, side === 'client' ? 'server' : 'client', cipher);
    this.connectionId = transfer.connectionId;
    this.paths = new Paths({ provenPath, isKnown, followsPeer: side === 'server', randomBytes });
  }

  /**
   * Opens a datagram in place. Its kind when it is authentic and new; 0 when it is to be forgotten. Challenges, responses
   * and closes are dealt with here and come back as their kind too.
   */
  accept(datagram: Buffer, length: number, now: number, path: number): Kind | 0 {
    const kind = kindOf(datagram, length);
    if (kind === 0 || !isOfConnection(datagram, this.connectionId) || !this.paths.listensTo(path)) {
      this.refused.foreign++;
      return 0;
    }
    const packetNumber = packetNumberOf(datagram);
    if (!this.replay.isNew(packetNumber)) {
      this.refused.replayed++;
      return 0;
    }
    if (!this.opening.open(datagram, length)) {
      this.refused.forged++;
      return 0;
    }
    const isNewest = packetNumber > this.replay.top;
    this.replay.take(packetNumber);
    this.bytesIn += length;
    this.lastReceivedAt = now;
    this.paths.onReceived(path, length, isNewest);
    this.takeShared(kind, datagram, length, path);
    return kind;
  }

  private takeShared(kind: Kind, datagram: Buffer, length: number, path: number): void {
    if (kind === KIND.challenge || kind === KIND.response) {
      const value = readChallenge(datagram, length);
      if (value === null) this.refused.malformed++;
      else if (kind === KIND.challenge) this.paths.onChallenge(path, value);
      else this.paths.onResponse(path, value);
    } else if (kind === KIND.close) {
      const close = readClose(datagram, length);
      if (close === null) this.refused.malformed++;
      else this.ended ??= { ...close, by: 'peer' };
    }
  }

  /** The peer is authentic, but what it sent is not of the protocol: nothing more is to be expected of it. */
  malformed(what: string): void {
    this.refused.malformed++;
    this.close('malformed', what);
  }

  close(reason: CloseReason, text: string): void {
    if (this.ended !== null) return;
    this.ended = { reason, text, by: 'us' };
    this.closesLeft = CLOSE_TIMES;
  }

  begin(into: Buffer, kind: Kind, flags: number): number {
    const packetNumber = this.nextNumber++;
    writeHeader(into, kind, flags, packetNumber, this.connectionId);
    return packetNumber;
  }

  /** Seals for the active path, and counts. */
  finish(into: Buffer, bodyEnd: number, now: number): number {
    const length = this.sealing.seal(into, bodyEnd);
    this.paths.onSent(length);
    this.sendTo = this.paths.active;
    return this.counted(length, now);
  }

  private counted(length: number, now: number): number {
    this.bytesOut += length;
    this.lastSentAt = now;
    return length;
  }

  /** A challenge, response or close that is due; 0 when none is. `number` hears of each number used. */
  produceShared(into: Buffer, now: number): number {
    const due = this.paths.takeDue(now, CHALLENGE_SIZE);
    if (due !== null) {
      this.begin(into, KIND[due.kind], 0);
      const length = this.sealing.seal(into, writeChallenge(into, due.value, 0));
      this.sendTo = due.path;
      return this.counted(length, now);
    }
    return this.produceClose(into, now);
  }

  private produceClose(into: Buffer, now: number): number {
    const { ended } = this;
    if (ended === null || this.closesLeft === 0 || now < this.nextCloseAt) return 0;
    if (!this.paths.allows(OVERHEAD + 3 + ended.text.length)) return 0;
    this.closesLeft--;
    this.nextCloseAt = now + (this.closesLeft > 1 ? CLOSE_SOON : CLOSE_LATE);
    this.begin(into, KIND.close, 0);
    return this.finish(into, writeClose(into, ended), now);
  }

  /** A keepalive; `size` pads it, so that an unproven peer may be answered with as much. 0 when it may not be sent. */
  produceKeepalive(into: Buffer, now: number, size: number): number {
    if (!this.paths.allows(Math.max(size, OVERHEAD))) return 0;
    this.begin(into, KIND.keepalive, 0);
    return this.finish(into, writeZeros(into, HEADER_LENGTH, Math.min(size, DATAGRAM_BASE)), now);
  }

  wakeForShared(): number {
    const paths = this.paths.wakeAt(CHALLENGE_SIZE);
    return this.closesLeft > 0 && this.paths.active >= 0 ? Math.min(paths, this.nextCloseAt) : paths;
  }
}
