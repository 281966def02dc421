/**
 * Finds token-bucket policers (draft-ietf-ccwg-bbr, "Handling Token Bucket Policers", leaves them to its bounds on
 * inflight; BBR's first version had a detector, which this is in the spirit of): much is lost, nothing queues, and what
 * gets through is the same rate each time.
 */
const SAME_RATE = 1 / 8;
const ROUNDS_NEEDED = 3;
const HELD_CYCLES = 8;

export class PolicerDetector {
  private rate = 0;
  private alike = 0;
  private cyclesLeft = 0;

  /** The rate that gets through, or Infinity when there is no policer to be seen. */
  get limit(): number {
    return this.cyclesLeft > 0 ? this.rate : Infinity;
  }

  /** A round with loss above the baseline: `rate` is what was delivered in it. */
  onLossyRound(rate: number, isQueueing: boolean): void {
    if (isQueueing || rate <= 0) {
      this.alike = 0;
      return;
    }
    this.alike = Math.abs(rate - this.rate) <= this.rate * SAME_RATE ? this.alike + 1 : 1;
    this.rate = this.alike === 1 ? rate : this.rate + (rate - this.rate) / this.alike;
    if (this.alike >= ROUNDS_NEEDED) this.cyclesLeft = HELD_CYCLES;
  }

  /** A probing cycle begins: after some of them the policer has to show itself again. */
  advance(): void {
    if (this.cyclesLeft > 0) this.cyclesLeft--;
    if (this.cyclesLeft === 0) this.alike = 0;
  }
}
