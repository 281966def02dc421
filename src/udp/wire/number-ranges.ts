/**
 * A set of whole numbers as sorted ranges in two typed arrays, bounded in number. Made for packet numbers and stream
 * offsets: they come nearly in order, holes are filled near the front, and the front is cut off. Ranges are inclusive.
 */
export class NumberRanges {
  private lows: Float64Array;
  private highs: Float64Array;
  /** Index of the first range; what is before is free. */
  private start = 0;
  private end = 0;
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
    this.lows = new Float64Array(64);
    this.highs = new Float64Array(64);
  }

  get count(): number {
    return this.end - this.start;
  }

  low(index: number): number {
    return this.lows[this.start + index] as number;
  }

  high(index: number): number {
    return this.highs[this.start + index] as number;
  }

  /** The index of the first range that ends at or above `value`; `count` when there is none. */
  find(value: number): number {
    // The newest range is asked for most of the time.
    if (this.end === this.start || (this.highs[this.end - 1] as number) < value) return this.count;
    let [from, to] = [this.start, this.end - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.highs[middle] as number) < value) from = middle + 1;
      else to = middle;
    }
    return from - this.start;
  }

  has(value: number): boolean {
    const index = this.find(value);
    return index < this.count && this.low(index) <= value;
  }

  /** Adds low..high. The count of numbers that were not there, or -1 when the set is full and would grow: nothing changed then. */
  add(low: number, high: number): number {
    const last = this.end - 1;
    if (last >= this.start && (this.highs[last] as number) + 1 === low) {
      this.highs[last] = high;
      return high - low + 1;
    }
    if (last < this.start || (this.highs[last] as number) + 1 < low) return this.insert(this.count, low, high);
    return this.merge(low, high);
  }

  private merge(low: number, high: number): number {
    const from = this.find(low - 1);
    let to = from;
    let added = high - low + 1;
    let [first, last] = [low, high];
    while (to < this.count && this.low(to) <= high + 1) {
      const overlapLow = Math.max(low, this.low(to));
      const overlapHigh = Math.min(high, this.high(to));
      if (overlapHigh >= overlapLow) added -= overlapHigh - overlapLow + 1;
      first = Math.min(first, this.low(to));
      last = Math.max(last, this.high(to));
      to++;
    }
    if (to === from) return this.insert(from, low, high);
    this.lows[this.start + from] = first;
    this.highs[this.start + from] = last;
    if (to > from + 1) this.drop(from + 1, to);
    return added;
  }

  private insert(index: number, low: number, high: number): number {
    if (this.count >= this.most) return -1;
    // Whichever side is shorter moves.
    if (index < this.count - index && this.start > 0) {
      this.lows.copyWithin(this.start - 1, this.start, this.start + index);
      this.highs.copyWithin(this.start - 1, this.start, this.start + index);
      this.start--;
    } else {
      if (this.end === this.lows.length) this.makeRoom();
      this.lows.copyWithin(this.start + index + 1, this.start + index, this.end);
      this.highs.copyWithin(this.start + index + 1, this.start + index, this.end);
      this.end++;
    }
    this.lows[this.start + index] = low;
    this.highs[this.start + index] = high;
    return high - low + 1;
  }

  private drop(from: number, to: number): void {
    if (from < this.count - to) {
      this.lows.copyWithin(this.start + to - from, this.start, this.start + from);
      this.highs.copyWithin(this.start + to - from, this.start, this.start + from);
      this.start += to - from;
    } else {
      this.lows.copyWithin(this.start + from, this.start + to, this.end);
      this.highs.copyWithin(this.start + from, this.start + to, this.end);
      this.end -= to - from;
    }
  }

  private makeRoom(): void {
    const count = this.count;
    // A quarter of slack in front keeps both ends cheap.
    const length = count * 2 > this.lows.length ? this.lows.length * 2 : this.lows.length;
    const at = Math.min(this.start, (length - count) >> 2);
    this.lows = moved(this.lows, length, this.start, this.end, at);
    this.highs = moved(this.highs, length, this.start, this.end, at);
    this.start = at;
    this.end = at + count;
  }

  /** Takes away low..high. False when that would need one more range than the set may have: nothing changed then. */
  remove(low: number, high: number): boolean {
    const from = this.find(low);
    if (from === this.count || this.low(from) > high) return true;
    const firstLow = this.low(from);
    if (firstLow < low && this.high(from) > high) return this.split(from, low, high);
    let index = from;
    if (firstLow < low) {
      this.highs[this.start + index] = low - 1;
      index++;
    }
    let to = index;
    while (to < this.count && this.high(to) <= high) to++;
    if (to < this.count && this.low(to) <= high) this.lows[this.start + to] = high + 1;
    if (to > index) this.drop(index, to);
    return true;
  }

  private split(index: number, low: number, high: number): boolean {
    const last = this.high(index);
    if (this.insert(index + 1, high + 1, last) < 0) return false;
    this.highs[this.start + index] = low - 1;
    return true;
  }

  /** Forgets everything below `value`. */
  cutBelow(value: number): void {
    while (this.start < this.end && (this.highs[this.start] as number) < value) this.start++;
    if (this.start === this.end) this.start = this.end = 0;
    else if ((this.lows[this.start] as number) < value) this.lows[this.start] = value;
  }
}

function moved(from: Float64Array, length: number, start: number, end: number, at: number): Float64Array {
  const target = length === from.length ? from : new Float64Array(length);
  if (target === from) target.copyWithin(at, start, end);
  else target.set(from.subarray(start, end), at);
  return target;
}
