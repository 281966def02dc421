/**
 * What the stream of a transfer is made of (PROTOCOL.md, "Fast transfer"): the ranges of files that the control channel
 * named, one after the other. Each is cut where the segments of the file end, and each piece is followed by its SHA-256: the
 * receiver trusts nothing that it has not hashed itself, and what it has hashed need not be sent again. Both ends make the
 * same layout of the same list, so nothing of it travels. Pure.
 */

/** The unit of release and of resuming: of the file, not of the stream. */
export const SEGMENT_BYTES = 8 * 2 ** 20;
export const DIGEST_BYTES = 32;

export interface ItemRange {
  /** Bytes of the whole file. */
  readonly size: number;
  /** Where in the file this range begins; it goes on to the file's end. A multiple of SEGMENT_BYTES. */
  readonly start: number;
}

export interface Piece {
  readonly item: number;
  /** In the file. */
  readonly start: number;
  readonly end: number;
  /** The last of its item. */
  readonly last: boolean;
}

/** The pieces of a list, in their order. A file of no bytes, or one that is there already, has one piece of no bytes. */
export function* piecesOf(items: readonly ItemRange[]): Generator<Piece, void, void> {
  for (const [item, { size, start }] of items.entries()) {
    let at = start;
    do {
      const end = Math.min(size, at - (at % SEGMENT_BYTES) + SEGMENT_BYTES);
      yield { item, start: at, end, last: end === size };
      at = end;
    } while (at < size);
  }
}

/** Bytes of the stream of a list. */
export function streamLength(items: readonly ItemRange[]): number {
  let length = 0;
  for (const { size, start } of items) {
    const pieces = Math.max(1, Math.ceil(size / SEGMENT_BYTES) - Math.floor(start / SEGMENT_BYTES));
    length += size - start + pieces * DIGEST_BYTES;
  }
  return length;
}
