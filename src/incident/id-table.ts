/** Identifiers of 16 bytes to objects: an open-addressed table over their four words, without a string per look-up. */

/** Four signed words, as they lie in the entry, big-endian. Signed: V8 keeps those in the object itself. */
export interface IdWords {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export interface Identified {
  readonly id: IdWords;
}

export function wordsAt(view: DataView, at: number): IdWords {
  return { a: view.getInt32(at), b: view.getInt32(at + 4), c: view.getInt32(at + 8), d: view.getInt32(at + 12) };
}

export function wordsEqual({ a, b, c, d }: IdWords, view: DataView, at: number): boolean {
  return (
    a === view.getInt32(at) &&
    b === view.getInt32(at + 4) &&
    c === view.getInt32(at + 8) &&
    d === view.getInt32(at + 12)
  );
}

/** Of 32 hexadecimal digits; null is 16 zero bytes. */
export function wordsOfHex(id: string | null): IdWords {
  const at = (from: number): number => (id === null ? 0 : parseInt(id.slice(from, from + 8), 16) | 0);
  return { a: at(0), b: at(8), c: at(16), d: at(24) };
}

export function hexOfWords({ a, b, c, d }: IdWords): string {
  return [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

const START = 1024;

export class IdTable<T extends Identified> {
  private slots: (T | undefined)[] = new Array<T | undefined>(START).fill(undefined);
  private mask = START - 1;
  private count = 0;

  get size(): number {
    return this.count;
  }

  at(view: DataView, at: number): T | undefined {
    return this.find(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8), view.getInt32(at + 12));
  }

  get({ a, b, c, d }: IdWords): T | undefined {
    return this.find(a, b, c, d);
  }

  private find(a: number, b: number, c: number, d: number): T | undefined {
    const { slots, mask } = this;
    for (let at = home(a, b) & mask; ; at = (at + 1) & mask) {
      const found = slots[at];
      if (found === undefined) return undefined;
      const { id } = found;
      if (id.a === a && id.b === b && id.c === c && id.d === d) return found;
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
    let at = home(value.id.a, value.id.b) & mask;
    while (slots[at] !== value) {
      if (slots[at] === undefined) return;
      at = (at + 1) & mask;
    }
    // Those behind move up, so that no look-up ends at the hole.
    for (let next = (at + 1) & mask; ; next = (next + 1) & mask) {
      const other = slots[next];
      if (other === undefined) break;
      const wanted = home(other.id.a, other.id.b) & mask;
      if (((next - wanted) & mask) < ((next - at) & mask)) continue;
      slots[at] = other;
      at = next;
    }
    slots[at] = undefined;
    this.count--;
  }

  private place(value: T): void {
    const { slots, mask } = this;
    let at = home(value.id.a, value.id.b) & mask;
    while (slots[at] !== undefined) at = (at + 1) & mask;
    slots[at] = value;
  }

  private resize(): void {
    const old = this.slots;
    this.slots = new Array<T | undefined>(old.length * 2).fill(undefined);
    this.mask = this.slots.length - 1;
    for (const value of old) if (value !== undefined) this.place(value);
  }
}

function home(a: number, b: number): number {
  const mixed = Math.imul(a ^ (b >>> 7), 0x9e3779b1);
  return (mixed ^ (mixed >>> 15)) & 0x7fffffff;
}
