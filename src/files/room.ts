/**
 * Keeps some space for the metadata. With the last byte given to uploads no removal could be recorded any more, nor a
 * sign-in: the store could only be freed from outside. So content is refused before it would use the reserve.
 *
 * Space order: the broker gives a segment's key only after it has found room; a front can store no more than the segments
 * it has keys of. What uploads in progress may still write counts as used: the size they told and one segment more (they
 * have its key), less what is known to be in their files. That is what they told last, a lower bound that costs nothing
 * to know; only when it does not fit with that are their files looked at, and the disk again. Whatever goes wrong with this
 * (another program fills the disk, a front that was taken over) ends in a write that fails: transfer/upload-blob.ts.
 */
import { WaybillError } from '../base/errors.ts';
import { SEGMENT_PLAIN } from '../keys/layout.ts';
import type { BlobStore, Space } from './blobs.ts';
import type { Upload, UploadRegistry } from './upload-registry.ts';

const RESERVE = 256 * 1024 * 1024;
/** A small file system keeps a part of itself: its reserve is never more than this. */
const PART = 20;

/** What asks for room: an upload that will be charged with so much more, or a content that goes into the metadata. */
interface Asked {
  readonly upload: Upload | null;
  readonly bytes: number;
}

export class Room {
  private readonly blobs: BlobStore;
  private readonly uploads: UploadRegistry;
  private readonly reserve: number;
  private sample: Space | null = null;
  /** Granted since the sample for contents that go into the metadata. */
  private inline = 0;

  constructor(blobs: BlobStore, uploads: UploadRegistry, reserve: number | undefined) {
    this.blobs = blobs;
    this.uploads = uploads;
    this.reserve = reserve ?? RESERVE;
  }

  /** What content may still use. */
  async left(): Promise<Space> {
    const space = await this.blobs.space(true);
    return { total: space.total, free: Math.max(0, space.free - this.reserveOf(space)) };
  }

  forInline(bytes: number): Promise<void> {
    return this.find({ upload: null, bytes }, () => {
      this.inline += bytes;
    });
  }

  /**
   * Before the first byte of an upload reaches the disk: it has had the key of one segment since it was opened. `grant`
   * makes it one that counts.
   */
  forFirstBytes(upload: Upload, grant: () => void): Promise<void> {
    return this.find({ upload, bytes: 0 }, grant);
  }

  /** `grant` charges the upload. */
  async forUpload(upload: Upload, bytes: number, grant: () => void): Promise<void> {
    // What is written again in place needs nothing more.
    if (bytes > 0) await this.find({ upload, bytes }, grant);
    else grant();
  }

  /** `grant` runs in the same turn as the look, so that nobody else is granted the same space. */
  private async find(asked: Asked, grant: () => void): Promise<void> {
    if (!this.fits(asked, await this.blobs.space()) && !this.fits(asked, await this.lookAgain(asked.upload)))
      throw new WaybillError('store-full', 'no space left in the store');
    grant();
  }

  private fits(asked: Asked, space: Space): boolean {
    if (space !== this.sample) {
      this.sample = space;
      this.inline = 0;
    }
    const ahead = Math.min(SEGMENT_PLAIN, Math.floor(space.total / PART));
    let used = this.inline;
    for (const upload of this.uploads.all())
      if (upload !== asked.upload && upload.persisted && upload.session !== null) used += unwritten(upload, ahead);
    used += asked.upload === null ? asked.bytes : unwritten(asked.upload, asked.bytes + ahead);
    return space.free - used >= this.reserveOf(space);
  }

  private reserveOf({ total }: Space): number {
    return Math.min(this.reserve, Math.floor(total / PART));
  }

  /** Files first, then the disk: what is written in between counts twice, not never. */
  private async lookAgain(also: Upload | null): Promise<Space> {
    const active = [...this.uploads.all()].filter(
      (upload) => upload === also || (upload.persisted && upload.session !== null),
    );
    await Promise.all(
      active.map(async (upload) => {
        upload.written = Math.max(upload.written, await this.blobs.incomingBytes(upload.blob));
      }),
    );
    return this.blobs.space(true);
  }
}

/** What the upload may still add to its file when it is charged with `more`. */
function unwritten(upload: Upload, more: number): number {
  return Math.max(0, upload.charge.bytes + more - upload.written);
}
