/** The blobs that one open content reads from, a few kept open. A modified file has one more per modification. */
import type { BlobStore, StoredBlob } from './blobs.ts';

const KEPT = 3;

interface Opened {
  readonly blob: Promise<StoredBlob>;
  users: number;
}

export class OpenBlobs {
  private readonly store: BlobStore;
  private readonly opened = new Map<string, Opened>();
  private closed = false;

  constructor(store: BlobStore) {
    this.store = store;
  }

  async read(id: string, buffer: Buffer, position: number): Promise<number> {
    const entry = this.entry(id);
    entry.users += 1;
    try {
      const blob = await entry.blob;
      return await blob.read(buffer, position);
    } catch (error) {
      // A blob that could not be opened is tried again by the next reader: the operator may have put it back.
      if (this.opened.get(id) === entry) this.drop(id, entry);
      throw error;
    } finally {
      entry.users -= 1;
      this.trim();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.opened.values()];
    this.opened.clear();
    await Promise.all(all.map(closeEntry));
  }

  private entry(id: string): Opened {
    const known = this.opened.get(id);
    if (known !== undefined) {
      this.opened.delete(id);
      this.opened.set(id, known);
      return known;
    }
    const entry: Opened = { blob: this.store.open(id), users: 0 };
    this.opened.set(id, entry);
    return entry;
  }

  private trim(): void {
    for (const [id, entry] of this.opened) {
      if (!this.closed && this.opened.size <= KEPT) break;
      if (entry.users === 0) this.drop(id, entry);
    }
  }

  private drop(id: string, entry: Opened): void {
    this.opened.delete(id);
    void closeEntry(entry);
  }
}

async function closeEntry(entry: Opened): Promise<void> {
  try {
    await (await entry.blob).close();
  } catch {
    // Opening failed, and whoever read was told; or a read-only descriptor failed to close, which loses nothing.
  }
}
