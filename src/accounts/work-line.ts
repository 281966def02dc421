/** Thrown when the line is full; the caller answers as if the attempt had failed, and tells the log. */
export class WorkRefused extends Error {
  override readonly name = 'WorkRefused';
}

export interface WorkLineLimits {
  readonly atOnce: number;
  readonly waiting: number;
  readonly perSource: number;
}

/** A client that opens a hundred sessions at once is still served; two at once leave threads for fsync. */
const DEFAULTS: WorkLineLimits = { atOnce: 2, waiting: 512, perSource: 128 };

/**
 * Runs costly work a few at a time. The rest waits in a bounded line, in which sources take turns and each has a
 * bounded part: a flood of passwords from one address neither takes the thread pool nor keeps others waiting.
 */
export class WorkLine {
  private running = 0;
  private waiting = 0;
  /** Sources in the order of their turns; those that have nothing waiting are not here. */
  private readonly turns = new Map<string, (() => void)[]>();
  private readonly limits: WorkLineLimits;

  constructor(limits = DEFAULTS) {
    this.limits = limits;
  }

  async run<T>(source: string, work: () => Promise<T>): Promise<T> {
    await this.enter(source);
    try {
      return await work();
    } finally {
      this.running--;
      this.startNext();
    }
  }

  private enter(source: string): Promise<void> {
    if (this.running < this.limits.atOnce) {
      this.running++;
      return Promise.resolve();
    }
    const own = this.turns.get(source) ?? [];
    if (this.waiting >= this.limits.waiting || own.length >= this.limits.perSource)
      return Promise.reject(new WorkRefused('too much is waiting already'));
    this.waiting++;
    return new Promise((resolve) => {
      own.push(resolve);
      this.turns.set(source, own);
    });
  }

  private startNext(): void {
    const next = this.turns.entries().next();
    if (next.done === true) return;
    const [source, own] = next.value;
    const start = own.shift();
    // Behind the others, or gone: a Map keeps the order in which its keys were set.
    this.turns.delete(source);
    if (own.length > 0) this.turns.set(source, own);
    this.waiting--;
    this.running++;
    start?.();
  }
}
