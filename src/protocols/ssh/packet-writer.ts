/**
 * Seals packets and gives them to the socket, one gathered write per turn of the event loop. Keeps count of what the
 * socket has not taken yet, so that senders can be told to wait.
 */
import type { Socket } from 'node:net';
import { PlainSealer, type PacketSealer } from './packet-cipher.ts';

/** Above this `full` is true; `drained` waits until half of it is left, so that the socket never runs dry meanwhile. */
export const OUTPUT_BOUND = 1024 * 1024;
/** Handed to the socket at once, so that the peer can begin on it while the rest is sealed. */
const GATHER_MAX = 256 * 1024;
/** Less than this is joined into one buffer: cheaper than a vector of tiny ones. */
const JOIN_MAX = 8 * 1024;

export class PacketWriter {
  sequence = 0;
  /** Since the last change of keys. */
  bytes = 0;
  packets = 0;
  private sealer: PacketSealer = new PlainSealer();
  private readonly socket: Socket;
  private gathered: Buffer[] = [];
  private gatheredBytes = 0;
  private inSocket = 0;
  private scheduled = false;
  private waiters: (() => void)[] = [];
  private ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  get full(): boolean {
    return this.gatheredBytes + this.inSocket > OUTPUT_BOUND;
  }

  /** Bytes outside any packet: the version line. */
  raw(bytes: Buffer): void {
    this.gathered.push(bytes);
    this.gather(bytes.length);
  }

  packet(parts: readonly Buffer[]): void {
    if (this.ended) return;
    const bytes = this.sealer.seal(this.sequence, parts, this.gathered);
    this.sequence = (this.sequence + 1) >>> 0;
    this.packets += 1;
    this.bytes += bytes;
    this.gather(bytes);
  }

  changeKeys(sealer: PacketSealer, resetSequence: boolean): void {
    this.sealer = sealer;
    this.bytes = 0;
    this.packets = 0;
    if (resetSequence) this.sequence = 0;
  }

  drained(): Promise<void> {
    if (this.ended || this.gatheredBytes + this.inSocket <= OUTPUT_BOUND / 2) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Gives what is gathered to the socket, and nothing after it. */
  end(): void {
    this.flush();
    this.ended = true;
    this.wake();
  }

  private gather(bytes: number): void {
    this.gatheredBytes += bytes;
    if (this.gatheredBytes >= GATHER_MAX) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      // After the poll phase: replies to all that came in together, and to disk reads that ended together, leave together.
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  private flush(): void {
    const bytes = this.gatheredBytes;
    if (bytes === 0 || this.ended) return;
    const buffers = this.gathered;
    this.gathered = [];
    this.gatheredBytes = 0;
    this.inSocket += bytes;
    const taken = (): void => {
      this.inSocket -= bytes;
      if (this.gatheredBytes + this.inSocket <= OUTPUT_BOUND / 2) this.wake();
    };
    if (bytes <= JOIN_MAX) {
      this.socket.write(buffers.length === 1 ? (buffers[0] as Buffer) : Buffer.concat(buffers, bytes), taken);
      return;
    }
    this.socket.cork();
    const last = buffers.length - 1;
    for (let i = 0; i < last; i++) this.socket.write(buffers[i] as Buffer);
    this.socket.write(buffers[last] as Buffer, taken);
    this.socket.uncork();
  }

  private wake(): void {
    const waiters = this.waiters;
    if (waiters.length === 0) return;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }
}
