/** Thrown when the line is full; the caller answers as if the attempt had failed, and tells the log. */
export class WorkRefused extends Error {
  override readonly name = 'WorkRefused';
}

interface Job {
  readonly source: string;
  readonly start: () => void;
}

/**
 * Runs costly work a few at a time. The rest waits in a bounded line in which each source has a bounded part, so that
 * a flood of passwords from one address neither takes the thread pool (fsync needs it too) nor keeps others out.
 */
export class WorkLine {
  private running = 0;
  private readonly waiting: Job[] = [];
  private readonly held = new Map<string, number>();
  private readonly limits: { readonly atOnce: number; readonly waiting: number; readonly perSource: number };

  constructor(limits = { atOnce: 2, waiting: 64, perSource: 8 }) {
    this.limits = limits;
  }

  async run<T>(source: string, work: () => Promise<T>): Promise<T> {
    await this.enter(source);
    try {
      return await work();
    } finally {
      this.running--;
      this.waiting.shift()?.start();
    }
  }

  private enter(source: string): Promise<void> {
    if (this.running < this.limits.atOnce) {
      this.running++;
      return Promise.resolve();
    }
    const own = this.held.get(source) ?? 0;
    if (this.waiting.length >= this.limits.waiting || own >= this.limits.perSource)
      return Promise.reject(new WorkRefused('too many passwords are waiting to be checked'));
    this.held.set(source, own + 1);
    return new Promise((resolve) => {
      const start = () => {
        this.running++;
        this.letGo(source);
        resolve();
      };
      this.waiting.push({ source, start });
    });
  }

  private letGo(source: string): void {
    const left = (this.held.get(source) ?? 1) - 1;
    if (left <= 0) this.held.delete(source);
    else this.held.set(source, left);
  }
}
