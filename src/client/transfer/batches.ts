/** Cuts what is to be transferred into lists that one transfer takes; pure. */
import { TRANSFER_BODY_MAX, TRANSFER_ITEMS_MAX } from '../../api/transfers.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';

/** Of files larger than a segment: each has open handles here. */
const LARGE_MAX = 64;
/** Of an item's JSON beside its path. */
const ITEM_BYTES = 160;
const OF_BODY = TRANSFER_BODY_MAX - 4096;

export function* batchesOf<T extends { readonly path: string; readonly size: number }>(
  all: readonly T[],
): Generator<T[], void, void> {
  let [batch, bytes, large]: [T[], number, number] = [[], 0, 0];
  for (const one of all) {
    const length = Buffer.byteLength(JSON.stringify(one.path)) + ITEM_BYTES;
    const isLarge = one.size > SEGMENT_BYTES ? 1 : 0;
    if (batch.length === TRANSFER_ITEMS_MAX || bytes + length > OF_BODY || large + isLarge > LARGE_MAX) {
      yield batch;
      [batch, bytes, large] = [[], 0, 0];
    }
    batch.push(one);
    bytes += length;
    large += isLarge;
  }
  if (batch.length > 0) yield batch;
}
