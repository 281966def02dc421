/** A map of at most `limit` entries that forgets the one unused for longest; `forget` may wipe it. */
export class BoundedMap<K, V> {
  private readonly entries = new Map<K, V>();
  private readonly limit: number;
  private readonly forget: (value: V) => void;

  constructor(limit: number, forget: (value: V) => void = () => undefined) {
    this.limit = limit;
    this.forget = forget;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    // A Map keeps insertion order: putting it in again makes it the youngest.
    this.entries.delete(key);
    this.entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.limit) return;
    const oldest = this.entries.keys().next();
    if (oldest.done !== true) this.delete(oldest.value);
  }

  delete(key: K): void {
    const value = this.entries.get(key);
    if (value === undefined) return;
    this.entries.delete(key);
    this.forget(value);
  }

  clear(): void {
    for (const value of this.entries.values()) this.forget(value);
    this.entries.clear();
  }
}
