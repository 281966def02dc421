/**
 * Drives the engines of one socket: datagrams in, datagrams out in runs of one size, then sleep until the earliest of them
 * has something to do. Nothing here looks into a datagram but for whose it is.
 */
import type { Arrived, DatagramSocket, Peer } from '../socket/datagram-socket.ts';
import { CONNECTION_ID_LENGTH, DATAGRAM_MAX, HEADER_LENGTH } from '../wire/sizes.ts';
import type { Lane } from './lane.ts';
import { RingMemory } from './ring-memory.ts';

/** With room behind a full run, for the datagram that turns out not to belong to it. */
const SLAB_BYTES = 65_536 + 2 * DATAGRAM_MAX;
const WAIT_MAX = 1000;
/** Between two looks at what arrived: a sender with much to say must still hear. */
const RUNS_A_TURN = 16;
/** Microseconds. */
const GATHER_MOST = 4000;
const GATHER_LEAST = 100;
/** Of the time between two feedbacks. */
const GATHER_SHARE = 2;
/** Of the few hundred datagrams that a socket holds whose buffer was not enlarged. */
const GATHER_BYTES = 65_536;
/** Who sends hears in every few turns only, and sleeps until it sends again anyway. */
const QUIET_TURNS = 8;
const CONNECTION_ID_AT = HEADER_LENGTH - CONNECTION_ID_LENGTH;

export class SocketLoop {
  private readonly socket: DatagramSocket;
  private readonly lanes = new Map<string, Lane>();
  private readonly memory = new RingMemory();
  private readonly slab: Buffer;
  /** Paths are numbers to the engine: one for each peer that is remembered. */
  private readonly paths = new WeakMap<Peer, number>();
  private readonly peers = new Map<number, WeakRef<Peer>>();
  /** Of streams that know their peer beforehand: those of others are held by the socket while they are heard. */
  private readonly kept = new Set<Peer>();
  private pathsMade = 0;
  private readonly touched = new Set<Lane>();
  /** Bytes of this turn, and microseconds that datagrams have to gather in the next. */
  private taken = 0;
  private gather = 0;
  private quiet = 0;
  private readonly arrived: Arrived;

  constructor(socket: DatagramSocket) {
    this.socket = socket;
    this.slab = socket.slab(SLAB_BYTES);
    this.arrived = (slab, offset, length, size, from) => {
      this.take(slab, offset, length, size, from);
    };
  }

  static now(): number {
    return performance.now() * 1000;
  }

  get isEmpty(): boolean {
    return this.lanes.size === 0;
  }

  add(connectionId: Buffer, lane: Lane): void {
    this.lanes.set(connectionId.toString('latin1'), lane);
  }

  find(stream: number): Lane | undefined {
    for (const lane of this.lanes.values()) if (lane.stream === stream) return lane;
    return undefined;
  }

  /** The number of a peer's path. */
  pathOf(peer: Peer): number {
    const known = this.paths.get(peer);
    if (known !== undefined) return known;
    const made = this.pathsMade++;
    this.paths.set(peer, made);
    this.peers.set(made, new WeakRef(peer));
    if (this.peers.size > 4096)
      for (const [path, kept] of this.peers) if (kept.deref() === undefined) this.peers.delete(path);
    return made;
  }

  /** Null: of nobody who is remembered. */
  addressOf(path: number): string | null {
    const peer = this.peers.get(path)?.deref();
    return peer === undefined ? null : plain(peer.address);
  }

  keep(peer: Peer): Peer {
    this.kept.add(peer);
    return peer;
  }

  /** One turn: everything that is due goes out, then what comes until the next is due; nobody reports before `reportFrom`. */
  async turn(wakeMost: number, reportFrom: number): Promise<void> {
    const more = this.produceAll(SocketLoop.now());
    const due = more ? 0 : Math.min(this.dueAt(reportFrom), wakeMost);
    const wait = Math.min(WAIT_MAX, Math.max(0, (due - SocketLoop.now()) / 1000));
    this.taken = 0;
    const waiting = this.socket.receive(wait, this.arrived, this.gather / 1000);
    if (waiting !== undefined) await waiting;
    this.gather = this.gatherNext();
    for (const lane of this.touched) lane.arrived();
    this.touched.clear();
  }

  /**
   * A wake-up for each datagram costs several times the datagram. While they come they gather, for a part of the time in which
   * nobody would hear of them anyway; less long when much comes: not every system lets us have large buffers.
   */
  private gatherNext(): number {
    if (this.touched.size === 0) return this.quiet++ < QUIET_TURNS ? this.gather : 0;
    this.quiet = 0;
    if (this.taken > GATHER_BYTES) return this.gather / 2;
    let most = GATHER_MOST;
    for (const { engine } of this.touched) most = Math.min(most, engine.feedbackInterval / GATHER_SHARE);
    return Math.min(most, Math.max(this.gather * 2, GATHER_LEAST));
  }

  /** Tells every user what is due, and forgets streams that are over. */
  report(now: number): void {
    for (const [id, lane] of this.lanes) {
      if (!lane.report(now)) continue;
      this.lanes.delete(id);
      this.memory.letGo(lane.memory);
    }
  }

  private dueAt(reportFrom: number): number {
    let due = Infinity;
    for (const lane of this.lanes.values())
      due = Math.min(due, lane.engine.wakeAt(), Math.max(lane.reportDue, reportFrom));
    return due;
  }

  private take(slab: Buffer, offset: number, length: number, size: number, from: Peer): void {
    const now = SocketLoop.now();
    this.taken += length;
    for (let at = 0; at < length; at += size) {
      const one = Math.min(size, length - at);
      if (one < HEADER_LENGTH) continue;
      const start = offset + at;
      // By its connection id alone: what is not authentic goes no further than the engine's first look.
      const lane = this.lanes.get(slab.toString('latin1', start + CONNECTION_ID_AT, start + HEADER_LENGTH));
      if (lane === undefined) continue;
      lane.engine.receive(slab.subarray(start, start + one), one, now, this.pathOf(from));
      this.touched.add(lane);
    }
  }

  /** True when somebody still has something to send. */
  private produceAll(now: number): boolean {
    let more = false;
    for (const lane of this.lanes.values()) more = this.produce(lane, now) || more;
    return more;
  }

  private produce(lane: Lane, now: number): boolean {
    const { engine } = lane;
    for (let runs = 0; runs < RUNS_A_TURN; runs++) {
      const run = this.fillRun(engine, now);
      if (run === null) return true;
      if (run.empty) return false;
    }
    return true;
  }

  /** One run of datagrams of a size to one peer, sent; null when the system takes no more for now. */
  private fillRun(engine: Lane['engine'], now: number): { readonly empty: boolean } | null {
    const { slab } = this;
    let [start, at, size, path] = [0, 0, 0, -1];
    for (;;) {
      const length = engine.produce(slab.subarray(at, at + DATAGRAM_MAX), now);
      const to = engine.connection.sendTo;
      const joins = length > 0 && (size === 0 || (length <= size && to === path));
      if (!joins && at > start && !this.send(path, start, at - start, size)) return null;
      if (length === 0) return { empty: true };
      if (!joins) [start, size] = [at, length];
      else if (size === 0) size = length;
      path = to;
      at += length;
      // A shorter one ends its run; a full slab ends all.
      if (length < size || at - start > this.socket.batchBytes - size || at > SLAB_BYTES - 2 * DATAGRAM_MAX) {
        return this.send(path, start, at - start, size) ? { empty: false } : null;
      }
    }
  }

  /** What the system does not take is lost, as on any link: the engine sees it and slows down. False then. */
  private send(path: number, start: number, length: number, size: number): boolean {
    const peer = this.peers.get(path)?.deref();
    if (peer === undefined) return true;
    return this.socket.send(peer, this.slab, start, length, size) === length;
  }
}

/** IPv4 as it is, also where the socket is one of IPv6. */
export function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
