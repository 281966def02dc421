/** So many at once, no more. */

/** Rejects with the first failure, after what was under way has ended; nothing is begun after it. */
export async function pool<T>(width: number, all: Iterable<T>, work: (one: T) => Promise<void>): Promise<void> {
  const source = all[Symbol.iterator]();
  const state: { failed: { readonly error: unknown } | null } = { failed: null };
  const worker = async (): Promise<void> => {
    while (state.failed === null) {
      const next = source.next();
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (error) {
        state.failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (state.failed !== null) throw state.failed.error;
}

/** So many at once, first come, first served. */
export class Permits {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(free: number) {
    this.free = free;
  }

  async take(): Promise<void> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  give(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next();
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    await this.take();
    try {
      return await work();
    } finally {
      this.give();
    }
  }
}

/** Work that is not waited for one by one: `add` waits while too much is under way. */
export class Backlog {
  private readonly most: number;
  private readonly bytesMost: number;
  private readonly under = new Set<Promise<void>>();
  private bytes = 0;
  private failed: { readonly error: unknown } | null = null;

  constructor(most: number, bytesMost: number) {
    this.most = most;
    this.bytesMost = bytesMost;
  }

  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    while (this.under.size >= this.most || (this.bytes > 0 && this.bytes + bytes > this.bytesMost))
      await Promise.race(this.under);
    this.throwFailed();
    this.bytes += bytes;
    const one: Promise<void> = work()
      .catch((error: unknown) => {
        this.failed ??= { error };
      })
      .finally(() => {
        this.bytes -= bytes;
        this.under.delete(one);
      });
    this.under.add(one);
  }

  async finish(): Promise<void> {
    await Promise.all(this.under);
    this.throwFailed();
  }

  private throwFailed(): void {
    if (this.failed !== null) throw this.failed.error;
  }
}
