/** A small seeded generator of numbers (sfc32): the same ledger for the same seed, on any machine. Not for secrets. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  constructor(seed: number, stream: number) {
    this.a = seed >>> 0;
    this.b = stream >>> 0;
    this.c = Math.imul(seed ^ (stream << 7), 0x9e3779b1) >>> 0;
    for (let round = 0; round < 16; round++) this.u32();
  }

  u32(): number {
    const t = (this.a + this.b + this.d++) >>> 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) >>> 0;
    return t;
  }

  /** 0 <= x < 1 */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Buffer {
    const out = Buffer.alloc(length);
    for (let at = 0; at < length; at += 4) out.writeUInt32LE(this.u32(), at);
    return out;
  }

  /** An identifier as entries have it. */
  id(): Buffer {
    return this.bytes(16);
  }
}
