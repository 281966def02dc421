/**
 * Flows of others in the same bottleneck, modelled simply but fairly: a TCP-like sender with SACK, feedback a packet, and
 * either CUBIC (RFC 9438) or the first version of BBR, which kernels have ("BBR x1" of the design's table).
 */
import type { Link } from './link.ts';
import type { Bottleneck } from './transfer.ts';
import { Alarm } from './virtual-time.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A full TCP segment as an IP packet, its payload, and an acknowledgement. */
const SEGMENT = 1500;
const PAYLOAD = 1448;
const ACK = 52;
const DUP_THRESHOLD = 3;

interface Sent {
  readonly number: number;
  readonly at: number;
  readonly delivered: number;
  readonly deliveredAt: number;
}

interface Law {
  /** In packets, and packets per microsecond (Infinity: the window alone limits). */
  window: number;
  rate: number;
  onAck(now: number, rtt: number, sent: Sent, delivered: number, inflight: number): void;
  /** At most once a round trip. */
  onLoss(now: number): void;
  onTimeout(): void;
}

export class RivalFlow {
  private readonly time: VirtualTime;
  private readonly link: Link;
  private readonly back: Link;
  readonly law: Law;
  private readonly flying = new Map<number, Sent>();
  private next = 0;
  private highestAcked = -1;
  private recoverBelow = -1;
  private delivered = 0;
  private deliveredAt = 0;
  private nextSendAt = 0;
  private smoothedRtt = 200_000;
  private readonly sendAlarm: Alarm;
  private readonly timeout: Alarm;
  /** Payload bytes that arrived. */
  received = 0;

  constructor(bottleneck: Bottleneck, kind: 'cubic' | 'bbr', startAt = 0) {
    this.time = bottleneck.time;
    this.link = bottleneck.forward;
    this.back = bottleneck.back();
    this.law = kind === 'cubic' ? new Cubic() : new BbrOne(bottleneck.random);
    this.sendAlarm = new Alarm(this.time, () => {
      this.pump();
    });
    this.timeout = new Alarm(this.time, () => {
      this.onTimeout();
    });
    this.time.at(startAt, () => {
      this.pump();
    });
  }

  private pump(): void {
    const { time, law } = this;
    while (this.flying.size < law.window) {
      if (law.rate !== Infinity && time.now < this.nextSendAt) {
        this.sendAlarm.set(this.nextSendAt);
        return;
      }
      this.transmit();
    }
  }

  private transmit(): void {
    const { time, law } = this;
    if (this.flying.size === 0) this.deliveredAt = time.now;
    const sent = { number: this.next++, at: time.now, delivered: this.delivered, deliveredAt: this.deliveredAt };
    this.flying.set(sent.number, sent);
    if (law.rate !== Infinity) this.nextSendAt = Math.max(this.nextSendAt, time.now) + 1 / law.rate;
    if (this.flying.size === 1) this.timeout.set(time.now + this.smoothedRtt * 2 + 200_000);
    this.link.send(SEGMENT, () => {
      this.received += PAYLOAD;
      this.back.send(ACK, () => {
        this.onAck(sent);
      });
    });
  }

  private onAck(sent: Sent): void {
    const { time, law } = this;
    if (!this.flying.delete(sent.number)) return;
    this.delivered++;
    this.deliveredAt = time.now;
    const rtt = time.now - sent.at;
    this.smoothedRtt += (rtt - this.smoothedRtt) / 8;
    this.highestAcked = Math.max(this.highestAcked, sent.number);
    let lost = false;
    // Insertion order is number order: the oldest stand first.
    for (const number of this.flying.keys()) {
      if (number > this.highestAcked - DUP_THRESHOLD) break;
      this.flying.delete(number);
      lost ||= number > this.recoverBelow;
    }
    if (lost) {
      this.recoverBelow = this.next - 1;
      law.onLoss(time.now);
    }
    law.onAck(time.now, rtt, sent, this.delivered, this.flying.size);
    this.timeout.set(time.now + this.smoothedRtt * 2 + 200_000);
    this.pump();
  }

  private onTimeout(): void {
    if (this.flying.size === 0) return;
    this.flying.clear();
    this.law.onTimeout();
    this.pump();
  }
}

/** Of HyStart, as kernels have it: samples a round, the least window, and by how much the round trip may grow. */
const HYSTART_SAMPLES = 8;
const HYSTART_WINDOW = 16;
const HYSTART_DELAY = [4000, 16_000] as const;

/** RFC 9438, in packets and seconds; slow start ends at loss, or where the round trip grows, as kernels have it. */
class Cubic implements Law {
  window = 10;
  readonly rate = Infinity;
  private threshold = Infinity;
  private most = 0;
  private epochAt = -1;
  private k = 0;
  private renoWindow = 0;
  private leastRtt = Infinity;
  private roundEnd = 0;
  private roundLeast = Infinity;
  private samples = 0;

  onAck(now: number, rtt: number, sent: Sent, delivered: number): void {
    this.leastRtt = Math.min(this.leastRtt, rtt);
    if (this.window < this.threshold) {
      this.window++;
      this.endAtDelay(rtt, sent, delivered);
      return;
    }
    if (this.epochAt < 0) {
      this.epochAt = now;
      this.most = Math.max(this.most, this.window);
      this.k = Math.cbrt(Math.max(0, this.most - this.window) / 0.4);
      this.renoWindow = this.window;
    }
    const elapsed = (now - this.epochAt + rtt) / 1e6;
    const target = Math.min(0.4 * (elapsed - this.k) ** 3 + this.most, this.window * 1.5);
    this.renoWindow += (3 * 0.3) / 1.7 / this.window;
    if (target > this.window) this.window += (target - this.window) / this.window;
    if (this.renoWindow > this.window) this.window = this.renoWindow;
  }

  private endAtDelay(rtt: number, sent: Sent, delivered: number): void {
    if (sent.delivered >= this.roundEnd) {
      this.roundEnd = delivered;
      this.roundLeast = Infinity;
      this.samples = 0;
    }
    if (this.samples++ < HYSTART_SAMPLES) {
      this.roundLeast = Math.min(this.roundLeast, rtt);
      return;
    }
    const [least, most] = HYSTART_DELAY;
    const grown = this.leastRtt + Math.min(Math.max(this.leastRtt / 8, least), most);
    if (this.window >= HYSTART_WINDOW && this.roundLeast > grown) this.threshold = this.window;
  }

  onLoss(): void {
    this.most = this.window < this.most ? this.window * 0.85 : this.window;
    this.window = Math.max(2, this.window * 0.7);
    this.threshold = this.window;
    this.epochAt = -1;
  }

  onTimeout(): void {
    this.threshold = Math.max(2, this.window * 0.7);
    this.most = this.window;
    this.window = 1;
    this.epochAt = -1;
  }
}

const GAINS = [1.25, 0.75, 1, 1, 1, 1, 1, 1];

/** BBR version 1 as its authors published it (ACM Queue, 2016): no reaction to loss, two round trips of window. */
class BbrOne implements Law {
  window = 10;
  rate = 10 / 1000;
  private state: 'startup' | 'drain' | 'probe' | 'rtt' = 'startup';
  private readonly bandwidths: { round: number; rate: number }[] = [];
  private minRtt = Infinity;
  private minRttAt = 0;
  private round = 0;
  private roundEnd = 0;
  private full = 0;
  private fullRounds = 0;
  private cycle = 0;
  private cycleAt = 0;
  private rttUntil = 0;
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  private get bandwidth(): number {
    let most = 0;
    for (const sample of this.bandwidths) most = Math.max(most, sample.rate);
    return most;
  }

  onAck(now: number, rtt: number, sent: Sent, delivered: number, inflight: number): void {
    const isRound = sent.delivered >= this.roundEnd;
    if (isRound) {
      this.roundEnd = delivered;
      this.round++;
    }
    const rate = (delivered - sent.delivered) / Math.max(now - sent.deliveredAt, 1);
    const last = this.bandwidths.at(-1);
    if (last?.round === this.round) last.rate = Math.max(last.rate, rate);
    else this.bandwidths.push({ round: this.round, rate });
    while ((this.bandwidths[0]?.round ?? 0) < this.round - 9) this.bandwidths.shift();
    const expired = now > this.minRttAt + 10_000_000;
    if (rtt <= this.minRtt || expired) {
      this.minRtt = rtt;
      this.minRttAt = now;
    }
    this.step(now, isRound, expired, inflight);
  }

  private step(now: number, isRound: boolean, expired: boolean, inflight: number): void {
    const { bandwidth } = this;
    const bdp = bandwidth * this.minRtt;
    if (this.state === 'startup' && isRound) {
      if (bandwidth >= this.full * 1.25) [this.full, this.fullRounds] = [bandwidth, 0];
      else if (++this.fullRounds >= 3) this.state = 'drain';
    }
    if (this.state === 'drain' && inflight <= bdp) this.enterProbe(now);
    if (this.state === 'probe' && now - this.cycleAt > this.minRtt) {
      this.cycleAt = now;
      this.cycle = (this.cycle + 1) % GAINS.length;
    }
    if (this.state === 'probe' && expired) [this.state, this.rttUntil] = ['rtt', now + 200_000 + this.minRtt];
    if (this.state === 'rtt' && now > this.rttUntil) this.enterProbe(now);
    const gains = { startup: [2.89, 2.89], drain: [0.35, 2.89], probe: [GAINS[this.cycle] as number, 2], rtt: [1, 0] };
    const [pacing, window] = gains[this.state] as [number, number];
    if (this.state !== 'startup' || pacing * bandwidth > this.rate) this.rate = Math.max(pacing * bandwidth, 1e-5);
    this.window = this.state === 'rtt' ? 4 : Math.max(4, window * bdp + 3, this.state === 'startup' ? 10 : 0);
  }

  private enterProbe(now: number): void {
    this.state = 'probe';
    this.cycleAt = now;
    this.cycle = (2 + Math.floor(this.random() * 7)) % GAINS.length;
  }

  onLoss(): void {
    // Version 1 does not take loss for a signal.
    this.fullRounds += 0;
  }

  onTimeout(): void {
    this.window = 4;
  }
}
