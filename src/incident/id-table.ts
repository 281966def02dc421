/** Identifiers of 16 bytes to objects: an open-addressed table over their four words, without a string per look-up. */
export interface Identified {
  /** Four words, as they lie in the entry. */
  readonly id: Uint32Array;
}

const START = 1024;

export class IdTable<T extends Identified> {
  private slots: (T | undefined)[] = new Array<T | undefined>(START);
  private mask = START - 1;
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(a: number, b: number, c: number, d: number): T | undefined {
    const { slots, mask } = this;
    for (let at = home(a, b) & mask; ; at = (at + 1) & mask) {
      const found = slots[at];
      if (found === undefined) return undefined;
      const { id } = found;
      if (id[0] === a && id[1] === b && id[2] === c && id[3] === d) return found;
    }
  }

  /** The caller has looked: this id is not in it. */
  add(value: T): void {
    if ((this.count + 1) * 2 > this.slots.length) this.resize();
    this.place(value);
    this.count++;
  }

  remove(value: T): void {
    const { slots, mask } = this;
    let at = home(value.id[0] ?? 0, value.id[1] ?? 0) & mask;
    while (slots[at] !== value) {
      if (slots[at] === undefined) return;
      at = (at + 1) & mask;
    }
    // Those behind move up, so that no look-up ends at the hole.
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const other = slots[next];
      if (other === undefined) break;
      const wanted = home(other.id[0] ?? 0, other.id[1] ?? 0) & mask;
      if (((next - wanted) & mask) < ((next - at) & mask)) continue;
      slots[at] = other;
      at = next;
    }
    slots[at] = undefined;
    this.count--;
  }

  private place(value: T): void {
    const { slots, mask } = this;
    let at = home(value.id[0] ?? 0, value.id[1] ?? 0) & mask;
    while (slots[at] !== undefined) at = (at + 1) & mask;
    slots[at] = value;
  }

  private resize(): void {
    const old = this.slots;
    this.slots = new Array<T | undefined>(old.length * 2);
    this.mask = this.slots.length - 1;
    for (const value of old) if (value !== undefined) this.place(value);
  }
}

function home(a: number, b: number): number {
  const mixed = Math.imul(a ^ (b >>> 7), 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
