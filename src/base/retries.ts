/**
 * Work that has to be done although it cannot be done now, as writing down what has already happened on a disk that is
 * full: tried again in order until it is done. Nobody is asked to wait for it for ever: stopping tries once more and
 * then gives up, and says so.
 */
export interface RetriesOptions {
  /** Whether trying again can help. */
  readonly again: (error: unknown) => boolean;
  /** Hears of work that was given up. */
  readonly report: (error: unknown) => void;
  readonly milliseconds?: number;
}

interface Pending {
  readonly work: () => Promise<unknown>;
  readonly done: () => void;
}

const EVERY_MS = 1000;

export class Retries {
  private readonly options: RetriesOptions;
  private readonly pending = new Set<Pending>();
  private timer: NodeJS.Timeout | null = null;
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(options: RetriesOptions) {
    this.options = options;
  }

  get waiting(): number {
    return this.pending.size;
  }

  /** Tries at once. Resolves when it is done or was given up; never rejects. */
  run(work: () => Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      void this.start({ work, done: resolve });
    });
  }

  /** One last try for each; afterwards nothing is tried twice. */
  async stop(): Promise<void> {
    await Promise.all(this.running);
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.tryAll();
  }

  private start(pending: Pending): Promise<void> {
    const attempt = this.attempt(pending).finally(() => this.running.delete(attempt));
    this.running.add(attempt);
    return attempt;
  }

  private async attempt(pending: Pending): Promise<void> {
    try {
      await pending.work();
    } catch (error) {
      if (!this.stopped && this.options.again(error)) {
        this.pending.add(pending);
        this.wait();
        return;
      }
      this.options.report(error);
    }
    this.pending.delete(pending);
    pending.done();
  }

  private wait(): void {
    if (this.timer !== null || this.pending.size === 0 || this.stopped) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.tryAll();
    }, this.options.milliseconds ?? EVERY_MS);
    this.timer.unref();
  }

  /** All at once: they share one commit. */
  private async tryAll(): Promise<void> {
    await Promise.all([...this.pending].map((one) => this.start(one)));
    this.wait();
  }
}
