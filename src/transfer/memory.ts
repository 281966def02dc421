/**
 * Who may hold how many bytes. Budgets form a chain (session -> process): taking counts in both, and waiting ends when
 * neither is over its limit. A budget never refuses bytes that are already there; it makes the producer wait.
 */
export class MemoryBudget {
  readonly limit: number;
  used = 0;
  /** Called when somebody waits: holders hand over what they keep back for larger batches, or drop what they can make again. */
  readonly pressure = new Set<() => void>();
  private readonly parent: MemoryBudget | null;
  private waiting: (() => void)[] = [];
  private readonly passOn = (): void => {
    this.press();
  };

  constructor(limit: number, parent: MemoryBudget | null = null) {
    this.limit = limit;
    this.parent = parent;
    parent?.pressure.add(this.passOn);
  }

  get over(): boolean {
    return this.used > this.limit || (this.parent?.over ?? false);
  }

  /** Whether `bytes` more would still be within the limits. */
  fits(bytes: number): boolean {
    return this.used + bytes <= this.limit && (this.parent?.fits(bytes) ?? true);
  }

  take(bytes: number): void {
    this.used += bytes;
    this.parent?.take(bytes);
  }

  give(bytes: number): void {
    this.used -= bytes;
    if (this.used <= this.limit && this.waiting.length > 0) {
      const woken = this.waiting;
      this.waiting = [];
      for (const wake of woken) wake();
    }
    this.parent?.give(bytes);
  }

  async below(): Promise<void> {
    while (this.over) {
      if (this.used > this.limit) await this.turn();
      else await this.parent?.turn();
    }
  }

  /** The session is over: nothing of it is asked under pressure any more. */
  close(): void {
    this.parent?.pressure.delete(this.passOn);
  }

  press(): void {
    for (const release of this.pressure) release();
  }

  private turn(): Promise<void> {
    this.press();
    if (this.used <= this.limit) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/** Buffers of one size for use again: a new 1 MiB buffer is 256 page faults, which cost more than reading into it. */
export class BufferPool {
  private readonly size: number;
  private readonly keep: number;
  private readonly free: Buffer[] = [];

  constructor(size: number, keep: number) {
    this.size = size;
    this.keep = keep;
  }

  take(): Buffer {
    return this.free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  give(buffer: Buffer): void {
    if (buffer.length === this.size && this.free.length < this.keep) this.free.push(buffer);
  }
}
