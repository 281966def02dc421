/**
 * Uploads in progress: opened, taken up again, continued, left behind, discarded. Committing: commit.ts.
 * One session writes an upload at a time. A small one stays in memory until its commit; `persist` comes before its
 * first byte reaches incoming/, so that no file there is without a row that explains it.
 */
import { WaybillError } from '../base/errors.ts';
import type { Request, Response } from '../broker/calls.ts';
import { Charge } from './charge.ts';
import type { Parts, Reserved } from './parts.ts';
import type { Readings } from './readings.ts';
import { checkRuns, consecutive, ownedBy, plainBytes, segmentBytes, segmentCount } from './runs.ts';
import type { FileSession } from './session.ts';
import type { UploadRow } from './store.ts';
import type { Extent, Upload } from './upload-registry.ts';

export class Uploads {
  private readonly parts: Parts;
  private readonly readings: Readings;

  constructor(parts: Parts, readings: Readings) {
    this.parts = parts;
    this.readings = readings;
  }

  /** The upload, when this session writes it and nothing else is being done to it. */
  own(who: FileSession, id: string): Upload {
    const upload = this.parts.uploads.get(id);
    if (upload?.session !== who.session || upload.busy !== null)
      throw new WaybillError('handle-invalid', 'the upload has ended');
    upload.touched = this.parts.now();
    return upload;
  }

  async persist(who: FileSession, request: Request<'upload.persist'>): Promise<Response<'upload.persist'>> {
    const upload = this.own(who, request.upload);
    const first = !upload.persisted;
    if (first)
      await this.parts.room.forFirstBytes(upload, () => {
        this.own(who, request.upload);
        // Marked before the row is written: a discard in between is queued behind the row and removes it.
        upload.persisted = true;
      });
    try {
      await this.parts.store.write(() => {
        if (first) this.parts.store.insertUpload({ ...rowOf(upload), key: this.parts.keys.renewed(upload.key) });
      });
    } catch (error) {
      if (first) upload.persisted = false;
      throw error;
    }
    return {};
  }

  async keys(who: FileSession, request: Request<'upload.keys'>): Promise<Response<'upload.keys'>> {
    const upload = this.own(who, request.upload);
    const { first, count, size } = request;
    // A key further out would be charged with nothing.
    if (first >= segmentCount(size)) throw new WaybillError('offset-invalid', 'the upload has no such segment');
    const folder = this.parts.view.folderOf(upload.parent);
    if (folder === null) throw new WaybillError('not-found', 'the directory of the upload is gone');
    this.parts.grants.requireFrom(who, folder, 'write');
    const asked = Array.from({ length: count }, (_, index) => first + index);
    await this.parts.room.forUpload(upload, upload.charge.more(asked, size), () => {
      if (upload.session !== who.session) throw new WaybillError('session-ended', 'the upload has ended');
      this.parts.quota.reserve(upload.tenant, upload.charge.more(asked, size));
      upload.charge.add(asked, size);
    });
    // A key of a segment that another session has written, or this one before it came back, lets it be read.
    const holding = asked.filter((segment) => !upload.issued.has(segment) && holds(upload.kept, upload.blob, segment));
    if (holding.length > 0) await this.recordRelease(who, upload, holding);
    for (const segment of asked) upload.issued.add(segment);
    return {
      keys: asked.map((segment) => ({ segment, key: this.parts.keys.segmentKey(upload.key, upload.blob, segment) })),
    };
  }

  async progress(who: FileSession, request: Request<'upload.progress'>): Promise<Response<'upload.progress'>> {
    const upload = this.own(who, request.upload);
    const { size, runs, durable, idle } = request;
    checkRuns(runs, size, upload.blob, upload.base);
    const extent = { size, runs };
    this.parts.quota.shift(upload.tenant, upload.charge.more([], size));
    upload.charge.add([], size);
    upload.seen = extent;
    upload.written = Math.max(upload.written, ownedBy(upload.blob, runs, size).bytes);
    if (durable && upload.persisted) await this.saveProgress(upload, extent);
    if (idle) this.leave(upload, extent);
    return {};
  }

  async discard(who: FileSession, request: Request<'upload.discard'>): Promise<Response<'upload.discard'>> {
    await this.drop(this.own(who, request.upload));
    return {};
  }

  /** Removes an upload in progress by name; one that another session is writing is left alone. */
  async discardIdle(who: FileSession, upload: Upload): Promise<void> {
    await upload.busy?.catch(() => undefined);
    if (this.parts.uploads.get(upload.id) === undefined) return;
    if (upload.session !== null && upload.session !== who.session)
      throw new WaybillError('in-use', 'another session is uploading to this name');
    await this.drop(upload);
  }

  /**
   * Everything of it goes. Crash and space order: the front has closed the file; 1. the file goes, because on a full
   * disk that makes the room in which to say that its row is gone; 2. its row goes. A crash between, or a disk that another
   * program fills at that moment, leaves a row without a file: it is removed as soon as there is room, or by recovery.
   */
  async drop(upload: Upload): Promise<void> {
    if (!upload.persisted) {
      this.forget(upload);
      return;
    }
    await this.exclusively(upload, async () => {
      await this.parts.blobs.removeIncoming(upload.blob);
      try {
        await this.removeRow(upload);
      } catch (error) {
        void this.parts.retries.run(() => this.removeRow(upload));
        throw error;
      } finally {
        this.forget(upload);
      }
    });
  }

  /** Takes it out of memory, and gives back what it holds. */
  forget(upload: Upload): void {
    if (this.parts.uploads.get(upload.id) === undefined) return;
    this.parts.uploads.remove(upload);
    this.recharge(upload, new Charge());
    if (upload.reading !== null) this.readings.end(upload.reading, null);
    upload.reading = null;
    upload.session = null;
    if (upload.base !== null) this.unpinBase(upload.base.id, upload);
  }

  /** The writer is gone: what is durable waits for the next one, the rest is dropped. */
  leave(upload: Upload, kept: Extent): void {
    if (!upload.persisted) {
      this.forget(upload);
      return;
    }
    if (upload.reading !== null) this.readings.end(upload.reading, null);
    upload.reading = null;
    upload.session = null;
    upload.kept = kept;
    upload.seen = kept;
    upload.issued = new Set();
    this.recharge(upload, Charge.of(upload.blob, kept));
    upload.written = upload.charge.bytes;
  }

  async endSession(session: string): Promise<void> {
    for (const upload of [...this.parts.uploads.all()]) {
      if (upload.session !== session) continue;
      // A commit that has begun is carried through: its data is complete.
      await upload.busy?.catch(() => undefined);
      if (upload.session === session) this.leave(upload, upload.kept);
    }
  }

  /** Discards what nobody has touched since `before` (milliseconds). */
  async sweep(before: number): Promise<number> {
    const stale = [...this.parts.uploads.all()].filter((one) => one.session === null && one.touched < before);
    for (const upload of stale) if (upload.busy === null) await this.drop(upload);
    return stale.length;
  }

  /** One durable step at a time for an upload; whoever finds it busy waits or is refused. */
  async exclusively<T>(upload: Upload, step: () => Promise<T>): Promise<T> {
    while (upload.busy !== null) await upload.busy.catch(() => undefined);
    const work = step();
    upload.busy = work;
    try {
      return await work;
    } finally {
      upload.busy = null;
    }
  }

  private async removeRow(upload: Upload): Promise<void> {
    await this.parts.store.write(() => {
      this.parts.store.removeUpload(upload.id);
    });
  }

  private recharge(upload: Upload, charge: Charge): void {
    this.parts.quota.shift(upload.tenant, charge.bytes - upload.charge.bytes);
    upload.charge = charge;
  }

  private async saveProgress(upload: Upload, { size, runs }: Extent): Promise<void> {
    await this.parts.blobs.syncIncoming(upload.blob);
    await this.parts.store.write(() => {
      this.parts.store.saveProgress(upload.id, size, runs, upload.touched);
    });
    upload.kept = { size, runs };
  }

  /** Inside a write: keys of segments that hold bytes already go out. */
  appendRelease(who: FileSession, upload: Upload, segments: readonly number[]): void {
    const folder = this.parts.view.folderOf(upload.parent);
    const path = this.parts.view.pathOf(upload.parent, upload.name);
    const named = { session: who.session, reading: upload.id, folder, file: upload.key.file, version: null, path };
    for (const [first, count] of consecutive(segments)) {
      const bytes = plainBytes(upload.seen.size, first, count);
      this.parts.ledger.append(who.tenant, { kind: 'release', ...named, first, count, bytes });
    }
  }

  private async recordRelease(who: FileSession, upload: Upload, segments: readonly number[]): Promise<void> {
    const reserved = await this.reserveRelease(who, upload, segments, 0);
    await reserved.write(this.parts.store, () => {
      if (upload.session !== who.session) throw new WaybillError('session-ended', 'the upload has ended');
      this.appendRelease(who, upload, segments);
    });
  }

  /** What the account wrote before, perhaps from elsewhere, counts as any other content that leaves. */
  reserveRelease(who: FileSession, upload: Upload, segments: readonly number[], files: 0 | 1): Promise<Reserved> {
    const { view, egress } = this.parts;
    const bytes = segments.reduce((sum, segment) => sum + segmentBytes(upload.kept.size, segment), 0);
    const place = {
      folder: view.folderOf(upload.parent),
      path: view.pathOf(upload.parent, upload.name),
      version: null,
    };
    return egress.release(who, { ...place, bytes, files });
  }

  private unpinBase(version: string, upload: Upload): void {
    const { changes, contents } = this.parts;
    if (!contents.unpin(version)) return;
    changes.inBackground(
      changes.run((change) => {
        contents.dropReplaced(change, version, upload.id);
      }),
    );
  }
}

export function rowOf(upload: Upload): UploadRow {
  const { id, tenant, account, parent, name, key, blob, epoch, kept, touched } = upload;
  const base = upload.base?.id ?? null;
  return { id, tenant, account, parent, name, key, base, blob, epoch, size: kept.size, runs: kept.runs, touched };
}

export function holds(extent: Extent, blob: string, segment: number): boolean {
  return extent.runs.some((run) => run.blob === blob && segment >= run.first && segment < run.first + run.count);
}
