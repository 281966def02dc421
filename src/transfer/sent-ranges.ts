/** What of an open file went to the client: for the record of CLOSE. */
import { addRange } from '../base/ranges.ts';
import type { ByteRange } from '../base/ranges.ts';

export class SentRanges {
  private ranges: ByteRange[] = [];

  add(offset: number, parts: readonly Buffer[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    const last = this.ranges.at(-1);
    // What most readers do, without a new list for each packet.
    if (last !== undefined && last[0] + last[1] === offset)
      this.ranges[this.ranges.length - 1] = [last[0], last[1] + length];
    else this.ranges = addRange(this.ranges, offset, length);
  }

  list(): ByteRange[] {
    return this.ranges;
  }
}
