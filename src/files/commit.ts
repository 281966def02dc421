/**
 * CLOSE: an upload becomes a version. Crash order, each step durable before the next:
 *
 *   1. incoming/<blob> is fsynced; the upload has had a row since before the blob's first byte
 *   2. the blob moves to blobs/<blob>, both directories are fsynced
 *   3. one transaction: version, name, quota, record; the upload's row goes, what was replaced is retired
 *   4. the answer
 *   5. blobs that no version needs any more are removed
 *
 * A crash after 1 or in 2 leaves an upload in progress (recovery moves the blob back: it has an upload's row and no blob's
 * row); after 3 the version stands, and what 5 did not remove are files without a row, which recovery removes. A file of
 * one frame travels inside 3 alone.
 */
import { WaybillError } from '../base/errors.ts';
import { newOrderedId } from '../base/ids.ts';
import type { Request, Response, SegmentRun } from '../broker/calls.ts';
import { INLINE_PLAIN, NONCE_BYTES, TAG_BYTES } from '../keys/layout.ts';
import type { Change } from './changes.ts';
import { refuseLookalike } from './namespace.ts';
import type { Parts } from './parts.ts';
import { blobsOf, checkRuns, ownedBy } from './runs.ts';
import type { Owned } from './runs.ts';
import type { FileSession } from './session.ts';
import type { Node, Version } from './store.ts';
import type { Upload } from './upload-registry.ts';
import type { Uploads } from './uploads.ts';
import { attributesOf, withVersion } from './view.ts';

type Call = Request<'upload.commit'>;
type Answer = Response<'upload.commit'>;

export class Committing {
  private readonly parts: Parts;
  private readonly uploads: Uploads;

  constructor(parts: Parts, uploads: Uploads) {
    this.parts = parts;
    this.uploads = uploads;
  }

  async commit(who: FileSession, told: Call): Promise<Answer> {
    const upload = this.uploads.own(who, told.upload);
    const call = withCarriedRuns(upload, told);
    const owned = check(upload, call);
    const answer = await this.uploads.exclusively(upload, () => this.carryOut(who, upload, call, owned));
    // Its file is in blobs/ by now, or was not needed (an inline content, a blob that nothing refers to).
    if (upload.persisted && owned.length === 0)
      this.parts.changes.inBackground(this.parts.blobs.removeIncoming(upload.blob));
    return answer;
  }

  private async carryOut(who: FileSession, upload: Upload, call: Call, owned: Owned): Promise<Answer> {
    const { blobs, changes } = this.parts;
    if (call.inline !== null) await this.parts.room.forInline(call.inline.length);
    if (owned.length === 0) return changes.run((change) => this.write(change, who, upload, call, owned));
    await blobs.settle(upload.blob, owned.length);
    try {
      return await changes.run((change) => this.write(change, who, upload, call, owned));
    } catch (error) {
      // Nothing was committed: the upload goes on as it was, and can be closed or taken up again.
      await blobs.unsettle(upload.blob);
      throw error;
    }
  }

  private write(change: Change, who: FileSession, upload: Upload, call: Call, owned: Owned): Answer {
    const { store, view, grants, ledger, ended } = this.parts;
    // While its blob became durable: of a session that ends by itself it is carried through, its data is complete.
    if (ended.get(who.session) === 'by the operator') throw new WaybillError('session-ended', 'the session was ended');
    const folder = view.folderOf(upload.parent);
    if (folder === null) throw new WaybillError('not-found', 'the directory of the upload is gone');
    grants.requireFrom(who, folder, 'write');
    const node = store.child(upload.parent, upload.name);
    if (node?.kind === 'directory') throw new WaybillError('is-a-directory', `${upload.name} is a directory`);
    if (node !== null) {
      grants.require(who.account, folder, 'delete');
      grants.legalHolds.refuse(folder, upload.name);
    } else refuseLookalike(store, upload.parent, upload.name);
    const now = Math.floor(this.parts.now() / 1000);
    const mtime = call.mtime ?? upload.mtime ?? now;
    const version = this.versionOf(who, upload, call, mtime);
    const atime = call.atime ?? mtime;
    this.store(change, who, upload, call, owned, version, node);
    if (node === null) store.insertFile(upload.parent, upload.name, version, atime);
    else store.replaceFile(node.id, version, atime);
    if (node === null) store.touchDirectory(upload.parent, now);
    if (upload.persisted) store.removeUpload(upload.id);
    change.after(() => {
      this.uploads.forget(upload);
    });
    const { id, file, size } = version;
    const replaces = node?.version ?? null;
    const path = view.pathOf(upload.parent, upload.name);
    ledger.append(who.tenant, {
      kind: 'stored',
      session: who.session,
      folder,
      file,
      version: id,
      replaces,
      size,
      path,
    });
    const bits = grants.rights(who.account, folder);
    return { version: id, attributes: withVersion(attributesOf({ kind: 'file', size, mtime, atime }, bits), id) };
  }

  private versionOf(who: FileSession, upload: Upload, call: Call, mtime: number): Version {
    const { size } = call;
    const created = this.parts.now();
    return {
      id: newOrderedId(created),
      file: upload.key.file,
      size,
      mtime,
      created,
      account: who.account,
      session: who.session,
      runs: call.inline === null ? call.runs : [{ first: 0, count: 1, blob: upload.blob }],
      inlineBlob: call.inline === null ? carriedInline(upload, call.runs) : upload.blob,
      state: 'current',
    };
  }

  /** Content and its count against the quota; what was under the name is retired in the same transaction. */
  private store(
    change: Change,
    who: FileSession,
    upload: Upload,
    call: Call,
    owned: Owned,
    version: Version,
    node: Node | null,
  ): void {
    const { store, quota, contents } = this.parts;
    const { tenant } = upload;
    const usedBefore = quota.used(tenant);
    // The tenant key may have been rotated since the upload began: no row may come to need the older one again.
    store.insertFileKey(this.parts.keys.renewed(upload.key));
    store.insertVersion(version);
    if (version.inlineBlob !== null) {
      if (call.inline !== null) store.insertInline(version.id, call.inline);
      else if (upload.base !== null) store.copyInline(upload.base.id, version.id);
      store.addUsed(tenant, version.size);
    } else this.addReferences(upload, version, owned);
    if (node?.version != null) contents.retire(change, node.version, who.session);
    quota.confirm(tenant, usedBefore, upload.charge.bytes);
  }

  private addReferences(upload: Upload, version: Version, owned: Owned): void {
    const { store } = this.parts;
    for (const blob of blobsOf(version.runs)) {
      if (blob !== upload.blob) {
        if (store.addReference(blob, 1) === 0)
          throw new WaybillError('content-missing', `blob ${blob} of the version that is modified is gone`);
        continue;
      }
      const { tenant } = upload;
      store.insertBlob({ id: blob, tenant, file: version.file, bytes: owned.bytes, length: owned.length, refs: 1 });
      store.addUsed(tenant, owned.bytes);
    }
  }
}

/** An inline content travels without runs; left as it was, it comes back so. */
function withCarriedRuns(upload: Upload, call: Call): Call {
  const { base } = upload;
  const carried = call.inline === null && call.runs.length === 0 && call.size > 0 && call.size === base?.size;
  return carried && base.inlineBlob !== null ? { ...call, runs: [...base.runs] } : call;
}

/** What the front says it made, against what it may have made. */
function check(upload: Upload, call: Call): Owned {
  if (call.inline === null) {
    checkRuns(call.runs, call.size, upload.blob, upload.base);
    const owned = ownedBy(upload.blob, call.runs, call.size);
    if (owned.length > 0 && !upload.persisted)
      throw new WaybillError('request-invalid', 'the upload has no durable blob');
    return owned;
  }
  if (call.size < 1 || call.size > INLINE_PLAIN || call.inline.length !== call.size + NONCE_BYTES + TAG_BYTES)
    throw new WaybillError('request-invalid', 'the inline content does not fit the size');
  if (call.runs.length > 0) checkRuns(call.runs, call.size, upload.blob, null);
  return { bytes: 0, length: 0 };
}

/** A one-frame content that the new version takes over unchanged. */
function carriedInline(upload: Upload, runs: readonly SegmentRun[]): string | null {
  const blob = upload.base?.inlineBlob ?? null;
  return blob !== null && runs.some((run) => run.blob === blob) ? blob : null;
}
