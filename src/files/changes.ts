import type { BlobStore } from './blobs.ts';
import type { FileStore } from './store.ts';

/** What an action may ask for beside its rows; happens only once they are durable. */
export interface Change {
  /** The blob's file goes once no durable row names it. A crash before leaves an orphan, which recovery removes. */
  doom(blob: string): void;
  after(effect: () => void): void;
}

export class Changes {
  private readonly store: FileStore;
  private readonly blobs: BlobStore;
  private readonly report: (error: unknown) => void;
  private readonly background = new Set<Promise<unknown>>();

  constructor(store: FileStore, blobs: BlobStore, report: (error: unknown) => void) {
    this.store = store;
    this.blobs = blobs;
    this.report = report;
  }

  run<T>(action: (change: Change) => T): Promise<T> {
    return this.apply(action, (rows) => this.store.write(rows));
  }

  /** In the background, with the next commit: what nobody waits for costs no fsync of its own. */
  later(action: (change: Change) => void): void {
    this.inBackground(this.apply(action, (rows) => this.store.writePatiently(rows)));
  }

  private async apply<T>(action: (change: Change) => T, write: (rows: () => T) => Promise<T>): Promise<T> {
    const doomed: string[] = [];
    const effects: (() => void)[] = [];
    const change: Change = { doom: (blob) => doomed.push(blob), after: (effect) => effects.push(effect) };
    const value = await write(() => action(change));
    for (const effect of effects) effect();
    for (const blob of doomed) this.inBackground(this.blobs.remove(blob));
    return value;
  }

  /** For work whose caller does not wait; a failure is reported, not lost. */
  inBackground(work: Promise<unknown>): void {
    const watched = work.catch(this.report).finally(() => this.background.delete(watched));
    this.background.add(watched);
  }

  /** Resolves when nothing is under way in the background any more. */
  async settled(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background);
  }
}
