/**
 * One direction of a link, in virtual time, in the order of tools/linkem: policer -> drop-tail queue (rate, buffer) ->
 * loss -> propagation (+ jitter, reordering). Loss falls behind the bottleneck, so the most that can arrive is
 * rate x (1 - loss).
 */
import type { VirtualTime } from './virtual-time.ts';

export interface LinkOptions {
  readonly mbit: number;
  /** One way, microseconds. */
  readonly delay: number;
  /** Bytes; 0 for as much as comes. */
  readonly buffer: number;
  readonly loss?: number;
  /** Gilbert-Elliott: chance a packet to enter a burst, to leave it, to be lost in it. */
  readonly burst?: readonly [enter: number, leave: number, lossInside: number];
  readonly jitter?: number;
  /** Share of packets that overtake by half the delay. */
  readonly reorder?: number;
  readonly policer?: { readonly mbit: number; readonly burst: number };
  /** Longest IP packet that passes. */
  readonly mtu?: number;
}

const ETHERNET = 14;

export class Link {
  options: LinkOptions;
  private readonly time: VirtualTime;
  private readonly random: () => number;
  private busyUntil = 0;
  private inBurst = false;
  private tokens: number;
  private tokensAt = 0;
  private line: { readonly at: number; readonly run: () => void }[] = [];
  private head = 0;
  private lastAt = 0;
  isDown = false;
  /** Carried bytes by the owner that `send` names. */
  accepted = 0;
  dropped = 0;
  lost = 0;
  /** Sum and count of the queue's delay seen by each packet. */
  queueSum = 0;

  constructor(time: VirtualTime, random: () => number, options: LinkOptions) {
    this.time = time;
    this.random = random;
    this.options = options;
    this.tokens = options.policer?.burst ?? 0;
  }

  /** `length` of the IP packet. */
  send(length: number, deliver: () => void): void {
    const { options, time } = this;
    const { now } = time;
    if (this.isDown || length > (options.mtu ?? 65_535)) return;
    const rate = options.mbit / 8;
    if (options.policer !== undefined && !this.passesPolicer(options.policer, length, now)) {
      this.dropped++;
      return;
    }
    if (this.busyUntil < now) this.busyUntil = now;
    if (options.buffer > 0 && (this.busyUntil - now) * rate + length > options.buffer) {
      this.dropped++;
      return;
    }
    this.queueSum += this.busyUntil - now;
    this.accepted++;
    this.busyUntil += (length + ETHERNET) / rate;
    if (this.isLost()) {
      this.lost++;
      return;
    }
    let { delay } = options;
    if (options.jitter !== undefined) delay += this.random() * options.jitter;
    if (options.reorder !== undefined && this.random() < options.reorder) delay *= 0.5;
    this.deliver(this.busyUntil + delay, deliver);
  }

  /** What comes in order waits in a line of its own: the clock then holds one event a link, not one a packet. */
  private deliver(at: number, run: () => void): void {
    if (at < this.lastAt) {
      this.time.at(at, run);
      return;
    }
    this.lastAt = at;
    this.line.push({ at, run });
    if (this.line.length - this.head === 1) this.planHead();
  }

  private planHead(): void {
    const first = this.line[this.head];
    if (first === undefined) return;
    this.time.at(first.at, () => {
      this.head++;
      if (this.head > 4096 && this.head * 2 > this.line.length) {
        this.line = this.line.slice(this.head);
        this.head = 0;
      }
      this.planHead();
      first.run();
    });
  }

  private passesPolicer(policer: { mbit: number; burst: number }, length: number, now: number): boolean {
    this.tokens = Math.min(policer.burst, this.tokens + ((now - this.tokensAt) * policer.mbit) / 8);
    this.tokensAt = now;
    if (this.tokens < length) return false;
    this.tokens -= length;
    return true;
  }

  private isLost(): boolean {
    const { burst, loss } = this.options;
    if (burst !== undefined) {
      if (this.inBurst) {
        if (this.random() < burst[1]) this.inBurst = false;
      } else if (this.random() < burst[0]) this.inBurst = true;
      if (this.inBurst && this.random() < burst[2]) return true;
    }
    return loss !== undefined && this.random() < loss;
  }

  get meanQueue(): number {
    return this.accepted === 0 ? 0 : this.queueSum / this.accepted;
  }
}
