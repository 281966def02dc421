/** Renaming and moving, within a folder or between two folders of the tenant. */
import { WaybillError } from '../base/errors.ts';
import type { Request, Response } from '../broker/calls.ts';
import type { Change } from './changes.ts';
import { refuseLookalike, removed } from './namespace.ts';
import type { Parts } from './parts.ts';
import { withinFolder } from './session.ts';
import type { FileSession } from './session.ts';
import type { Upload } from './upload-registry.ts';
import type { Uploads } from './uploads.ts';
import { need, notFound } from './view.ts';
import type { Below } from './view.ts';

interface Move {
  readonly from: Below;
  readonly to: Below;
  /** The account's own upload in progress at the old name. */
  readonly upload: Upload | undefined;
}

export class Renaming {
  private readonly parts: Parts;
  private readonly uploads: Uploads;

  constructor(parts: Parts, uploads: Uploads) {
    this.parts = parts;
    this.uploads = uploads;
  }

  async rename(who: FileSession, request: Request<'files.rename'>): Promise<Response<'files.rename'>> {
    if (request.from === request.to) {
      this.find(who, request);
      return {};
    }
    await this.settleUploads(who, request);
    await this.parts.changes.run((change) => {
      this.move(change, who, request);
    });
    return {};
  }

  /** A commit under way at either name ends first; the account's own leftover at the new name makes room. */
  private async settleUploads(who: FileSession, request: Request<'files.rename'>): Promise<void> {
    const { from, to, upload } = this.find(who, request);
    await upload?.busy?.catch(() => undefined);
    const there = this.parts.uploads.own(to.parent.id, to.name, who.account);
    if (there === undefined || there === upload) return;
    await there.busy?.catch(() => undefined);
    if (this.parts.uploads.get(there.id) === undefined) return;
    if (!request.replace) throw new WaybillError('already-exists', `${request.to} exists`);
    if (from.node === null && upload === undefined) throw notFound(request.from);
    await this.uploads.discardIdle(who, there);
  }

  private find(who: FileSession, request: Request<'files.rename'>): Move {
    const { view, uploads } = this.parts;
    const from = view.below(who, request.from);
    const to = view.below(who, request.to);
    need(from.grant, 'rename', request.from);
    need(to.grant, 'rename', request.to);
    if (from.grant.folder !== to.grant.folder) {
      need(from.grant, 'delete', request.from);
      need(to.grant, 'write', request.to);
    }
    if (from.grant.tenant !== to.grant.tenant)
      throw new WaybillError('unsupported', 'files cannot be moved from one tenant to another');
    const upload = uploads.own(from.parent.id, from.name, who.account);
    if (from.node === null && upload === undefined) throw notFound(request.from);
    this.refuseHeld(from, to, request);
    return { from, to, upload };
  }

  /** Within the folder names may change: the content stays, and the ledger says what it was called. */
  private refuseHeld(from: Below, to: Below, request: Request<'files.rename'>): void {
    const { legalHolds } = this.parts.grants;
    if (from.node !== null && from.grant.folder !== to.grant.folder) legalHolds.refuse(from.grant.folder, request.from);
    if (request.replace && to.node !== null && to.node.id !== from.node?.id)
      legalHolds.refuse(to.grant.folder, request.to);
  }

  private move(change: Change, who: FileSession, request: Request<'files.rename'>): void {
    const { store, uploads, ledger } = this.parts;
    const { from, to, upload } = this.find(who, request);
    if (to.node !== null && to.node.id !== from.node?.id) this.makeRoom(change, who, from, to, request);
    refuseLookalike(store, to.parent.id, to.name, from.parent.id === to.parent.id ? from.name : undefined);
    if (from.node !== null) {
      if (from.node.kind === 'directory') this.refuseCycle(from.node.id, to.parent.id);
      store.moveNode(from.node.id, to.parent.id, to.name);
    }
    if (upload !== undefined) {
      if (upload.persisted) store.moveUpload(upload.id, to.parent.id, to.name);
      change.after(() => {
        uploads.move(upload, to.parent.id, to.name);
      });
    }
    const now = Math.floor(this.parts.now() / 1000);
    store.touchDirectory(from.parent.id, now);
    store.touchDirectory(to.parent.id, now);
    ledger.append(who.tenant, {
      kind: 'renamed',
      session: who.session,
      folder: from.grant.folder,
      toFolder: to.grant.folder,
      path: withinFolder(request.from),
      toPath: withinFolder(request.to),
    });
  }

  /** Only a file is replaced, and only by a file: a whole tree never disappears under a rename. */
  private makeRoom(change: Change, who: FileSession, from: Below, to: Below, request: Request<'files.rename'>): void {
    const there = to.node;
    if (there === null) return;
    if (!request.replace || there.kind === 'directory')
      throw new WaybillError('already-exists', `${request.to} exists`);
    if (from.node?.kind !== 'file') throw new WaybillError('already-exists', `${request.to} is a file`);
    need(to.grant, 'delete', request.to);
    this.parts.store.removeNode(there.id);
    if (there.version !== null) this.parts.contents.retire(change, there.version, who.session);
    this.parts.ledger.append(who.tenant, removed(who, to, request.to, there));
  }

  private refuseCycle(directory: number, parent: number): void {
    let at = this.parts.store.node(parent);
    for (; at !== null; at = at.parent === 0 ? null : this.parts.store.node(at.parent))
      if (at.id === directory) throw new WaybillError('request-invalid', 'a directory cannot be moved into itself');
  }
}
