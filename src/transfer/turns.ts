/** One operation after the other, in the order they came. An operation that needs no waiting runs at once. */
export class Turns {
  private last: Promise<void> | null = null;

  run<T>(operation: () => T | Promise<T>): Promise<T> {
    if (this.last !== null) return this.after(this.last, operation);
    let result: T | Promise<T>;
    try {
      result = operation();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    if (!(result instanceof Promise)) return Promise.resolve(result);
    this.hold(result);
    return result;
  }

  private after<T>(last: Promise<void>, operation: () => T | Promise<T>): Promise<T> {
    const result = last.then(operation);
    this.hold(result);
    return result;
  }

  private hold(result: Promise<unknown>): void {
    const settled = result.then(noop, noop);
    this.last = settled;
    void settled.then(() => {
      if (this.last === settled) this.last = null;
    });
  }
}

function noop(): void {
  // The outcome belongs to whoever asked; the next in line only waits.
}
