/**
 * The policy `low`: takes what others leave (draft-irtf-iccrg-ledbat-plus-plus in spirit, RFC 6817). The queue is kept
 * below a delay target, so whoever fills it is given way to. Slow start ends at three quarters of the target; from time to
 * time it slows down to see the path without its own queue. Loss that the link makes itself is told apart as in `fair`.
 */
import type { Controller } from './controller.ts';
import type { RateSample } from './delivery-rate.ts';
import { LossBaseline } from './loss-baseline.ts';

const TARGET = 25_000;
const TARGET_LEAST = 1000;
const BASE_BUCKETS = 10;
const BUCKET_TIME = 30_000_000;
const INITIAL_PACKETS = 10;
const MIN_PACKETS = 2;
const SLOWDOWN_AFTER_ROUNDS = 2;
/** A slowdown takes a ninth of the time (LEDBAT++, "Periodic slowdown"). */
const SLOWDOWN_SHARE = 9;
const LOSS_ALLOWANCE = 0.01;
const FADE = 0.999;
const GAIN_SPREAD = 16;

export class LowPriority implements Controller {
  window: number;
  isWindowLimited = false;
  readonly tripped = null;
  private readonly mss: number;
  private readonly baseline = new LossBaseline();
  private readonly base = new Float64Array(BASE_BUCKETS).fill(Infinity);
  private bucketAt: number;
  private bucket = 0;
  private threshold = Infinity;
  private smoothedRtt: number;
  private roundEnd = 0;
  private delivered = 0;
  private roundLeast = Infinity;
  private roundAcked = 0;
  private roundLost = 0;
  private slowdownAt = Infinity;
  private slowdownUntil = 0;
  private roundMost = 0;
  /** The longest queue of late. */
  private longest = 0;

  constructor(options: { mss: number; now: number; rttGuess?: number }) {
    this.mss = options.mss;
    this.window = INITIAL_PACKETS * options.mss;
    this.bucketAt = options.now;
    this.smoothedRtt = options.rttGuess ?? 100_000;
  }

  get minRtt(): number {
    return Math.min(...this.base);
  }

  get lossBaseline(): number {
    return this.baseline.value;
  }

  get phase(): string {
    return this.window < this.threshold ? 'slow-start' : 'low';
  }

  get pacingRate(): number {
    return ((this.window < this.threshold ? 2 : 1.2) * this.window) / this.smoothedRtt;
  }

  onLost(size: number): void {
    this.roundLost += size;
  }

  onFeedback(sample: RateSample): void {
    this.delivered += sample.newlyAcked;
    this.roundAcked += sample.newlyAcked;
    if (sample.rtt > 0) this.takeRtt(sample.now, sample.rtt);
    if (this.window < this.threshold && this.isWindowLimited) this.window += sample.newlyAcked;
    if (sample.hasData && sample.priorDelivered >= this.roundEnd) this.endRound(sample.now);
    this.isWindowLimited = false;
  }

  private takeRtt(now: number, rtt: number): void {
    if (now > this.bucketAt + BUCKET_TIME) {
      this.bucketAt = now;
      this.bucket = (this.bucket + 1) % BASE_BUCKETS;
      this.base[this.bucket] = Infinity;
    }
    this.base[this.bucket] = Math.min(this.base[this.bucket] as number, rtt);
    this.roundLeast = Math.min(this.roundLeast, rtt);
    this.roundMost = Math.max(this.roundMost, rtt);
    this.smoothedRtt += (rtt - this.smoothedRtt) / 8;
  }

  private endRound(now: number): void {
    const queue = this.roundLeast === Infinity ? 0 : this.roundLeast - this.minRtt;
    const packets = (this.roundAcked + this.roundLost) / this.mss;
    const lost = this.roundLost / this.mss;
    this.longest = Math.max(this.longest * FADE, this.roundMost - this.minRtt);
    // While the window doubles, what arrived is of more packets than what was lost: that says too little.
    if (this.window >= this.threshold) {
      this.baseline.countRound();
      if (queue < this.target / 4) this.baseline.addQuietRound(lost, packets, lost);
    }
    const tooMuch = this.baseline.isExceeded(lost, packets, LOSS_ALLOWANCE);
    if (now < this.slowdownUntil) this.window = MIN_PACKETS * this.mss;
    else if (tooMuch) this.lower(0.5);
    else if (this.window < this.threshold) this.checkSlowStart(now, queue);
    else this.follow(queue);
    this.planSlowdown(now);
    this.roundEnd = this.delivered;
    this.roundLeast = Infinity;
    this.roundMost = 0;
    this.roundAcked = 0;
    this.roundLost = 0;
  }

  private checkSlowStart(now: number, queue: number): void {
    if (queue < (this.target * 3) / 4) return;
    this.threshold = this.window;
    if (this.slowdownAt === Infinity) this.slowdownAt = now + SLOWDOWN_AFTER_ROUNDS * this.smoothedRtt;
  }

  /** A shallow buffer overflows before the usual target is reached: there the target is half of what it ever held. */
  private get target(): number {
    return Math.min(TARGET, Math.max(this.longest / 2, TARGET_LEAST));
  }

  /** Additive increase, a gentle multiplicative decrease in proportion to how far the target is missed. */
  private follow(queue: number): void {
    const { target } = this;
    if (queue <= target) {
      const gain = 1 / Math.min(GAIN_SPREAD, Math.ceil((2 * target) / Math.max(this.minRtt, 1)));
      // A window of a long, fast link would take minutes packet by packet: a share of the free room is taken as well.
      this.window += gain * this.mss + this.window * 0.05 * (1 - queue / target);
    } else this.lower(Math.max(0.5, 1 - (queue / target - 1) / 2));
  }

  private lower(factor: number): void {
    this.window = Math.max(this.window * factor, MIN_PACKETS * this.mss);
    this.threshold = Math.min(this.threshold, this.window);
  }

  private planSlowdown(now: number): void {
    if (now < this.slowdownAt) return;
    const duration = 2 * this.smoothedRtt;
    this.threshold = this.window;
    this.window = MIN_PACKETS * this.mss;
    this.slowdownUntil = now + duration;
    const climb = Math.log2(Math.max(2, this.threshold / this.window)) * this.smoothedRtt;
    this.slowdownAt = now + (duration + climb) * SLOWDOWN_SHARE;
    this.baseline.advance();
  }

  onRestartFromIdle(): void {
    this.isWindowLimited = false;
  }

  onSilence(): void {
    this.window = INITIAL_PACKETS * this.mss;
  }
}
