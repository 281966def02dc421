/** Uploads in progress, all in memory: durable ones are read at start, small ones never reach the disk before CLOSE. */
import type { SegmentRun } from '../broker/calls.ts';
import type { FileKey } from '../keys/keys.ts';
import type { Charge } from './charge.ts';
import type { Reading } from './readings.ts';
import type { Version } from './store.ts';

export interface Extent {
  readonly size: number;
  readonly runs: readonly SegmentRun[];
}

export interface Upload {
  readonly id: string;
  readonly tenant: string;
  readonly account: string;
  parent: number;
  name: string;
  readonly key: FileKey;
  /** The version that it modifies; pinned. */
  readonly base: Version | null;
  readonly blob: string;
  epoch: number;
  /** It has a row in the store, and may have a file below incoming/. */
  persisted: boolean;
  /** The one session that writes it now; null = idle, to be taken up. */
  session: string | null;
  /** The reading that releases its base. */
  reading: Reading | null;
  /** As its writer last told. */
  seen: Extent;
  /** What another session can take up: fsynced, or left behind in order. */
  kept: Extent;
  /** Segments whose key this writer has. */
  issued: Set<number>;
  charge: Charge;
  /** Bytes known to be in its file: no more than there are. */
  written: number;
  mtime: number | null;
  /** Milliseconds of the last sign of life. */
  touched: number;
  /** A commit, or another durable step that must end before anything else happens to it. */
  busy: Promise<unknown> | null;
}

export class UploadRegistry {
  private readonly byId = new Map<string, Upload>();
  private readonly byPlace = new Map<number, Map<string, Upload[]>>();

  get(id: string): Upload | undefined {
    return this.byId.get(id);
  }

  all(): IterableIterator<Upload> {
    return this.byId.values();
  }

  at(parent: number, name: string): readonly Upload[] {
    return this.byPlace.get(parent)?.get(name) ?? [];
  }

  own(parent: number, name: string, account: string): Upload | undefined {
    return this.at(parent, name).find((upload) => upload.account === account);
  }

  ownIn(parent: number, account: string): Upload[] {
    return this.allIn(parent).filter((upload) => upload.account === account);
  }

  allIn(parent: number): Upload[] {
    return [...(this.byPlace.get(parent)?.values() ?? [])].flat();
  }

  hasAny(parent: number): boolean {
    return this.byPlace.has(parent);
  }

  add(upload: Upload): void {
    this.byId.set(upload.id, upload);
    let names = this.byPlace.get(upload.parent);
    if (names === undefined) this.byPlace.set(upload.parent, (names = new Map<string, Upload[]>()));
    const there = names.get(upload.name);
    if (there === undefined) names.set(upload.name, [upload]);
    else there.push(upload);
  }

  remove(upload: Upload): void {
    if (!this.byId.delete(upload.id)) return;
    const names = this.byPlace.get(upload.parent);
    const left = names?.get(upload.name)?.filter((other) => other !== upload) ?? [];
    if (left.length > 0) names?.set(upload.name, left);
    else names?.delete(upload.name);
    if (names?.size === 0) this.byPlace.delete(upload.parent);
  }

  move(upload: Upload, parent: number, name: string): void {
    this.remove(upload);
    upload.parent = parent;
    upload.name = name;
    this.add(upload);
  }
}
