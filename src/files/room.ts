/**
 * Keeps some space for the metadata. With the last byte given to uploads no removal could be recorded any more, nor a
 * sign-in: the store could only be freed from outside. So content is refused a little before the end.
 */
import { WaybillError } from '../base/errors.ts';
import type { BlobStore, Space } from './blobs.ts';

const RESERVE = 64 * 1024 * 1024;
/** A small file system keeps a part of itself. */
const RESERVE_PART = 16;

export class Room {
  private readonly blobs: BlobStore;
  private sample: Space | null = null;
  /** Granted since the sample; may not be written yet. */
  private granted = 0;

  constructor(blobs: BlobStore) {
    this.blobs = blobs;
  }

  /** Throws `store-full` when so many bytes more of content would leave too little. */
  async require(bytes: number): Promise<void> {
    const space = await this.blobs.space();
    if (space !== this.sample) {
      this.sample = space;
      this.granted = 0;
    }
    const reserve = Math.min(RESERVE, Math.floor(space.total / RESERVE_PART));
    if (space.free - this.granted - bytes < reserve) throw new WaybillError('store-full', 'no space left in the store');
    this.granted += bytes;
  }
}
