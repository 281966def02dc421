/** The portable backend: node:dgram, a datagram at a time. `receive` waits on the event loop. */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import type { Arrived, DatagramSocket, Peer } from './datagram-socket.ts';
import { PeerNames } from './peer-names.ts';
import { AF_INET6, familyOf, readName, writeName } from './socket-address.ts';
import type { Family } from './socket-address.ts';

interface Waiting {
  readonly datagram: Buffer;
  readonly from: Peer;
}

const KERNEL_BUFFER = 8 * 2 ** 20;
/** Between two calls of `receive`; what comes beyond is lost, as in a full buffer of the system. */
const QUEUE_BYTES = 16 * 2 ** 20;
/** What Node keeps of what the system did not take at once. */
const UNSENT_BYTES = 2 ** 20;

export class DgramSocket implements DatagramSocket {
  readonly backend = 'dgram';
  readonly abilities = 'one by one';
  readonly address: string;
  readonly port: number;
  readonly unfragmented = false;
  readonly wakeDescriptor = null;
  readonly batchBytes = 16 * 1472;
  private readonly socket: Socket;
  private readonly family: Family;
  private readonly names = new PeerNames((name) => ({ ...readName(name), name }));
  private queue: Waiting[] = [];
  private queued = 0;
  private unsent = 0;
  private resume: (() => void) | null = null;
  private woken = false;
  private closed = false;

  static async open(address: string, port: number): Promise<DgramSocket> {
    const family = familyOf(address);
    const socket = createSocket({ type: family === AF_INET6 ? 'udp6' : 'udp4' });
    socket.bind(port, address);
    await once(socket, 'listening');
    return new DgramSocket(socket, family);
  }

  private constructor(socket: Socket, family: Family) {
    this.socket = socket;
    this.family = family;
    ({ address: this.address, port: this.port } = socket.address());
    for (const set of [
      () => {
        socket.setRecvBufferSize(KERNEL_BUFFER);
      },
      () => {
        socket.setSendBufferSize(KERNEL_BUFFER);
      },
    ])
      attempt(set);
    socket.on('message', (datagram, { address, port: from }) => {
      if (this.queued + datagram.length > QUEUE_BYTES) return;
      this.queued += datagram.length;
      this.queue.push({ datagram, from: this.peer(address, from) });
      this.end();
    });
    // Of one datagram, or of ICMP about one: lost, as any may be.
    socket.on('error', () => undefined);
  }

  peer(address: string, port: number): Peer {
    return this.names.of(writeName(address, port, this.family));
  }

  slab(bytes: number): Buffer {
    return Buffer.alloc(bytes);
  }

  send(to: Peer, slab: Buffer, offset: number, length: number, size: number): number {
    let at = 0;
    // A socket of IPv6 speaks to IPv4 by mapped addresses, and does not take them unmapped.
    const address = this.family === AF_INET6 && isIPv4(to.address) ? `::ffff:${to.address}` : to.address;
    while (at < length && this.unsent < UNSENT_BYTES) {
      const bytes = Math.min(size, length - at);
      // Node reads it later: the slab is the caller's again when this returns.
      const copy = Buffer.from(slab.subarray(offset + at, offset + at + bytes));
      this.unsent += bytes;
      this.socket.send(copy, to.port, address, () => {
        this.unsent -= bytes;
      });
      at += bytes;
    }
    return at;
  }

  async receive(milliseconds: number, arrived: Arrived): Promise<void> {
    if (this.queue.length === 0 && !this.woken) await this.wait(milliseconds);
    this.woken = false;
    const { queue } = this;
    this.queue = [];
    this.queued = 0;
    for (const { datagram, from } of queue) arrived(datagram, 0, datagram.length, datagram.length, from);
  }

  wake(): void {
    this.woken = true;
    this.end();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    this.wake();
  }

  private wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      // Below a millisecond a timer is too coarse: once round the loop, which takes what has come.
      const timer =
        milliseconds < 1
          ? null
          : setTimeout(() => {
              this.end();
            }, milliseconds);
      this.resume = () => {
        if (timer !== null) clearTimeout(timer);
        resolve();
      };
      if (timer === null)
        setImmediate(() => {
          this.end();
        });
    });
  }

  private end(): void {
    const { resume } = this;
    this.resume = null;
    resume?.();
  }
}

/** The system may not let us have that much; the buffer is then as large as it lets. */
function attempt(set: () => void): void {
  try {
    set();
  } catch {
    return;
  }
}
