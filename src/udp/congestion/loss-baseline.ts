/**
 * How much is lost here whatever we send (departure 1 of docs/design/fast-transfer.md). Loss that congestion makes falls
 * when less is sent; loss of the link does not. So only quiet rounds count, those sent at no more than the estimated rate
 * over a queue that has not grown, and of them the least of two probing cycles, one of which slowed down on purpose.
 */
export const BASELINE_MAX = 0.15;
/** A block of fewer packets says too little (at 5 % it is off by 1 % two times in three). */
const BLOCK_PACKETS = 400;
const UNKNOWN = 0.1;

export class LossBaseline {
  private blockLost = 0;
  private blockPackets = 0;
  private thisCycle = Infinity;
  private lastCycle = Infinity;
  private smoothed = 0;
  value = 0;
  private isKnown = false;

  /** Until a quiet block was seen, nothing but heavy loss is held against the path. */
  get toJudgeBy(): number {
    return this.isKnown ? this.value : UNKNOWN;
  }

  /** One round's packets that were decided, all sent in quiet. */
  addQuietRound(lost: number, packets: number): void {
    this.blockLost += lost;
    this.blockPackets += packets;
    if (this.blockPackets < BLOCK_PACKETS) return;
    const rate = this.blockLost / this.blockPackets;
    this.smoothed = this.smoothed === 0 ? rate : this.smoothed + (rate - this.smoothed) / 4;
    // Not the very least: of many blocks of equal loss the least is always too low.
    this.thisCycle = Math.min(this.thisCycle, Math.max(rate, this.smoothed * 0.9));
    this.blockLost = 0;
    this.blockPackets = 0;
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

/**
 * Whether `lost` of `sent` packets is more than the baseline and an allowance explain. Two standard deviations are
 * added, because the question is asked at every loss and chance alone would answer yes before long.
 */
export function exceedsBaseline(lost: number, sent: number, baseline: number, allowance: number): boolean {
  const expected = sent * (baseline + allowance);
  return lost > expected + 2 * Math.sqrt(expected * (baseline > 0 ? 1 : 0.25));
}
