/**
 * What BBR believes of the path: bandwidth, round trip, bounds that loss has taught (draft-ietf-ccwg-bbr, "Updating
 * Network Path Model Parameters"), and what the departures add: a loss baseline, a policer's rate, a
 * queue that stands.
 */
import type { RateSample } from './delivery-rate.ts';
import { LossBaseline } from './loss-baseline.ts';
import { CycleMaxFilter, RoundMaxFilter } from './max-filter.ts';
import { PolicerDetector } from './policer.ts';
import type { Gains } from './policies.ts';
import { StandingQueue } from './standing-queue.ts';

const MIN_RTT_FILTER = 10_000_000;
const EXTRA_ACKED_ROUNDS = 10;
/** Above this the queue has grown: a quarter of the round trip, and what jitter of an idle link may be. */
const QUEUE_SHARE = 0.25;
const QUEUE_SLACK = 4000;
/** A policer drops without a queue: the round trip of all packets stays near the least. */
const POLICER_QUEUE = 1.1;
/** A quiet round's queue: a small share of the longest of late. A shallow buffer is full before it is long. */
const QUIET_SHARE = 0.2;
const QUIET_SLACK = 500;
/** Paced packets meet a full queue one by one, or in what a network card takes at once; more in a row is the link's doing. */
const LONG_BURST = 16;
/** What is remembered of the longest round trip fades by this share a round. */
const FADE = 1 / 32;

export class PathModel {
  readonly baseline = new LossBaseline();
  readonly policer = new PolicerDetector();
  readonly standingQueue = new StandingQueue();
  private readonly maxBw = new CycleMaxFilter();
  private readonly extraAcked = new RoundMaxFilter(EXTRA_ACKED_ROUNDS);
  private readonly gains: Gains;
  private readonly mss: number;

  minRtt = Infinity;
  minRttAt = 0;
  /** Short-term and long-term bounds; Infinity is none. */
  bwShort = Infinity;
  inflightShort = Infinity;
  inflightLong = Infinity;

  roundCount = 0;
  roundStart = false;
  private nextRoundDelivered = 0;
  private totalDelivered = 0;

  private lossInRound = false;
  private lossRoundDelivered = 0;
  private lossRoundStart = false;
  private bwLatest = 0;
  private inflightLatest = 0;

  private roundLost = 0;
  private roundAcked = 0;
  private roundMarked = 0;
  private roundRuns = 0;
  private roundLeastRtt = Infinity;
  private lastRoundLeastRtt = Infinity;
  private roundMostRtt = 0;
  private longestRtt = 0;
  private roundWasQuiet = true;
  private extraDelivered = 0;
  private extraSince = 0;

  constructor(gains: Gains, mss: number) {
    this.gains = gains;
    this.mss = mss;
  }

  /** Delivered bytes per microsecond at best, as measured behind the loss. */
  get delivery(): number {
    return Math.min(this.maxBw.value, this.bwShort, this.policer.limit);
  }

  /** What must be sent for that: the link's own loss comes on top. */
  get bandwidth(): number {
    return this.delivery / (1 - this.lossAllowed());
  }

  get maxBandwidth(): number {
    return Math.min(this.maxBw.value, this.policer.limit) / (1 - this.lossAllowed());
  }

  private lossAllowed(): number {
    return this.gains.learnsBaseline ? this.baseline.value : 0;
  }

  bdp(gain: number, bandwidth = this.bandwidth): number {
    return gain * bandwidth * this.minRtt;
  }

  get extra(): number {
    return this.extraAcked.value;
  }

  /** Whether the rounds' least round trip says that a queue has grown. */
  get isQueueing(): boolean {
    const least = Math.min(this.roundLeastRtt, this.lastRoundLeastRtt);
    return least !== Infinity && least > this.minRtt * (1 + QUEUE_SHARE) + QUEUE_SLACK;
  }

  /** How long the queue is at its least, in least round trips. */
  get queueShare(): number {
    const least = Math.min(this.roundLeastRtt, this.lastRoundLeastRtt);
    return least === Infinity ? 0 : least / this.minRtt - 1;
  }

  private get isCalm(): boolean {
    const longest = Math.max(this.longestRtt - this.minRtt, 0);
    return this.roundLeastRtt <= this.minRtt + Math.max(QUIET_SLACK, longest * QUIET_SHARE);
  }

  startRound(): void {
    this.nextRoundDelivered = this.totalDelivered;
  }

  /** "BBR.round_count", "Updating the BBR.max_bw Max Filter", first half of the per-ACK steps. */
  take(sample: RateSample, totalDelivered: number): void {
    this.totalDelivered = totalDelivered;
    this.takeLatest(sample);
    this.roundStart = sample.hasData && sample.priorDelivered >= this.nextRoundDelivered;
    if (this.roundStart) {
      this.startRound();
      this.roundCount++;
    }
    if (sample.deliveryRate > 0 && (sample.deliveryRate >= this.maxBw.value || !sample.isAppLimited)) {
      this.maxBw.add(sample.deliveryRate);
    }
    this.countRound(sample);
    this.takeExtra(sample);
  }

  private takeLatest(sample: RateSample): void {
    this.lossRoundStart = false;
    this.bwLatest = Math.max(this.bwLatest, sample.deliveryRate);
    this.inflightLatest = Math.max(this.inflightLatest, sample.delivered);
    if (sample.hasData && sample.priorDelivered >= this.lossRoundDelivered) {
      this.lossRoundDelivered = this.totalDelivered;
      this.lossRoundStart = true;
    }
  }

  private countRound(sample: RateSample): void {
    this.roundAcked += sample.newlyAcked;
    this.roundLost += sample.newlyLost;
    this.roundMarked += sample.newlyMarked;
    if (sample.rtt <= 0) return;
    this.roundLeastRtt = Math.min(this.roundLeastRtt, sample.rtt);
    this.roundMostRtt = Math.max(this.roundMostRtt, sample.rtt);
  }

  /** "BBR.extra_acked": feedback comes in lumps, and so does what it acknowledges. */
  private takeExtra(sample: RateSample): void {
    let expected = this.delivery * (sample.now - this.extraSince);
    if (this.extraDelivered <= expected) {
      this.extraDelivered = 0;
      this.extraSince = sample.now;
      expected = 0;
    }
    this.extraDelivered += sample.newlyAcked;
    this.extraAcked.add(this.extraDelivered - expected, this.roundCount);
  }

  /**
   * At the end of a round of loss: lower the short-term bounds if too much was lost (unless we probe), and learn. Draft:
   * any loss does; departure 1: only loss above the baseline.
   */
  adapt(sample: RateSample, isProbing: boolean, window: number): void {
    if (this.lossRoundStart) {
      if (this.lossInRound && !isProbing && this.roundLossTooHigh()) this.lowerBounds(window);
      this.lossInRound = false;
    }
    if (this.roundStart) this.endRound(sample);
  }

  /** "When not Probing for Bandwidth". */
  private lowerBounds(window: number): void {
    const { beta } = this.gains;
    if (this.bwShort === Infinity) this.bwShort = this.maxBw.value;
    if (this.inflightShort === Infinity) this.inflightShort = window;
    this.bwShort = Math.max(this.bwLatest, beta * this.bwShort);
    this.inflightShort = Math.max(this.inflightLatest, beta * this.inflightShort);
  }

  private roundLossTooHigh(): boolean {
    if (!this.gains.learnsBaseline) return true;
    return this.isTooMuch(this.roundLost + this.roundMarked * this.mss, this.roundLost + this.roundAcked);
  }

  /** Whether `lost` of `sent` bytes is congestion. */
  isTooMuch(lost: number, sent: number): boolean {
    const { gains } = this;
    if (!gains.learnsBaseline) return lost > sent * gains.lossAllowance;
    const allowance = this.isQueueing ? gains.lossAllowanceQueueing : gains.lossAllowance;
    return this.baseline.isExceeded(lost / this.mss, sent / this.mss, allowance, this.roundBurst);
  }

  /** Packets lost in a row, on average of this round, where that is a long burst: a full queue loses few in a row. */
  get roundBurst(): number {
    const run = this.roundRuns === 0 ? 0 : this.roundLost / this.mss / this.roundRuns;
    return run > LONG_BURST ? run : 0;
  }

  /** The loss of the round under way, as a share. */
  get roundLoss(): number {
    const all = this.roundLost + this.roundAcked;
    return all === 0 ? 0 : this.roundLost / all;
  }

  private endRound(sample: RateSample): void {
    const packets = (this.roundLost + this.roundAcked) / this.mss;
    if (this.roundMostRtt > this.longestRtt) this.longestRtt = this.roundMostRtt;
    else this.longestRtt -= (this.longestRtt - this.roundMostRtt) * FADE;
    this.baseline.countRound();
    this.standingQueue.endRound(this.roundLeastRtt, sample.now);
    if (this.roundWasQuiet && this.isCalm && !sample.isAppLimited)
      this.baseline.addQuietRound(this.roundLost / this.mss, packets, this.roundRuns);
    if (this.baseline.isKnown && this.isTooMuch(this.roundLost, this.roundLost + this.roundAcked)) {
      this.policer.onLossyRound(sample.deliveryRate, this.roundMostRtt > this.minRtt * POLICER_QUEUE + QUEUE_SLACK);
    }
    this.lastRoundLeastRtt = this.roundLeastRtt;
    this.roundLost = 0;
    this.roundAcked = 0;
    this.roundMarked = 0;
    this.roundRuns = 0;
    this.roundLeastRtt = Infinity;
    this.roundMostRtt = 0;
    this.roundWasQuiet = true;
  }

  /** What was sent in this round was sent faster than the estimate: its loss says nothing of the link. */
  spoilRound(): void {
    this.roundWasQuiet = false;
  }

  /** End of the per-ACK steps. */
  advanceLatest(sample: RateSample): void {
    if (!this.lossRoundStart) return;
    this.bwLatest = sample.deliveryRate;
    this.inflightLatest = sample.delivered;
  }

  noteLoss(totalDelivered: number, isRun: boolean): void {
    if (!isRun) this.roundRuns++;
    if (!this.lossInRound) this.lossRoundDelivered = totalDelivered;
    this.lossInRound = true;
  }

  resetCongestionSignals(): void {
    this.lossInRound = false;
    this.bwLatest = 0;
    this.inflightLatest = 0;
  }

  resetShortTerm(): void {
    this.bwShort = Infinity;
    this.inflightShort = Infinity;
  }

  /** A probing cycle is over. */
  advanceCycle(): void {
    this.maxBw.advance();
    this.baseline.advance();
    this.policer.advance();
  }

  /** Forget the path's rate, and keep a part of it to begin again with. */
  restart(share: number): void {
    this.maxBw.reset(this.maxBw.value * share);
    this.inflightLong = Infinity;
    this.resetShortTerm();
    this.resetCongestionSignals();
    this.roundLost = 0;
    this.roundAcked = 0;
    this.spoilRound();
  }

  /** "BBR.min_rtt Min Filter": true when a ProbeRTT is due. */
  takeRtt(sample: RateSample, probe: ProbeRttClock): boolean {
    const { now, rtt } = sample;
    const { gains } = this;
    // Departure: while the round trip is at its least anyway, there is nothing to be found out by slowing down.
    const near = rtt >= 0 && rtt <= probe.minDelay * (1 + 1 / 64) + 250;
    if (near && now < probe.lastDoneAt + gains.probeRttIntervalMax)
      probe.minDelayAt = Math.max(probe.minDelayAt, now - 1);
    const expired = now > probe.minDelayAt + gains.probeRttInterval;
    if (rtt >= 0 && (rtt < probe.minDelay || expired)) {
      probe.minDelay = rtt;
      probe.minDelayAt = now;
    }
    if (probe.minDelay < this.minRtt || now > this.minRttAt + MIN_RTT_FILTER) {
      this.minRtt = probe.minDelay;
      this.minRttAt = probe.minDelayAt;
    }
    return expired;
  }
}

export interface ProbeRttClock {
  minDelay: number;
  minDelayAt: number;
  lastDoneAt: number;
}
