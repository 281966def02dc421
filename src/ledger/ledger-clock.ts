/**
 * Time of entries. It never goes back, over restarts too; a clock of the machine that does is waited for. What the
 * machine's clock did beside the monotonic one is told by `jump`, so that it can be recorded.
 */
export interface WallClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds of a clock that nobody can set. */
  monotonic(): number;
}

export const MACHINE_CLOCK: WallClock = { now: () => Date.now(), monotonic: () => performance.now() };

export interface Jump {
  readonly before: number;
  readonly after: number;
}

/** Clocks are slewed by a few parts in ten thousand while they are corrected; that is not a jump. */
const JUMP_MILLISECONDS = 2000;

export class LedgerClock {
  private readonly clock: WallClock;
  private last: number;
  private seen: { readonly wall: number; readonly monotonic: number };

  /** `last`: time of the last entry there is. */
  constructor(clock: WallClock, last: number) {
    this.clock = clock;
    this.last = last;
    this.seen = { wall: clock.now(), monotonic: clock.monotonic() };
  }

  now(): number {
    const now = this.clock.now();
    if (now > this.last) this.last = now;
    return this.last;
  }

  /** What the wall clock did since it was last asked, when it did not go with the monotonic one. */
  jump(): Jump | null {
    const wall = this.clock.now();
    const monotonic = this.clock.monotonic();
    const before = this.seen.wall + (monotonic - this.seen.monotonic);
    this.seen = { wall, monotonic };
    return Math.abs(wall - before) > JUMP_MILLISECONDS ? { before: Math.round(before), after: wall } : null;
  }
}
