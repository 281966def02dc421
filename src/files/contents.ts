/**
 * How long stored content lives: as long as a name leads to its version, a reading or an upload in progress holds it,
 * or another version shares its blob. Pins are in memory: after a restart no reading is left.
 */
import type { Change } from './changes.ts';
import { blobsOf } from './runs.ts';
import type { FileStore } from './store.ts';

export class Contents {
  private readonly store: FileStore;
  private readonly now: () => number;
  private readonly pins = new Map<string, number>();
  private readonly replaced = new Set<string>();

  constructor(store: FileStore, now: () => number) {
    this.store = store;
    this.now = now;
  }

  pin(version: string): void {
    this.pins.set(version, (this.pins.get(version) ?? 0) + 1);
  }

  /** True when the last pin of a replaced version went: the caller drops its content. */
  unpin(version: string): boolean {
    const left = (this.pins.get(version) ?? 0) - 1;
    if (left > 0) {
      this.pins.set(version, left);
      return false;
    }
    this.pins.delete(version);
    return this.replaced.delete(version);
  }

  /** No name leads to the version any more. Its row stays, with who ended it and when. */
  retire(change: Change, version: string, session: string): void {
    if (!this.pins.has(version)) {
      this.drop(change, version, session);
      return;
    }
    this.store.endVersion(version, 'replaced', this.now(), session);
    // Kept when the write fails: drop() looks at the durable state again.
    this.replaced.add(version);
  }

  /** Gives back what the version alone holds. */
  drop(change: Change, id: string, session: string): void {
    const content = this.store.content(id);
    if (content === null || content.version.state === 'gone') return;
    const { version, key } = content;
    this.store.endVersion(id, 'gone', this.now(), session);
    if (version.inlineBlob !== null) {
      this.store.removeInline(id);
      this.store.addUsed(key.tenant, -version.size);
      return;
    }
    for (const blob of blobsOf(version.runs)) this.dropReference(change, blob);
  }

  /** Drops a version whose last pin has gone, unless the write that replaced it failed after all. */
  dropReplaced(change: Change, id: string, session: string): void {
    if (this.pins.has(id)) this.replaced.add(id);
    else if (this.store.content(id)?.version.state === 'replaced') this.drop(change, id, session);
  }

  private dropReference(change: Change, id: string): void {
    const blob = this.store.blob(id);
    if (blob === null || this.store.addReference(id, -1) > 0) return;
    this.store.removeBlob(id);
    this.store.addUsed(blob.tenant, -blob.bytes);
    change.doom(id);
  }
}
