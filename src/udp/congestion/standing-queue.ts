/**
 * Whether a queue stands before the bottleneck that does not go away (departure 8 of docs/design/fast-transfer.md). The
 * least round trip of BBR's own filter forgets in ten seconds, and beside a flow that keeps a deep buffer full it then
 * takes the queue for the path; what was seen in the last minute still tells them apart.
 */
const WINDOW = 30_000_000;
/** So much of the path's round trip, and what jitter of an idle link may be. */
const SHARE = 0.5;
const SLACK = 4000;
/** Probing makes a queue too: for fewer rounds. */
const ROUNDS = 3;

export class StandingQueue {
  private before = Infinity;
  private current = Infinity;
  private since = 0;
  private rounds = 0;

  get isThere(): boolean {
    return this.rounds >= ROUNDS;
  }

  /** `leastRtt`: of the round; Infinity when none was measured. */
  endRound(leastRtt: number, now: number): void {
    if (leastRtt === Infinity) return;
    if (now > this.since + WINDOW) {
      this.before = this.current;
      this.current = Infinity;
      this.since = now;
    }
    this.current = Math.min(this.current, leastRtt);
    const path = Math.min(this.before, this.current);
    this.rounds = leastRtt > path * (1 + SHARE) + SLACK ? this.rounds + 1 : 0;
  }
}
