/**
 * A UDP socket in a thread of its own, as its user sees it: streams to write to, and streams to read from, one byte after
 * the other. What is lost, late or twice on the way is the thread's business.
 */
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Paused, CloseReason } from '../wire/control.ts';
import { BlockRing } from './block-ring.ts';
import { RingMemory } from './ring-memory.ts';
import type {
  FromSocket,
  OpenStream,
  SocketDescription,
  SocketOptions,
  StreamEnd,
  StreamFigures,
  ThreadStart,
  ToSocket,
} from './messages.ts';

export type StreamOptions = Omit<OpenStream, 'stream' | 'role' | 'ring'> & {
  /** Bytes that may be on the way: what is full at twice rate x round trip. */
  readonly window: number;
};

export interface StreamListener {
  figures?(figures: StreamFigures): void;
  /** Nothing comes for now, and why; null: it goes on. Of the receiving end. */
  paused?(paused: Paused | null): void;
}

type Ended = StreamEnd & { readonly figures: StreamFigures };

const ENTRY = new URL('socket-thread.ts', import.meta.url);
const ONE = Buffer.from(new BigUint64Array([1n]).buffer);

export class FastSocket {
  readonly description: SocketDescription;
  private readonly worker: Worker;
  private readonly posted: Int32Array;
  private readonly wakeDescriptor: number | null;
  private readonly streams = new Map<number, FastStream>();
  private readonly memory = new RingMemory();
  private made = 0;
  /** The thread has ended: resolves, or rejects with what ended it. */
  readonly closed: Promise<void>;

  /** Rejects when there is no such address here, or it is taken. */
  static async open(options: SocketOptions): Promise<FastSocket> {
    const posted = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const start: ThreadStart = { ...options, posted };
    const worker = new Worker(ENTRY, { workerData: start });
    const first = await new Promise<FromSocket>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    if (first.kind === 'ready') return new FastSocket(worker, first, new Int32Array(posted));
    await worker.terminate();
    throw new Error(first.kind === 'failed' ? first.message : 'the thread of a socket did not start');
  }

  private constructor(
    worker: Worker,
    ready: SocketDescription & { readonly wakeDescriptor: number | null },
    posted: Int32Array,
  ) {
    const { wakeDescriptor, address, port, backend, abilities, cipher, without } = ready;
    this.worker = worker;
    this.posted = posted;
    this.wakeDescriptor = wakeDescriptor;
    this.description = { address, port, backend, abilities, cipher, without };
    worker.on('message', (message: FromSocket) => {
      if ('stream' in message) this.hear(message);
    });
    this.closed = new Promise((resolve, reject) => {
      worker.once('error', (error: Error) => {
        reject(error);
      });
      worker.once('exit', () => {
        for (const stream of this.streams.values()) stream.cut();
        this.streams.clear();
        resolve();
      });
    });
    this.closed.catch(() => undefined);
  }

  private hear(message: FromSocket & { readonly stream: number }): void {
    const stream = this.streams.get(message.stream);
    if (stream === undefined) return;
    stream.hear(message);
    if (message.kind !== 'ended') return;
    this.streams.delete(message.stream);
    this.memory.letGo(stream.memory);
  }

  send(options: StreamOptions, listener: StreamListener = {}): SendingStream {
    return this.start('send', options, (parts) => new SendingStream(parts), listener);
  }

  receive(options: StreamOptions, listener: StreamListener = {}): ReceivingStream {
    return this.start('receive', options, (parts) => new ReceivingStream(parts), listener);
  }

  /** Ends every stream in order, then the thread; with streams whose goodbyes took longer than `milliseconds`. */
  async close(milliseconds = Infinity): Promise<void> {
    for (const stream of this.streams.values()) stream.end('cancelled', '');
    this.post({ kind: 'stop', within: milliseconds * 1000 });
    await this.closed.catch(() => undefined);
  }

  private start<S extends FastStream>(
    role: 'send' | 'receive',
    { window, ...options }: StreamOptions,
    make: (parts: StreamParts) => S,
    listener: StreamListener,
  ): S {
    const stream = this.made++;
    const ring = BlockRing.make(window);
    const post = (message: ToSocket): void => {
      this.post(message);
    };
    const made = make({ stream, ring: new BlockRing(ring), length: options.end, listener, post });
    this.streams.set(stream, made);
    this.post({ kind: 'open', stream, role, ring, ...options });
    return made;
  }

  private post(message: ToSocket): void {
    this.worker.postMessage(message);
    Atomics.add(this.posted, 0, 1);
    // The thread may be asleep in the system, where no message reaches it.
    if (this.wakeDescriptor !== null) wake(this.wakeDescriptor);
  }
}

interface StreamParts {
  readonly stream: number;
  readonly ring: BlockRing;
  readonly length: number;
  readonly listener: StreamListener;
  readonly post: (message: ToSocket) => void;
}

/** The thread is told how far we are when it is so much of the ring, or when nothing more can be done at once. */
const TELL_SHARE = 1 / 16;

abstract class FastStream {
  protected readonly parts: StreamParts;
  /** send: filled below. receive: taken below. */
  protected moved = 0;
  private told = 0;
  /** send: the receiver has everything below. receive: everything below has arrived. */
  reached = 0;
  protected abstract readonly word: 'filled' | 'taken';
  private endedBy: Ended | null = null;
  private changed: (() => void) | null = null;
  private resolveEnded: (ended: Ended) => void = () => undefined;
  readonly ended: Promise<Ended>;
  figures: StreamFigures | null = null;

  constructor(parts: StreamParts) {
    this.parts = parts;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  get memory(): SharedArrayBuffer {
    return this.parts.ring.memory;
  }

  /** How it ended; null while it goes on. */
  get over(): Ended | null {
    return this.endedBy;
  }

  hear(message: FromSocket): void {
    if (message.kind === 'reached') this.reached = message.below;
    else if (message.kind === 'figures') this.hearFigures(message.figures);
    else if (message.kind === 'paused') this.parts.listener.paused?.(message.paused);
    else if (message.kind === 'ended') this.finish({ ...message.end, figures: message.figures });
    this.wakeUp();
  }

  end(reason: CloseReason, text: string): void {
    this.tell();
    if (this.endedBy === null) this.parts.post({ kind: 'end', stream: this.parts.stream, reason, text });
  }

  /** The thread is gone. */
  cut(): void {
    this.finish({ reason: 'internal', text: 'the socket is gone', by: 'us', figures: this.figures ?? NO_FIGURES });
    this.wakeUp();
  }

  protected move(bytes: number, isLast: boolean): void {
    this.moved += bytes;
    if (isLast || this.moved - this.told >= this.parts.ring.size * TELL_SHARE) this.tell();
  }

  protected tell(): void {
    if (this.moved === this.told) return;
    this.told = this.moved;
    this.parts.post({ kind: this.word, stream: this.parts.stream, below: this.moved });
  }

  protected async change(): Promise<void> {
    this.tell();
    await new Promise<void>((resolve) => {
      this.changed = resolve;
    });
  }

  private wakeUp(): void {
    const { changed } = this;
    this.changed = null;
    changed?.();
  }

  private hearFigures(figures: StreamFigures): void {
    this.figures = figures;
    this.parts.listener.figures?.(figures);
  }

  private finish(ended: Ended): void {
    if (this.endedBy !== null) return;
    this.endedBy = ended;
    this.resolveEnded(ended);
  }
}

/** `cut` and `end` by the peer show in `write` as false. */
export class SendingStream extends FastStream {
  protected readonly word = 'filled';
  private telling: NodeJS.Immediate | null = null;

  /** Copies the bytes in as soon as there is room; false when the stream has ended and nobody will have them. */
  async write(bytes: Buffer): Promise<boolean> {
    const { ring, length: end } = this.parts;
    let at = 0;
    while (at < bytes.length) {
      if (this.over !== null) return false;
      const room = this.reached + ring.size - this.moved;
      if (room === 0) {
        await this.change();
        continue;
      }
      const length = Math.min(room, bytes.length - at);
      ring.write(this.moved, bytes, at, at + length);
      at += length;
      this.move(length, this.moved + length === end);
    }
    // Small files follow each other at once: they are told of together.
    this.telling ??= setImmediate(() => {
      this.telling = null;
      this.tell();
    });
    return true;
  }

  pause(why: Pick<Paused, 'cause' | 'reference'> | null): void {
    const paused = why === null ? null : { ...why, released: this.moved };
    this.tell();
    this.parts.post({ kind: 'pause', stream: this.parts.stream, paused });
  }
}

export class ReceivingStream extends FastStream {
  protected readonly word = 'taken';

  /**
   * The bytes in their order, as views that are valid until the next is asked for. Ends with the stream's last byte, or when
   * the stream ended before: `isWhole` tells which.
   */
  async *chunks(most: number): AsyncGenerator<Buffer, void, void> {
    const { ring, length } = this.parts;
    while (this.moved < length) {
      const there = Math.min(most, this.reached - this.moved);
      if (there > 0) {
        const view = ring.view(this.moved, there);
        yield view;
        this.move(view.length, this.moved + view.length === length);
      } else if (this.over === null) await this.change();
      else return;
    }
  }

  get isWhole(): boolean {
    return this.moved >= this.parts.length;
  }
}

const NO_FIGURES: StreamFigures = {
  bytes: 0,
  sentBytes: 0,
  receivedBytes: 0,
  resentBytes: 0,
  roundTrip: null,
  loss: null,
  phase: null,
  pacing: null,
};

/** An eventfd that is full is one that wakes already. */
function wake(descriptor: number): void {
  try {
    writeSync(descriptor, ONE);
  } catch {
    return;
  }
}
