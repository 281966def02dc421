/** Work on the next few items of a list is begun before its turn comes: small files would cost a round trip each otherwise. */
export class Ahead<T> {
  private readonly begin: (index: number) => Promise<T>;
  private readonly length: number;
  private readonly most: number;
  private readonly begun = new Map<number, Promise<T>>();
  private next = 0;

  constructor(length: number, most: number, begin: (index: number) => Promise<T>) {
    this.length = length;
    this.most = most;
    this.begin = begin;
  }

  /** What was begun for this item; items are taken in order, each once. */
  async take(index: number): Promise<T> {
    for (this.next = Math.max(this.next, index); this.next < Math.min(this.length, index + this.most); this.next++) {
      const work = this.begin(this.next);
      // Its turn may never come.
      work.catch(() => undefined);
      this.begun.set(this.next, work);
    }
    const taken = this.begun.get(index);
    if (taken === undefined) throw new Error('an item was taken twice');
    this.begun.delete(index);
    return taken;
  }

  /** What was begun and never taken. */
  async leftover(): Promise<T[]> {
    const settled = await Promise.allSettled(this.begun.values());
    this.begun.clear();
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }
}
