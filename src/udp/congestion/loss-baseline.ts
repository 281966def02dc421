/**
 * How much is lost here whatever we send (departure 1 of docs/design/fast-transfer.md). Loss that congestion makes falls
 * when less is sent; loss of the link does not. So only quiet rounds count, those sent at no more than the estimated rate
 * over a queue that has not grown, and of them the least of two probing cycles, one of which slowed down on purpose.
 */
export const BASELINE_MAX = 0.15;
/** A block of fewer packets says too little (at 5 % it is off by 1 % two times in three). */
const BLOCK_PACKETS = 400;
const BLOCK_RUNS = 10;
const BLOCK_PACKETS_MAX = 4000;
const BURST_MAX = 64;
/** A tenth of heavy loss would be half of what the policies allow above the baseline. */
const BELOW_SMOOTHED_MAX = 0.004;
const UNKNOWN = 0.1;
/** No quiet block in so many rounds: then the queue is never empty, and loss is what it usually is. */
const UNKNOWN_ROUNDS = 20;

/** Runs of geometric length vary by twice their mean. */
const variation = (run: number): number => 2 * Math.min(run, BURST_MAX) - 1;

export class LossBaseline {
  private blockLost = 0;
  private blockPackets = 0;
  private blockRuns = 0;
  private burst = 1;
  private thisCycle = Infinity;
  private lastCycle = Infinity;
  private smoothed = 0;
  value = 0;
  isKnown = false;
  private rounds = 0;

  /** Until a quiet block was seen, nothing but heavy loss is held against the path. */
  get toJudgeBy(): number {
    return this.isKnown || this.rounds > UNKNOWN_ROUNDS ? this.value : UNKNOWN;
  }

  countRound(): void {
    this.rounds++;
  }

  /**
   * Whether `lost` of `sent` packets is more than the baseline and an allowance explain. Two standard deviations are added,
   * because the question is asked at every loss and chance alone would answer yes before long; loss in bursts deviates more.
   * `burst`: packets in a row of which this loss is, where they are many; 0 otherwise.
   */
  isExceeded(lost: number, sent: number, allowance: number, burst = 0): boolean {
    const judge = this.toJudgeBy;
    const expected = sent * (judge + allowance);
    const deviation = Math.max(judge > 0 ? this.burst : 0.25, variation(burst));
    return lost > expected + 2 * Math.sqrt(expected * deviation);
  }

  /** One round's packets that were decided, all sent in quiet: how many were lost, in how many runs. */
  addQuietRound(lost: number, packets: number, runs: number): void {
    this.blockLost += lost;
    this.blockPackets += packets;
    this.blockRuns += runs;
    // The first block is small, to know something soon; later ones hold enough runs to say how often they come.
    if (this.blockPackets < BLOCK_PACKETS) return;
    if (this.isKnown && this.blockRuns < BLOCK_RUNS && this.blockPackets < BLOCK_PACKETS_MAX) return;
    const rate = this.blockLost / this.blockPackets;
    const share = this.isKnown ? 1 / 4 : 1;
    this.smoothed += (rate - this.smoothed) * share;
    const run = this.blockRuns === 0 ? 1 : this.blockLost / this.blockRuns;
    this.burst += (Math.max(1, variation(run)) - this.burst) * share;
    // Not the very least: of many blocks of equal loss the least is always too low.
    const floor = this.smoothed - Math.min(this.smoothed * 0.1, BELOW_SMOOTHED_MAX);
    this.thisCycle = Math.min(this.thisCycle, Math.max(rate, floor));
    this.blockLost = 0;
    this.blockPackets = 0;
    this.blockRuns = 0;
    this.settle();
  }

  /** A probing cycle begins. */
  advance(): void {
    if (this.thisCycle !== Infinity) {
      this.lastCycle = this.thisCycle;
      this.thisCycle = Infinity;
    }
    this.settle();
  }

  private settle(): void {
    const least = Math.min(this.thisCycle, this.lastCycle);
    if (least === Infinity) return;
    this.isKnown = true;
    this.value = Math.min(least, BASELINE_MAX);
  }
}
