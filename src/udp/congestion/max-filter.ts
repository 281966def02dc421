/** The largest value of the last two cycles (draft-ietf-ccwg-bbr, "BBR.max_bw Max Filter"). */
export class CycleMaxFilter {
  private current = 0;
  private previous = 0;

  get value(): number {
    return Math.max(this.current, this.previous);
  }

  add(value: number): void {
    if (value > this.current) this.current = value;
  }

  advance(): void {
    // A cycle without a sample says nothing: what was known stays.
    if (this.current === 0) return;
    this.previous = this.current;
    this.current = 0;
  }

  /** Everything before is no longer true. */
  reset(value: number): void {
    this.current = value;
    this.previous = 0;
  }
}

/** The largest value of the last `length` rounds; for what rises and falls quickly. */
export class RoundMaxFilter {
  private readonly values: Float64Array;
  private round = 0;

  constructor(length: number) {
    this.values = new Float64Array(length);
  }

  add(value: number, round: number): void {
    const { values } = this;
    for (let passed = this.round + 1; passed <= Math.min(round, this.round + values.length); passed++) {
      values[passed % values.length] = 0;
    }
    this.round = round;
    const at = round % values.length;
    if (value > (values[at] as number)) values[at] = value;
  }

  get value(): number {
    let most = 0;
    for (const value of this.values) if (value > most) most = value;
    return most;
  }
}
