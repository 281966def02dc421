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
  private trying: Promise<unknown> = Promise.resolve();
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
      void this.attempt({ work, done: resolve });
    });
  }

  /** One last try for each; afterwards nothing is tried twice. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.trying;
    await this.tryAll();
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
      this.trying = this.tryAll();
    }, this.options.milliseconds ?? EVERY_MS);
    this.timer.unref();
  }

  /** All at once: they share one commit. */
  private async tryAll(): Promise<void> {
    await Promise.all([...this.pending].map((one) => this.attempt(one)));
    this.wait();
  }
}
