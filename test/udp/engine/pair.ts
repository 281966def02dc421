/** A sender and a receiver joined by hand: what one produces is kept, and given, lost or changed as a test likes. */
import { randomBytes } from 'node:crypto';
import { makeController } from '../../../src/udp/congestion/make.ts';
import { TransferReceiver } from '../../../src/udp/engine/receiver.ts';
import type { ReceiverOptions } from '../../../src/udp/engine/receiver.ts';
import { TransferSender } from '../../../src/udp/engine/sender.ts';
import type { SenderOptions } from '../../../src/udp/engine/sender.ts';
import { nodeCipher } from '../../../src/udp/wire/node-cipher.ts';
import { DirectionKeys } from '../../../src/udp/wire/sealing.ts';
import type { Direction } from '../../../src/udp/wire/sealing.ts';
import { DATAGRAM_MAX } from '../../../src/udp/wire/sizes.ts';

export interface PairOptions {
  readonly file?: Buffer;
  readonly sender?: Partial<SenderOptions>;
  readonly receiver?: Partial<ReceiverOptions>;
  /** Which end is the server's, and so does not know the peer beforehand. */
  readonly server?: 'sender' | 'receiver';
  readonly readableBelow?: number;
  /** Paths that the server has proven otherwise. */
  readonly known?: readonly number[];
}

export class Pair {
  readonly transfer = { secret: randomBytes(32), connectionId: randomBytes(8) };
  readonly sender: TransferSender;
  readonly receiver: TransferReceiver;
  readonly file: Buffer;
  readonly copy: Buffer;
  readableBelow: number;
  settledBelow = 0;
  now = 1_000_000;
  private readonly buffer = Buffer.alloc(DATAGRAM_MAX);
  private readonly server: 'sender' | 'receiver';

  constructor(options: PairOptions = {}) {
    this.file = options.file ?? randomBytes(300_000);
    this.copy = Buffer.alloc(this.file.length);
    this.readableBelow = options.readableBelow ?? this.file.length;
    this.server = options.server ?? 'receiver';
    const connection = (end: 'sender' | 'receiver') => ({
      transfer: this.transfer,
      side: this.sideOf(end),
      cipher: nodeCipher,
      randomBytes,
      provenPath: this.server === end ? null : 0,
      isKnown: (path: number) => this.server === end && options.known?.includes(path) === true,
    });
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the source is read through this pair
    const pair = this;
    this.sender = new TransferSender({
      connection: connection('sender'),
      controller: makeController('fair', { mss: 1472, random: Math.random, now: this.now }),
      source: {
        get readableBelow() {
          return pair.readableBelow;
        },
        read: (offset, into, at, length) => {
          this.file.copy(into, at, offset, offset + length);
        },
        settled: (below) => {
          this.settledBelow = below;
        },
      },
      end: this.file.length,
      random: Math.random,
      ...options.sender,
    });
    this.receiver = new TransferReceiver({
      connection: connection('receiver'),
      sink: {
        write: (offset, from, start, end) => {
          from.copy(this.copy, offset, start, end);
          this.receiver.written(end - start);
        },
      },
      window: 4 * 2 ** 20,
      ...options.receiver,
    });
  }

  private sideOf(end: 'sender' | 'receiver'): Direction {
    return this.server === end ? 'server' : 'client';
  }

  /** Everything an end has to say now. */
  say(end: 'sender' | 'receiver'): Buffer[] {
    const said: Buffer[] = [];
    for (let length; (length = this[end].produce(this.buffer, this.now)) > 0;) {
      said.push(Buffer.from(this.buffer.subarray(0, length)));
    }
    return said;
  }

  /** Gives datagrams to an end, as copies: they are opened in place. */
  give(end: 'sender' | 'receiver', datagrams: readonly Buffer[], path = 0): void {
    for (const datagram of datagrams) this[end].receive(Buffer.from(datagram), datagram.length, this.now, path);
  }

  /** Turns of 5 ms each in which everything arrives, unless `filter` says otherwise. */
  run(turns: number, filter: (datagram: Buffer, to: 'sender' | 'receiver') => boolean = () => true): void {
    for (let turn = 0; turn < turns; turn++) {
      this.give(
        'receiver',
        this.say('sender').filter((datagram) => filter(datagram, 'receiver')),
      );
      this.now += 2500;
      this.give(
        'sender',
        this.say('receiver').filter((datagram) => filter(datagram, 'sender')),
      );
      this.now += 2500;
    }
  }

  /** A datagram as an end would seal it, to lie with: whoever is authentic may still be malicious. */
  seal(end: 'sender' | 'receiver', bodyEnd: number, build: (into: Buffer) => void): Buffer {
    const into = Buffer.alloc(DATAGRAM_MAX);
    build(into);
    const length = new DirectionKeys(this.transfer, this.sideOf(end), nodeCipher).seal(into, bodyEnd);
    return into.subarray(0, length);
  }
}
