/**
 * The state machine of draft-ietf-ccwg-bbr ("Detailed Algorithm"), with the departures of docs/design/fast-transfer.md.
 * Names follow the draft; sections are named where a part begins. `DRAFT_GAINS` turns the departures off.
 */
import type { Controller } from './controller.ts';
import type { RateSample } from './delivery-rate.ts';
import { PathModel } from './path-model.ts';
import type { ProbeRttClock } from './path-model.ts';
import type { Gains } from './policies.ts';

export type BbrPhase = 'startup' | 'drain' | 'down' | 'cruise' | 'refill' | 'up' | 'probe-rtt';
type AckPhase = 'init' | 'refilling' | 'probe-starting' | 'probe-feedback' | 'probe-stopping';

const PROBE_RTT_DURATION = 200_000;
const MIN_WINDOW_PACKETS = 4;
const INITIAL_WINDOW_PACKETS = 32;
/** Where the round trip is known beforehand and long: what this rate sends in one. Bytes per microsecond (8 Mb/s). */
const INITIAL_RATE = 1;
const INITIAL_WINDOW_PACKETS_MOST = 256;
const PACING_MARGIN = 0.99;
const FULL_BW_GROWTH = 1.25;
const FULL_BW_ROUNDS = 3;
const RENO_ROUNDS_MAX = 63;
/** Departure 2: only so much loss ends start-up by itself; with less it is the plateau that does. */
const STARTUP_LOSS_MAX = 0.2;
/** A queue of so many least round trips is long: somebody else fills it, and pushing makes it only longer. */
const LONG_QUEUE = 1;
/** What each flow may have in a queue that stands; with less in it several of ours would hold unequal shares for long. */
const STANDING_PACKETS = 24;
/** After this many rounds nothing sent while probing is still undecided. */
const SETTLING_ROUNDS = 2;

export interface BbrOptions {
  readonly gains: Gains;
  /** Bytes of a full packet, as congestion control counts them. */
  readonly mss: number;
  /** 0 <= x < 1. */
  readonly random: () => number;
  readonly now: number;
  /** Of the control channel's handshake, when it is known: microseconds. */
  readonly rttGuess?: number;
}

export class Bbr implements Controller {
  readonly model: PathModel;
  private readonly gains: Gains;
  private readonly mss: number;
  private readonly random: () => number;
  private readonly minWindow: number;
  private readonly initialWindow: number;

  state: BbrPhase = 'startup';
  private ackPhase: AckPhase = 'init';
  private pacingGain: number;
  private windowGain: number;
  pacingRate: number;
  window: number;
  isWindowLimited = false;
  readonly tripped = null;

  private totalDelivered = 0;
  private inflight = 0;
  private fullBw = 0;
  private fullBwCount = 0;
  private fullBwNow = false;
  private fullBwReached = false;
  private drainStartRound = 0;
  private quietFromRound = 0;
  private cycleAt = 0;
  private probeWait = 0;
  private roundsSinceProbe = 0;
  private isProbeSample = false;
  private prevProbeTooHigh = false;
  private prevProbePrecautionary = false;
  private upRounds = 0;
  private upAcked = 0;
  private upAckedPerStep = Infinity;
  private priorWindow = 0;
  private readonly probeRtt: ProbeRttClock = { minDelay: Infinity, minDelayAt: 0, lastDoneAt: 0 };
  private probeRttDoneAt = 0;
  private probeRttRoundDone = false;
  private idleRestart = false;

  constructor(options: BbrOptions) {
    this.gains = options.gains;
    this.mss = options.mss;
    this.random = options.random;
    this.minWindow = MIN_WINDOW_PACKETS * options.mss;
    const known = (INITIAL_RATE * (options.rttGuess ?? 0)) / options.mss;
    this.initialWindow = Math.max(INITIAL_WINDOW_PACKETS, Math.min(INITIAL_WINDOW_PACKETS_MOST, known)) * options.mss;
    this.model = new PathModel(options.gains, options.mss);
    this.model.minRttAt = this.probeRtt.minDelayAt = this.probeRtt.lastDoneAt = options.now;
    this.window = this.initialWindow;
    this.pacingGain = this.gains.startupPacing;
    this.windowGain = this.gains.startupWindow;
    // "Pacing Rate": without a round trip the draft takes 1 ms; a datagram protocol of long links can be gentler.
    this.pacingRate = (this.gains.startupPacing * this.initialWindow) / (options.rttGuess ?? 20_000);
  }

  get minRtt(): number {
    return this.model.minRtt;
  }

  get lossBaseline(): number {
    return this.gains.learnsBaseline ? this.model.baseline.value : 0;
  }

  get phase(): string {
    return this.state;
  }

  /** "Updating the Model Upon Packet Loss". */
  onLost(size: number, txInFlight: number, lostSince: number, isAppLimited: boolean, isRun: boolean): void {
    this.model.noteLoss(this.totalDelivered, isRun);
    if (!this.isProbeSample) return;
    if (!this.model.isTooMuch(lostSince, txInFlight)) return;
    this.inflightTooHigh(
      this.gains.learnsBaseline ? txInFlight : this.inflightAtLoss(size, txInFlight, lostSince),
      isAppLimited,
    );
  }

  /** "InflightAtLoss": at what volume on the way the loss began to be too much. */
  private inflightAtLoss(size: number, txInFlight: number, lostSince: number): number {
    const before = txInFlight - size;
    const allowed = this.gains.lossAllowance;
    return before + Math.max(0, (allowed * before - (lostSince - size)) / (1 - allowed));
  }

  private inflightTooHigh(txInFlight: number, isAppLimited: boolean): void {
    this.prevProbeTooHigh = true;
    this.isProbeSample = false;
    if (!isAppLimited) this.model.inflightLong = Math.max(txInFlight, this.targetInflight() * this.gains.beta);
    if (this.state === 'up') this.startDown(this.now);
  }

  private now = 0;

  /** "Per-ACK Steps". */
  onFeedback(sample: RateSample): void {
    this.now = sample.now;
    this.totalDelivered += sample.newlyAcked;
    this.inflight = sample.inflight;
    const { model } = this;
    model.take(sample, this.totalDelivered);
    if (model.roundStart) this.onRound();
    const isProbing = this.state === 'startup' || this.state === 'refill' || this.state === 'up';
    this.checkStartupLoss(sample);
    model.adapt(sample, isProbing, this.window);
    this.checkFullBandwidth(sample);
    if (this.state === 'startup' && this.fullBwReached) this.enterDrain();
    this.checkDrainDone(sample.now);
    this.updateCycle(sample);
    this.checkProbeRtt(sample, model.takeRtt(sample, this.probeRtt));
    model.advanceLatest(sample);
    this.setPacing();
    this.setWindow(sample);
    this.isWindowLimited = false;
  }

  private onRound(): void {
    this.roundsSinceProbe++;
    const { model } = this;
    // While the rate rises, what arrived is of more packets than what was lost: that says too little.
    const loud = this.state === 'up' || this.state === 'drain' || this.state === 'startup';
    if (loud) this.quietFromRound = model.roundCount + SETTLING_ROUNDS;
    if (loud || model.roundCount < this.quietFromRound) model.spoilRound();
  }

  /** "Exiting Startup Based on Packet Loss", departure 2: loss alone does not end start-up unless it is heavy. */
  private checkStartupLoss(sample: RateSample): void {
    if (this.state !== 'startup' || !this.model.roundStart || sample.isAppLimited) return;
    const { model } = this;
    const most = this.gains.learnsBaseline ? STARTUP_LOSS_MAX : this.gains.lossAllowance;
    const isBurst = this.gains.learnsBaseline && model.roundBurst > 0;
    if (model.roundLoss <= most || isBurst || this.totalDelivered < this.initialWindow * 2) return;
    this.fullBwReached = true;
    model.inflightLong = Math.max(model.bdp(1), sample.delivered);
  }

  /** "Exiting Acceleration Based on Bandwidth Plateau". */
  private checkFullBandwidth(sample: RateSample): void {
    if (this.fullBwNow || !this.model.roundStart || sample.isAppLimited || sample.deliveryRate === 0) return;
    if (sample.deliveryRate >= this.fullBw * FULL_BW_GROWTH) {
      this.resetFullBandwidth(sample.deliveryRate);
      return;
    }
    this.fullBwCount++;
    this.fullBwNow = this.fullBwCount >= FULL_BW_ROUNDS;
    if (this.fullBwNow) this.fullBwReached = true;
  }

  private resetFullBandwidth(rate: number): void {
    this.fullBw = rate;
    this.fullBwCount = 0;
    this.fullBwNow = false;
  }

  private enterDrain(): void {
    this.state = 'drain';
    this.pacingGain = this.gains.drainPacing;
    this.windowGain = this.gains.window;
    this.drainStartRound = this.model.roundCount;
  }

  private checkDrainDone(now: number): void {
    if (this.state !== 'drain') return;
    if (this.inflight <= this.model.bdp(1) || this.model.roundCount > this.drainStartRound + 3) {
      this.windowGain = this.gains.window;
      this.startDown(now);
    }
  }

  // "ProbeBW Algorithm Details"

  private startDown(now: number): void {
    this.model.resetCongestionSignals();
    this.upAckedPerStep = Infinity;
    this.roundsSinceProbe = Math.floor(this.random() * 2);
    const [least, spread] = this.gains.probeWait;
    this.probeWait = least + this.random() * spread;
    this.cycleAt = now;
    this.ackPhase = 'probe-stopping';
    this.model.startRound();
    this.enter('down', this.gains.downPacing);
  }

  private startRefill(): void {
    this.model.resetShortTerm();
    this.upRounds = 0;
    this.upAcked = 0;
    this.prevProbePrecautionary = false;
    this.ackPhase = 'refilling';
    this.model.startRound();
    this.enter('refill', 1);
  }

  private startUp(sample: RateSample): void {
    this.ackPhase = 'probe-starting';
    this.model.startRound();
    this.resetFullBandwidth(sample.deliveryRate);
    this.enter('up', this.gains.upPacing);
    this.windowGain = this.gains.upWindow;
    this.raiseSlope();
  }

  private enter(state: BbrPhase, pacingGain: number): void {
    this.state = state;
    this.pacingGain = pacingGain;
    this.windowGain = this.gains.window;
  }

  private get isProbeBw(): boolean {
    return this.state === 'down' || this.state === 'cruise' || this.state === 'refill' || this.state === 'up';
  }

  private updateCycle(sample: RateSample): void {
    if (!this.fullBwReached || this.adaptLongTerm(sample)) return;
    if (this.state === 'down' || this.state === 'cruise') {
      if (this.isTimeToProbe(sample.now)) this.startRefill();
      else if (this.state === 'down' && this.isTimeToCruise()) this.enter('cruise', this.gains.cruisePacing);
    } else if (this.state === 'refill') {
      if (!this.model.roundStart) return;
      this.isProbeSample = true;
      this.startUp(sample);
    } else if (this.state === 'up' && this.isTimeToGoDown(sample)) {
      this.prevProbeTooHigh = false;
      this.startDown(sample.now);
    }
  }

  private isTimeToProbe(now: number): boolean {
    const renoRounds = Math.min(this.targetInflight() / this.mss, RENO_ROUNDS_MAX);
    return now > this.cycleAt + this.probeWait || this.roundsSinceProbe >= renoRounds;
  }

  private isTimeToCruise(): boolean {
    return (
      this.inflight <= this.inflightWithHeadroom() &&
      this.inflight <= this.quantized(this.model.bdp(1, this.model.maxBandwidth))
    );
  }

  private isTimeToGoDown(sample: RateSample): boolean {
    const { model } = this;
    if (this.prevProbeTooHigh && this.inflight >= model.inflightLong) {
      this.prevProbePrecautionary = true;
      return true;
    }
    if (this.isWindowLimited && this.window >= model.inflightLong) {
      this.resetFullBandwidth(sample.deliveryRate);
      if (!this.gains.upEndsAtQueue) return false;
    }
    return this.fullBwNow || (this.gains.upEndsAtQueue && this.hasQueued());
  }

  /** What was to be found out is known once what is on the way is more than the path holds; more would only be delay. */
  private hasQueued(): boolean {
    const { model } = this;
    return this.isBehindOthers && this.inflight > this.quantized(model.bdp(this.gains.upPacing, model.maxBandwidth));
  }

  /** Two round trips on the way make a queue of one: a longer one is made by others, and is no use to anybody. */
  private get isBehindOthers(): boolean {
    return this.fullBwReached && this.model.queueShare > LONG_QUEUE;
  }

  private targetInflight(): number {
    return Math.min(this.model.bdp(1), this.window);
  }

  private inflightWithHeadroom(): number {
    const { inflightLong } = this.model;
    if (inflightLong === Infinity) return Infinity;
    return Math.max(inflightLong - Math.max(this.mss, this.gains.headroom * inflightLong), this.minWindow);
  }

  private raiseSlope(): void {
    const growth = 2 ** this.upRounds;
    this.upRounds = Math.min(this.upRounds + 1, 30);
    this.upAckedPerStep = Math.max(this.window / growth, this.mss);
  }

  private probeInflightUpward(sample: RateSample): void {
    if (!this.isWindowLimited || this.window < this.model.inflightLong) return;
    this.upAcked += sample.newlyAcked;
    if (this.upAcked >= this.upAckedPerStep) {
      const steps = Math.floor(this.upAcked / this.upAckedPerStep);
      this.upAcked -= steps * this.upAckedPerStep;
      this.model.inflightLong += steps * this.mss;
    }
    if (this.model.roundStart) this.raiseSlope();
  }

  private adaptLongTerm(sample: RateSample): boolean {
    const { model } = this;
    if (this.ackPhase === 'probe-starting' && model.roundStart) this.ackPhase = 'probe-feedback';
    if (this.ackPhase === 'probe-stopping' && model.roundStart) {
      this.isProbeSample = false;
      this.ackPhase = 'init';
      if (this.isProbeBw && !sample.isAppLimited) model.advanceCycle();
      if (this.isProbeBw && this.prevProbePrecautionary && !this.prevProbeTooHigh) {
        this.startRefill();
        return true;
      }
    }
    if (model.inflightLong === Infinity || model.isTooMuch(sample.lost, sample.txInFlight)) return false;
    if (sample.hasData && sample.txInFlight > model.inflightLong) model.inflightLong = sample.txInFlight;
    if (this.state === 'up') this.probeInflightUpward(sample);
    return false;
  }

  // "ProbeRTT Logic"

  private checkProbeRtt(sample: RateSample, isDue: boolean): void {
    if (this.state !== 'probe-rtt' && isDue && !this.idleRestart) {
      this.saveWindow();
      this.enter('probe-rtt', 1);
      this.windowGain = this.gains.probeRttWindow;
      this.probeRttDoneAt = 0;
      this.ackPhase = 'probe-stopping';
      this.model.startRound();
    }
    if (this.state === 'probe-rtt') this.handleProbeRtt(sample.now);
    if (sample.newlyAcked > 0) this.idleRestart = false;
  }

  private handleProbeRtt(now: number): void {
    this.model.spoilRound();
    if (this.probeRttDoneAt === 0) {
      if (this.inflight > this.probeRttWindow()) return;
      this.probeRttDoneAt = now + PROBE_RTT_DURATION;
      this.probeRttRoundDone = false;
      this.model.startRound();
      return;
    }
    if (this.model.roundStart) this.probeRttRoundDone = true;
    if (this.probeRttRoundDone && now > this.probeRttDoneAt) this.exitProbeRtt(now);
  }

  private exitProbeRtt(now: number): void {
    this.probeRtt.minDelayAt = now;
    this.probeRtt.lastDoneAt = now;
    this.window = Math.max(this.window, this.priorWindow);
    this.model.resetShortTerm();
    if (!this.fullBwReached) {
      this.enterStartup();
      return;
    }
    this.startDown(now);
    this.enter('cruise', this.gains.cruisePacing);
  }

  private probeRttWindow(): number {
    return Math.max(this.model.bdp(this.gains.probeRttWindow), this.minWindow);
  }

  private saveWindow(): void {
    this.priorWindow = this.state === 'probe-rtt' ? Math.max(this.priorWindow, this.window) : this.window;
  }

  private enterStartup(): void {
    this.enter('startup', this.gains.startupPacing);
    this.windowGain = this.gains.startupWindow;
  }

  /** "Restarting From Idle". */
  onRestartFromIdle(now: number): void {
    this.idleRestart = true;
    if (this.isProbeBw) this.pacingRate = this.paced(1);
    else if (this.state === 'probe-rtt' && this.probeRttDoneAt !== 0 && now > this.probeRttDoneAt)
      this.exitProbeRtt(now);
  }

  /** After an outage the path may be another one: begin again from half of what it carried. */
  onSilence(now: number): void {
    this.model.restart(0.5);
    this.probeRtt.minDelayAt = this.probeRtt.lastDoneAt = now;
    this.fullBwReached = false;
    this.resetFullBandwidth(0);
    this.isProbeSample = false;
    this.ackPhase = 'init';
    this.enterStartup();
    this.window = Math.max(
      this.initialWindow,
      Math.min(this.window, this.model.minRtt === Infinity ? 0 : this.model.bdp(1)),
    );
    this.pacingRate = Math.max(this.paced(1), this.initialWindow / Math.min(this.model.minRtt, 1_000_000));
  }

  // "Updating Control Parameters"

  private paced(gain: number): number {
    return gain * this.model.bandwidth * PACING_MARGIN;
  }

  private setPacing(): void {
    if (this.model.bandwidth === 0) return;
    const rate = this.paced(this.pacingGain);
    if (this.fullBwReached || rate > this.pacingRate) this.pacingRate = rate;
  }

  private quantized(volume: number): number {
    const least = Math.max(volume, this.minWindow, 3 * this.mss);
    return this.state === 'up' ? least + 2 * this.mss : least;
  }

  /** Departure 8: a queue that stands is not made longer; of it each flow has the same, so the smaller one grows. */
  private wantedVolume(): number {
    const { model, gains } = this;
    const volume = model.bdp(this.windowGain);
    if (!this.fullBwReached || !model.standingQueue.isThere) return volume;
    return Math.min(volume, model.bdp(gains.standingWindow) + STANDING_PACKETS * this.mss);
  }

  private setWindow(sample: RateSample): void {
    const { model } = this;
    const most = model.minRtt === Infinity ? this.initialWindow : this.quantized(this.wantedVolume() + model.extra);
    if (this.fullBwReached) this.window = Math.min(this.window + sample.newlyAcked, most);
    else if (this.window < most || this.totalDelivered < this.initialWindow) this.window += sample.newlyAcked;
    this.window = Math.max(this.window, this.minWindow);
    if (this.state === 'probe-rtt') this.window = Math.min(this.window, this.probeRttWindow());
    this.boundWindow();
  }

  /** "Bounding cwnd Based on Recent Congestion". */
  private boundWindow(): void {
    const { model } = this;
    let most = Infinity;
    if (this.isProbeBw && this.state !== 'cruise') most = model.inflightLong;
    else if (this.state === 'probe-rtt' || this.state === 'cruise') most = this.inflightWithHeadroom();
    most = Math.max(Math.min(most, model.inflightShort), this.minWindow);
    this.window = Math.min(this.window, most);
  }
}
