/**
 * What a receiver knows of its path, to be shown to people; nothing is decided by it. Loss is told by the packet numbers
 * that are missing. The round trip is told by what its feedback brings about: when the sender says that everything below a
 * number is decided, it has heard a feedback that reached so far, and that took a round trip at least. The least of
 * the last seconds is near it.
 */

/** A sender leaves out one number in so many, to find receivers that lie (sender.ts). */
const LEFT_OUT = 1 / 500;
/** Numbers of a block; loss is that of the present block and the one before. */
const BLOCK = 2048;
const FEEDBACKS = 256;
/** Microseconds, of each of two spans in turn. */
const SPAN = 5_000_000;

export class PathFigures {
  private first = -1;
  private highest = -1;
  private arrived = 0;
  private before = { span: 0, arrived: 0 };
  private readonly reaches = new Float64Array(FEEDBACKS);
  private readonly sentAt = new Float64Array(FEEDBACKS);
  private sent = 0;
  /** The oldest feedback that a number which is not decided yet may have waited for. */
  private oldest = 0;
  private least = Infinity;
  private leastBefore = Infinity;
  private spanFrom = -Infinity;

  /** Each number arrives once: what was there before is refused as a replay. */
  onArrived(packetNumber: number): void {
    if (this.first < 0) this.first = packetNumber;
    this.highest = Math.max(this.highest, packetNumber);
    this.arrived++;
    const span = this.highest - this.first + 1;
    if (span < BLOCK) return;
    this.before = { span, arrived: this.arrived };
    [this.first, this.arrived] = [this.highest + 1, 0];
  }

  onFeedback(highest: number, now: number): void {
    const slot = this.sent++ % FEEDBACKS;
    this.reaches[slot] = highest;
    this.sentAt[slot] = now;
    this.oldest = Math.max(this.oldest, this.sent - FEEDBACKS);
  }

  /** All below is decided for the sender. */
  onDecided(below: number, now: number): void {
    while (this.oldest < this.sent && (this.reaches[this.oldest % FEEDBACKS] as number) < below - 1) this.oldest++;
    if (this.oldest === this.sent) return;
    if (now - this.spanFrom > SPAN) [this.leastBefore, this.least, this.spanFrom] = [this.least, Infinity, now];
    this.least = Math.min(this.least, now - (this.sentAt[this.oldest % FEEDBACKS] as number));
  }

  /** Microseconds; null: not known yet. */
  get roundTrip(): number | null {
    const least = Math.min(this.least, this.leastBefore);
    return least === Infinity ? null : least;
  }

  /** Null: too little came to tell. */
  get loss(): number | null {
    const span = this.before.span + (this.first < 0 ? 0 : Math.max(0, this.highest - this.first + 1));
    if (span < BLOCK / 8) return null;
    return Math.max(0, 1 - (this.before.arrived + this.arrived) / (span * (1 - LEFT_OUT)));
  }
}
