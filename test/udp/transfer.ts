/** A transfer of ours over simulated links: the real sender, receiver, wire and congestion control, driven in virtual time. */
import { randomBytes } from 'node:crypto';
import type { Controller } from '../../src/udp/congestion/controller.ts';
import { makeController } from '../../src/udp/congestion/make.ts';
import type { PolicyName } from '../../src/udp/congestion/make.ts';
import { TransferReceiver } from '../../src/udp/engine/receiver.ts';
import type { ReceiverOptions, StreamSink } from '../../src/udp/engine/receiver.ts';
import { TransferSender } from '../../src/udp/engine/sender.ts';
import type { SenderOptions, StreamSource } from '../../src/udp/engine/sender.ts';
import type { CipherMaker } from '../../src/udp/wire/sealing.ts';
import { DATAGRAM_ETHERNET, DATAGRAM_MAX, HEADER_LENGTH, TAG_LENGTH } from '../../src/udp/wire/sizes.ts';
import { Link } from './link.ts';
import type { LinkOptions } from './link.ts';
import { Alarm, seeded, VirtualTime } from './virtual-time.ts';

export const MS = 1000;
export const SECOND = 1_000_000;
const UDP_IP = 28;

/** Marks instead of encrypting: simulations measure congestion control, and crypto would be most of their time. */
export const markCipher: CipherMaker = (key) => ({
  seal(datagram, bodyEnd, nonce) {
    datagram.fill(0, bodyEnd, bodyEnd + TAG_LENGTH);
    datagram.writeUInt32BE((nonce.readUInt32BE(8) ^ key.readUInt32BE(0)) >>> 0, bodyEnd);
    datagram.writeUInt32BE(datagram.readUInt32BE(HEADER_LENGTH - 16), bodyEnd + 4);
  },
  open(datagram, length, nonce) {
    const bodyEnd = length - TAG_LENGTH;
    return (
      datagram.readUInt32BE(bodyEnd) === (nonce.readUInt32BE(8) ^ key.readUInt32BE(0)) >>> 0 &&
      datagram.readUInt32BE(bodyEnd + 4) === datagram.readUInt32BE(HEADER_LENGTH - 16)
    );
  },
});

/** The bottleneck that flows share. */
export class Bottleneck {
  readonly time = new VirtualTime();
  readonly random: () => number;
  readonly forward: Link;
  readonly rtt: number;

  constructor(options: Partial<LinkOptions> & { mbit: number; rtt: number; bdps?: number; seed?: number }) {
    this.random = seeded(options.seed ?? 1);
    this.rtt = options.rtt;
    const bdp = (options.mbit / 8) * options.rtt;
    const buffer = options.buffer ?? Math.max((options.bdps ?? 1) * bdp, 10_000);
    this.forward = new Link(this.time, this.random, { ...options, delay: options.rtt / 2, buffer });
  }

  back(options: Partial<LinkOptions> = {}): Link {
    return new Link(this.time, this.random, { mbit: 1000, delay: this.rtt / 2, buffer: 0, ...options });
  }
}

export interface TransferOptions {
  readonly policy?: PolicyName;
  readonly controller?: (options: { random: () => number; now: number }) => Controller;
  readonly startAt?: number;
  readonly bytes?: number;
  readonly window?: number;
  readonly back?: Partial<LinkOptions>;
  readonly sender?: Partial<SenderOptions>;
  readonly receiver?: Partial<ReceiverOptions>;
  readonly cipher?: CipherMaker;
  readonly extraDelay?: number;
  /** Sees each datagram before the link; false drops it. */
  readonly tap?: (datagram: Buffer, length: number, direction: 'forward' | 'back') => boolean;
  readonly source?: StreamSource;
  readonly sink?: StreamSink;
  readonly target?: number;
}

const ENDLESS = 2 ** 46;

export class Transfer {
  readonly sender: TransferSender;
  readonly receiver: TransferReceiver;
  readonly back: Link;
  private readonly bottleneck: Bottleneck;
  private readonly options: TransferOptions;
  private readonly buffer = Buffer.alloc(DATAGRAM_MAX);
  private readonly pool: Buffer[] = [];
  private readonly senderAlarm: Alarm;
  private readonly receiverAlarm: Alarm;
  datagrams = 0;
  /** When the sender saw it complete. */
  doneAt = Infinity;

  constructor(bottleneck: Bottleneck, options: TransferOptions = {}) {
    const { time, random } = bottleneck;
    this.bottleneck = bottleneck;
    this.options = options;
    this.back = bottleneck.back(options.back);
    const transfer = { secret: randomBytes(32), connectionId: randomBytes(8) };
    const cipher = options.cipher ?? markCipher;
    const seededBytes = (length: number): Buffer =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    const now = options.startAt ?? 0;
    const end = options.bytes ?? ENDLESS;
    const settings = { random, now };
    const controller =
      options.controller?.(settings) ??
      makeController(options.policy ?? 'fair', {
        ...settings,
        mss: DATAGRAM_ETHERNET,
        ...(options.target === undefined ? {} : { target: options.target }),
      });
    const base = { transfer, cipher, randomBytes: seededBytes, provenPath: 0 };
    this.sender = new TransferSender({
      connection: { ...base, side: 'client' },
      controller,
      source: options.source ?? { readableBelow: end, read: () => undefined, settled: () => undefined },
      end,
      random,
      ...options.sender,
    });
    let received = 0;
    const receiver: TransferReceiver = new TransferReceiver({
      connection: { ...base, side: 'server' },
      sink: options.sink ?? {
        write: (_offset, _from, start, stop) => {
          received += stop - start;
        },
      },
      window: options.window ?? 256 * 2 ** 20,
      ...options.receiver,
    });
    this.receiver = receiver;
    this.written = () => {
      if (options.sink !== undefined || received === 0) return;
      receiver.written(received);
      received = 0;
    };
    this.senderAlarm = new Alarm(time, () => {
      this.pumpSender();
    });
    this.receiverAlarm = new Alarm(time, () => {
      this.pumpReceiver();
    });
    time.at(now, () => {
      this.pumpSender();
      this.pumpReceiver();
    });
  }

  private readonly written: () => void;

  pumpSender(): void {
    const { time, forward } = this.bottleneck;
    for (let length; (length = this.sender.produce(this.buffer, time.now)) > 0;) {
      this.datagrams++;
      if (this.options.tap?.(this.buffer, length, 'forward') === false) continue;
      const copy = this.take(length);
      const size = length;
      forward.send(size + UDP_IP, () => {
        this.receiver.receive(copy, size, time.now, 0);
        this.pool.push(copy);
        this.written();
        this.pumpReceiver();
      });
    }
    if (this.sender.isDone && this.doneAt === Infinity) this.doneAt = time.now;
    this.senderAlarm.set(this.sender.wakeAt());
  }

  pumpReceiver(): void {
    const { time } = this.bottleneck;
    for (let length; (length = this.receiver.produce(this.buffer, time.now)) > 0;) {
      if (this.options.tap?.(this.buffer, length, 'back') === false) continue;
      const copy = this.take(length);
      const size = length;
      this.back.send(size + UDP_IP, () => {
        this.sender.receive(copy, size, time.now, 0);
        this.pool.push(copy);
        this.pumpSender();
      });
    }
    this.receiverAlarm.set(this.receiver.wakeAt());
  }

  private take(length: number): Buffer {
    const copy = this.pool.pop() ?? Buffer.alloc(DATAGRAM_ETHERNET);
    const target = copy.length < length ? Buffer.alloc(DATAGRAM_MAX) : copy;
    this.buffer.copy(target, 0, 0, length);
    return target;
  }

  /** Bytes of the stream that arrived. */
  get received(): number {
    return this.receiver.received;
  }
}

/** rate x 1448/1514 x (1 - loss), in bytes per microsecond: what fast-transfer.md calls best. */
export function best(mbit: number, loss = 0): number {
  return (mbit / 8) * (1448 / 1514) * (1 - loss);
}
