/**
 * Brings the receiver's clock to ours: a feedback was made no later than it arrived. The smallest difference ever seen is
 * the quickest way back; it is let rise by the drift that two clocks may have. A receiver that lies can only make its
 * feedback look earlier, which the send rate bounds, or make itself look slower.
 */
const DRIFT = 1e-4;

export class ReceiverClock {
  private offset = Infinity;
  private offsetAt = 0;
  private latest = 0;

  /** When, on our clock, feedback with this clock reading was made, plus the quickest way back; never after `now`. */
  toOurs(clock: number, now: number): number {
    this.offset = Math.min(this.offset + (now - this.offsetAt) * DRIFT, now - clock);
    this.offsetAt = now;
    // Never backwards: feedback may be overtaken.
    this.latest = Math.min(now, Math.max(this.latest, clock + this.offset));
    return this.latest;
  }
}
