/**
 * The policy `fixed`: a rate that the operator answers for, with a circuit breaker (RFC 8084). It slows down for nobody,
 * so it ends where it does harm: half of what is sent does not arrive, or the queue alone takes seconds.
 */
import type { Controller } from './controller.ts';
import type { RateSample } from './delivery-rate.ts';

const LOSS_MOST = 0.5;
const QUEUE_MOST = 2_000_000;
const INTERVAL = 1_000_000;
const INTERVALS = 10;
const MIN_WINDOW_PACKETS = 64;

export class FixedRate implements Controller {
  pacingRate: number;
  isWindowLimited = false;
  minRtt = Infinity;
  tripped: string | null = null;
  readonly phase = 'fixed';
  private readonly target: number;
  private readonly mss: number;
  private smoothedRtt = 200_000;
  private intervalAt: number;
  private acked = 0;
  private lost = 0;
  private leastRtt = Infinity;
  private bad = 0;
  private share = 0;

  constructor(options: { target: number; mss: number; now: number }) {
    this.target = options.target;
    this.pacingRate = options.target;
    this.mss = options.mss;
    this.intervalAt = options.now;
  }

  get lossBaseline(): number {
    return this.share;
  }

  /** What is on the way at that rate, and as much again: feedback may be late. */
  get window(): number {
    return Math.max(this.target * this.smoothedRtt * 2, MIN_WINDOW_PACKETS * this.mss);
  }

  onLost(size: number): void {
    this.lost += size;
  }

  onFeedback(sample: RateSample): void {
    this.acked += sample.newlyAcked;
    if (sample.rtt > 0) {
      this.minRtt = Math.min(this.minRtt, sample.rtt);
      this.leastRtt = Math.min(this.leastRtt, sample.rtt);
      this.smoothedRtt += (sample.rtt - this.smoothedRtt) / 8;
    }
    this.isWindowLimited = false;
    if (sample.now >= this.intervalAt + INTERVAL) this.judge(sample.now);
  }

  private judge(now: number): void {
    const all = this.acked + this.lost;
    this.share = all === 0 ? 0 : this.lost / all;
    const queue = this.leastRtt === Infinity ? 0 : this.leastRtt - this.minRtt;
    this.bad = this.share > LOSS_MOST || queue > QUEUE_MOST ? this.bad + 1 : 0;
    if (this.bad >= INTERVALS) this.tripped = 'the path does not carry the fixed rate';
    this.intervalAt = now;
    this.acked = 0;
    this.lost = 0;
    this.leastRtt = Infinity;
  }

  onRestartFromIdle(): void {
    this.isWindowLimited = false;
  }

  onSilence(now: number): void {
    this.intervalAt = now;
    this.acked = 0;
    this.lost = 0;
  }
}
