/**
 * Datagrams in batches: one call of the system sends up to 64 (UDP_SEGMENT, udp(7)), one receives what came together
 * (UDP_GRO). `receive` blocks its thread: this is for a thread of its own.
 */
import type { Arrived, DatagramSocket, Peer } from './datagram-socket.ts';
import type { System } from './libc.ts';
import { PeerNames } from './peer-names.ts';
import { AF_INET6, familyOf, NAME_LENGTH, NAME_MAX, readName, writeName } from './socket-address.ts';
import type { Family } from './socket-address.ts';

/** Of the headers of Linux; the same on every architecture that Node runs on there. */
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IPPROTO_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
const IPV6_V6ONLY = 26;
/** Sets "don't fragment" and believes no ICMP: the engine probes for itself (RFC 8899). */
const PMTUDISC_PROBE = 3;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const EFD_FLAGS = 0o4000 | 0o2000000;
const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const ENOBUFS = 105;
const EMSGSIZE = 90;

const MSGHDR = 56;
const MMSGHDR = 64;
const IOVEC = 16;
/** CMSG_SPACE of an int. */
const CONTROL = 24;
const CONTROL_LENGTH_SEGMENT = 18n;

/** UDP's length field has 16 bits, IPv4's too: 65,535 - 20 - 8. */
const SEND_MAX = 65_507;
const SEGMENTS_MAX = 64;
const SLOTS = 16;
const SLOT_BYTES = 65_536;
/** Datagrams that come faster than they are taken must not keep what is due from going out. */
const CALLS_A_TURN = 8;
const WAKE_ONLY = { from: 8n, count: 1n } as const;
const ANYTHING = { from: 0n, count: 2n } as const;
const DATAGRAMS = 1;
const WOKEN = 2;
const KERNEL_BUFFER = 8 * 2 ** 20;

export class BatchSocket implements DatagramSocket {
  readonly backend = 'batch';
  readonly abilities: string;
  readonly address: string;
  readonly port: number;
  readonly unfragmented: boolean;
  readonly batchBytes = SEND_MAX;
  readonly wakeDescriptor: number;
  private readonly system: System;
  private readonly fd: number;
  private readonly family: Family;
  private readonly names: PeerNames;
  /** Off once a device refused it: then datagrams go one by one. */
  private segments: boolean;
  private closed = false;

  private readonly out: ReturnType<typeof outMessage>;
  private readonly into: ReturnType<typeof inMessages>;
  private readonly polls: { readonly buffer: Buffer; readonly address: bigint };
  private readonly eight: { readonly buffer: Buffer; readonly address: bigint };

  constructor(system: System, address: string, port: number) {
    this.system = system;
    const { libc } = system;
    this.family = familyOf(address);
    this.fd = this.checked('socket', libc.socket(this.family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    this.wakeDescriptor = libc.eventfd(0, EFD_FLAGS);
    try {
      if (this.wakeDescriptor < 0) throw this.failure('eventfd');
      if (this.family === AF_INET6) this.option(IPPROTO_IPV6, IPV6_V6ONLY, 0);
      const name = writeName(address, port, this.family);
      this.checked('bind', libc.bind(this.fd, name, name.length));
      ({ address: this.address, port: this.port } = this.ownName());
    } catch (error) {
      this.close();
      throw error;
    }
    // Larger than the system lets everybody have, where this process may; else as large as it lets.
    for (const [force, plain] of [
      [SO_SNDBUFFORCE, SO_SNDBUF],
      [SO_RCVBUFFORCE, SO_RCVBUF],
    ] as const)
      if (!this.option(SOL_SOCKET, force, KERNEL_BUFFER)) this.option(SOL_SOCKET, plain, KERNEL_BUFFER);
    const [level, discover] =
      this.family === AF_INET6 ? [IPPROTO_IPV6, IPV6_MTU_DISCOVER] : [IPPROTO_IP, IP_MTU_DISCOVER];
    this.unfragmented = this.option(level, discover, PMTUDISC_PROBE);
    if (this.family === AF_INET6) this.option(IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
    this.segments = this.option(SOL_UDP, UDP_SEGMENT, 0);
    const merges = this.option(SOL_UDP, UDP_GRO, 1);
    this.abilities = [this.segments ? ['GSO'] : [], merges ? ['GRO'] : []].flat().join(', ') || 'one by one';
    this.names = new PeerNames((bytes) => ({ ...readName(bytes), name: bytes }));
    this.eight = system.fixed(8);
    this.out = outMessage(system);
    this.into = inMessages(system);
    this.polls = pollMemory(system, this.fd, this.wakeDescriptor);
  }

  peer(address: string, port: number): Peer {
    return this.names.of(writeName(address, port, this.family));
  }

  slab(bytes: number): Buffer {
    return this.system.arena.take(bytes);
  }

  send(to: Peer, slab: Buffer, offset: number, length: number, size: number): number {
    const start = this.system.arena.addressOf(slab);
    let at = 0;
    while (at < length) {
      const most = this.segments ? Math.min(SEGMENTS_MAX, Math.floor(SEND_MAX / size)) * size : size;
      const bytes = Math.min(most, length - at);
      const taken = this.sendOnce(to, start + BigInt(offset + at), bytes, size);
      if (taken === 'full') break;
      if (taken === 'again') continue;
      at += bytes;
    }
    return at;
  }

  receive(milliseconds: number, arrived: Arrived, gather = 0): void {
    const together = Math.min(gather, milliseconds);
    if (together > 0) {
      const woken = this.waitFor(WAKE_ONLY, together) !== 0;
      if (this.takeAll(arrived) || woken || together === milliseconds) return;
    }
    if ((this.waitFor(ANYTHING, milliseconds - together) & DATAGRAMS) !== 0) this.takeAll(arrived);
  }

  /** False when nothing was there. */
  private takeAll(arrived: Arrived): boolean {
    for (let calls = 0; calls < CALLS_A_TURN; calls++) {
      const taken = this.takeSome(arrived);
      if (taken < SLOTS) return calls > 0 || taken > 0;
    }
    return true;
  }

  /** By one call of the system; of how many slots. */
  private takeSome(arrived: Arrived): number {
    const { libc } = this.system;
    const { messages, slab, names } = this.into;
    for (let at = 0; at < SLOTS; at++) {
      messages.buffer.writeUInt32LE(NAME_MAX, at * MMSGHDR + 8);
      messages.buffer.writeUInt32LE(CONTROL, at * MMSGHDR + 40);
    }
    const count = libc.recvmmsg(this.fd, messages.address, SLOTS, MSG_DONTWAIT, 0n);
    for (let at = 0; at < count; at++) {
      const message = at * MMSGHDR;
      const length = messages.buffer.readUInt32LE(message + MSGHDR);
      const name = names.buffer.subarray(at * NAME_MAX, at * NAME_MAX + NAME_LENGTH[this.family]);
      if (length > 0) arrived(slab.buffer, at * SLOT_BYTES, length, this.segmentOf(at, length), this.names.of(name));
    }
    return count;
  }

  wake(): void {
    this.eight.buffer.writeBigUInt64LE(1n);
    if (!this.closed) this.system.libc.write(this.wakeDescriptor, this.eight.address, 8n);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.system.libc.close(this.fd);
    if (this.wakeDescriptor >= 0) this.system.libc.close(this.wakeDescriptor);
  }

  private sendOnce(to: Peer, start: bigint, bytes: number, size: number): 'taken' | 'full' | 'again' {
    const { message, vector, control, name } = this.out;
    to.name.copy(name.buffer);
    message.buffer.writeUInt32LE(to.name.length, 8);
    vector.buffer.writeBigUInt64LE(start, 0);
    vector.buffer.writeBigUInt64LE(BigInt(bytes), 8);
    const cut = bytes > size;
    if (cut) control.buffer.writeUInt16LE(size, 16);
    message.buffer.writeUInt32LE(cut ? CONTROL : 0, 40);
    if (this.system.libc.sendmsg(this.fd, message.address, MSG_DONTWAIT) >= 0n) return 'taken';
    const errno = this.system.errno();
    if (errno === EAGAIN || errno === ENOBUFS) return 'full';
    // Some devices cannot checksum what they are to cut (udp(7)); it works without.
    if (cut && (errno === EIO || errno === EINVAL || errno === EMSGSIZE)) {
      if (errno !== EMSGSIZE) this.segments = false;
      else this.oneByOne(to, start, bytes, size);
      return errno === EMSGSIZE ? 'taken' : 'again';
    }
    // Unreachable, too long, refused by a firewall: lost, as any datagram may be. Silence ends a transfer, not one of these.
    return 'taken';
  }

  private oneByOne(to: Peer, start: bigint, bytes: number, size: number): void {
    for (let at = 0; at < bytes; at += size) this.sendOnce(to, start + BigInt(at), Math.min(size, bytes - at), size);
  }

  /** What came of it, as bits. */
  private waitFor(what: typeof WAKE_ONLY | typeof ANYTHING, milliseconds: number): number {
    const { buffer, address } = this.polls;
    const nanoseconds = Math.max(0, Math.round(milliseconds * 1e6));
    buffer.writeBigUInt64LE(BigInt(Math.floor(nanoseconds / 1e9)), 16);
    buffer.writeBigUInt64LE(BigInt(nanoseconds % 1e9), 24);
    buffer.writeUInt16LE(0, 6);
    buffer.writeUInt16LE(0, 14);
    const ready = this.system.libc.ppoll(address + what.from, what.count, address + 16n, 0n);
    if (ready <= 0) return 0;
    const [datagrams, woken] = [buffer.readUInt16LE(6) !== 0, buffer.readUInt16LE(14) !== 0];
    if (woken) this.system.libc.read(this.wakeDescriptor, this.eight.address, 8n);
    return (datagrams ? DATAGRAMS : 0) | (woken ? WOKEN : 0);
  }

  /** Of what was merged, how long each datagram was: the control message says it, where there is one. */
  private segmentOf(at: number, length: number): number {
    const { messages, controls } = this.into;
    if (messages.buffer.readUInt32LE(at * MMSGHDR + 40) < CONTROL - 4) return length;
    const control = at * CONTROL;
    if (controls.buffer.readInt32LE(control + 8) !== SOL_UDP || controls.buffer.readInt32LE(control + 12) !== UDP_GRO)
      return length;
    return controls.buffer.readInt32LE(control + 16) || length;
  }

  private ownName(): { address: string; port: number } {
    const name = this.system.fixed(NAME_MAX).buffer;
    const length = this.system.fixed(4).buffer;
    length.writeUInt32LE(NAME_MAX);
    this.checked('getsockname', this.system.libc.getsockname(this.fd, name, length));
    return readName(name.subarray(0, NAME_LENGTH[this.family]));
  }

  private option(level: number, option: number, value: number): boolean {
    const four = this.system.fixed(4).buffer;
    four.writeInt32LE(value);
    return this.system.libc.setsockopt(this.fd, level, option, four, 4) === 0;
  }

  private checked(call: string, result: number): number {
    if (result < 0) throw this.failure(call);
    return result;
  }

  private failure(call: string): Error {
    return new Error(`${call} failed with errno ${this.system.errno()}`);
  }
}

function outMessage(system: System) {
  const message = system.fixed(MSGHDR);
  const vector = system.fixed(IOVEC);
  const control = system.fixed(CONTROL);
  const name = system.fixed(NAME_MAX);
  message.buffer.writeBigUInt64LE(name.address, 0);
  message.buffer.writeBigUInt64LE(vector.address, 16);
  message.buffer.writeBigUInt64LE(1n, 24);
  message.buffer.writeBigUInt64LE(control.address, 32);
  control.buffer.writeBigUInt64LE(CONTROL_LENGTH_SEGMENT, 0);
  control.buffer.writeInt32LE(SOL_UDP, 8);
  control.buffer.writeInt32LE(UDP_SEGMENT, 12);
  return { message, vector, control, name };
}

function inMessages(system: System) {
  const slab = system.fixed(SLOTS * SLOT_BYTES);
  const messages = system.fixed(SLOTS * MMSGHDR);
  const vectors = system.fixed(SLOTS * IOVEC);
  const controls = system.fixed(SLOTS * CONTROL);
  const names = system.fixed(SLOTS * NAME_MAX);
  for (let at = 0; at < SLOTS; at++) {
    const vector = at * IOVEC;
    vectors.buffer.writeBigUInt64LE(slab.address + BigInt(at * SLOT_BYTES), vector);
    vectors.buffer.writeBigUInt64LE(BigInt(SLOT_BYTES), vector + 8);
    const message = at * MMSGHDR;
    messages.buffer.writeBigUInt64LE(names.address + BigInt(at * NAME_MAX), message);
    messages.buffer.writeBigUInt64LE(vectors.address + BigInt(vector), message + 16);
    messages.buffer.writeBigUInt64LE(1n, message + 24);
    messages.buffer.writeBigUInt64LE(controls.address + BigInt(at * CONTROL), message + 32);
  }
  return { slab, messages, vectors, controls, names };
}

/** Two struct pollfd, then a struct timespec: who waits for `wake` alone names the second of them. */
function pollMemory(system: System, fd: number, wakeFd: number) {
  const memory = system.fixed(32);
  memory.buffer.writeInt32LE(fd, 0);
  memory.buffer.writeUInt16LE(POLLIN, 4);
  memory.buffer.writeInt32LE(wakeFd, 8);
  memory.buffer.writeUInt16LE(POLLIN, 12);
  return memory;
}
