/** Smoothed round trip and its variation (RFC 6298, RFC 9002 section 5), in microseconds. */
const UNKNOWN_RTT = 100_000;

export class RoundTrip {
  smoothed: number;
  variation: number;
  latest = 0;
  least = Infinity;
  private known = false;

  constructor(guess = UNKNOWN_RTT) {
    this.smoothed = guess;
    this.variation = guess / 2;
  }

  add(rtt: number): void {
    this.latest = rtt;
    this.least = Math.min(this.least, rtt);
    if (!this.known) {
      this.known = true;
      this.smoothed = rtt;
      this.variation = rtt / 2;
      return;
    }
    this.variation += (Math.abs(this.smoothed - rtt) - this.variation) / 4;
    this.smoothed += (rtt - this.smoothed) / 8;
  }

  get isKnown(): boolean {
    return this.known;
  }

  /** How long to wait for feedback before asking again (RFC 9002 section 6.2.1); `feedbackEvery` is what we asked for. */
  probeTimeout(feedbackEvery: number): number {
    return this.smoothed + Math.max(4 * this.variation, 1000) + 2 * feedbackEvery + 5000;
  }
}
