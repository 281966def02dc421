/** Opening a path for writing: a new upload, or the account's own one taken up again. */
import { WaybillError } from '../base/errors.ts';
import { newId, newOrderedId } from '../base/ids.ts';
import type { Attributes, Request, Response } from '../broker/calls.ts';
import { Charge } from './charge.ts';
import { refuseDirectory, refuseLookalike } from './namespace.ts';
import { REAL } from './parts.ts';
import type { Parts } from './parts.ts';
import { runsBeside } from './readings.ts';
import type { Readings } from './readings.ts';
import type { FileSession } from './session.ts';
import type { Content } from './store.ts';
import type { Upload } from './upload-registry.ts';
import { holds } from './uploads.ts';
import type { Uploads } from './uploads.ts';
import { need, notFound, uploadAttributes } from './view.ts';
import type { Below } from './view.ts';

const EPOCH_MAX = 0xffffffff;

export class UploadOpening {
  private readonly parts: Parts;
  private readonly readings: Readings;
  private readonly uploads: Uploads;

  constructor(parts: Parts, readings: Readings, uploads: Uploads) {
    this.parts = parts;
    this.readings = readings;
    this.uploads = uploads;
  }

  async open(who: FileSession, request: Request<'upload.open'>): Promise<Response<'upload.open'>> {
    const { path, truncate } = request;
    for (;;) {
      const place = this.parts.view.find(who, path);
      if (place.at !== 'below') throw new WaybillError('is-a-directory', `${path} is a directory`);
      need(place.grant, 'write', path);
      const there = this.parts.uploads.at(place.parent.id, place.name);
      const busy = there.find((upload) => upload.busy !== null);
      if (busy !== undefined) {
        // A client that does not wait for its CLOSE finds what that CLOSE made.
        await busy.busy?.catch(() => undefined);
        continue;
      }
      refuseDirectory(place, path);
      const own = there.find((upload) => upload.account === who.account);
      this.checkExistence(request, place, own);
      for (const upload of there)
        if (upload.session !== null && !(truncate && upload === own && upload.session === who.session))
          throw new WaybillError('in-use', `an upload to ${path} is in progress`);
      if (own === undefined) return this.begin(who, place, request);
      if (!truncate) return this.takeUp(who, place, own, path);
      await this.uploads.drop(own);
    }
  }

  private checkExistence(request: Request<'upload.open'>, place: Below, own: Upload | undefined): void {
    const exists = place.node !== null || own !== undefined;
    if (exists && request.create && request.exclusive)
      throw new WaybillError('already-exists', `${request.path} exists`);
    if (!exists && !request.create) throw notFound(request.path);
  }

  private begin(who: FileSession, place: Below, request: Request<'upload.open'>): Response<'upload.open'> {
    const { path, truncate } = request;
    const { store, keys, uploads, contents, now } = this.parts;
    const current = place.node?.version == null ? null : store.content(place.node.version);
    // What stands under the name would be gone: that takes the right to delete; modifying it is reading it, too.
    if (place.node !== null) {
      need(place.grant, 'delete', path);
      this.parts.grants.legalHolds.refuse(place.grant.folder, path);
    } else refuseLookalike(store, place.parent.id, place.name);
    if (current !== null && !truncate) need(place.grant, 'read', path);
    const base = truncate ? null : current;
    const start = { size: base?.version.size ?? 0, runs: base?.version.runs ?? [] };
    const upload: Upload = {
      id: newId(),
      tenant: who.tenant,
      account: who.account,
      parent: place.parent.id,
      name: place.name,
      key: current?.key ?? keys.newFileKey(who.tenant, newOrderedId(now())),
      base: base?.version ?? null,
      blob: newOrderedId(now()),
      epoch: 1,
      persisted: false,
      session: who.session,
      reading: null,
      seen: start,
      kept: start,
      issued: new Set([0]),
      charge: firstCharge(),
      written: 0,
      mtime: null,
      touched: now(),
      busy: null,
    };
    const answer = this.answer(who, place, upload, base, path);
    if (base !== null) contents.pin(base.version.id);
    uploads.add(upload);
    return answer;
  }

  /**
   * The new epoch is durable before the key goes out, so that no nonce of the writer before can come again; so is the
   * record that segment 0 can now be read, if it was written before.
   */
  private async takeUp(who: FileSession, place: Below, upload: Upload, path: string): Promise<Response<'upload.open'>> {
    const { store, quota, now } = this.parts;
    if (upload.base !== null) need(place.grant, 'read', path);
    if (upload.epoch >= EPOCH_MAX) throw new WaybillError('in-use', `${path} was taken up too often; start it again`);
    const epoch = upload.epoch + 1;
    return this.uploads.exclusively(upload, async () => {
      const held = holds(upload.kept, upload.blob, 0);
      const reserved = held ? await this.uploads.reserveRelease(who, upload, [0], 1) : REAL;
      await reserved.write(store, () => {
        store.reopenUpload(upload.id, epoch, now());
        if (held) this.uploads.appendRelease(who, upload, [0]);
      });
      upload.epoch = epoch;
      upload.touched = now();
      upload.issued = new Set([0]);
      quota.shift(upload.tenant, upload.charge.more([0], 0));
      upload.charge.add([0], 0);
      const base = upload.base === null ? null : store.content(upload.base.id);
      const answer = this.answer(who, place, upload, base, path);
      upload.session = who.session;
      return answer;
    });
  }

  private answer(
    who: FileSession,
    place: Below,
    upload: Upload,
    base: Content | null,
    path: string,
  ): Response<'upload.open'> {
    const inline = base === null ? null : this.readings.inlineOf(base.version, path);
    const key = this.parts.keys.segmentKey(upload.key, upload.blob, 0);
    const reading = newId();
    upload.reading = this.readings.add(reading, who, { folder: place.grant.folder, path, key: upload.key }, base);
    const attributes: Attributes = uploadAttributes(upload, place.grant.rights);
    const { id, blob, epoch } = upload;
    return { upload: id, blob, epoch, attributes, runs: runsBeside(inline, upload.kept.runs), inline, key, reading };
  }
}

/** The key of segment 0 goes out with the opening. */
function firstCharge(): Charge {
  const charge = new Charge();
  charge.add([0], 0);
  return charge;
}
