/** Names: looking at them, making and removing directories, removing files, times. Renaming: rename.ts. */
import { WaybillError } from '../base/errors.ts';
import { compareNames } from '../base/names.ts';
import type { Attributes, DirectoryEntry, Request, Response } from '../broker/calls.ts';
import type { EventOf } from '../ledger/core/kinds.ts';
import { has } from '../policy/rights.ts';
import { REAL } from './parts.ts';
import type { Parts } from './parts.ts';
import { withinFolder } from './session.ts';
import type { FileSession } from './session.ts';
import type { FileStore, Node } from './store.ts';
import type { Uploads } from './uploads.ts';
import { attributesOf, need, notFound, permissions, seesNames, uploadAttributes, withVersion } from './view.ts';
import type { Below } from './view.ts';

export class Namespace {
  private readonly parts: Parts;
  private readonly uploads: Uploads;

  constructor(parts: Parts, uploads: Uploads) {
    this.parts = parts;
    this.uploads = uploads;
  }

  stat(who: FileSession, { path }: Request<'files.stat'>): Attributes {
    const place = this.parts.view.find(who, path);
    if (place.at === 'top') return topAttributes();
    if (place.at === 'mount') return attributesOf(place.node, place.grant.rights);
    const own = this.parts.uploads.own(place.parent.id, place.name, who.account);
    if (own !== undefined) return uploadAttributes(own, place.grant.rights);
    if (place.node === null || !seesNames(place.grant.rights)) throw notFound(path);
    return withVersion(attributesOf(place.node, place.grant.rights), place.node.version);
  }

  async list(who: FileSession, request: Request<'files.list'>): Promise<Response<'files.list'>> {
    const { path, after, limit } = request;
    const place = this.parts.view.find(who, path);
    if (place.at === 'top')
      return this.listed(who, request, page(topAttributes(), this.mounts(who, after), limit), null, null);
    if (place.at === 'below' && (place.node === null || !seesNames(place.grant.rights))) throw notFound(path);
    need(place.grant, 'list', path);
    const node = place.node;
    if (node?.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} is a file`);
    const entries = this.entries(who, node.id, place.grant.rights, after ?? '', limit + 1);
    const directory = attributesOf(node, place.grant.rights);
    return this.listed(who, request, page(directory, entries, limit), place.grant.folder, node.id);
  }

  async mkdir(who: FileSession, { path }: Request<'files.mkdir'>): Promise<Response<'files.mkdir'>> {
    const { store, view, uploads, changes, ledger } = this.parts;
    await changes.run(() => {
      const place = view.below(who, path);
      need(place.grant, 'write', path);
      if (place.node !== null || uploads.own(place.parent.id, place.name, who.account) !== undefined)
        throw new WaybillError('already-exists', `${path} exists`);
      refuseLookalike(store, place.parent.id, place.name);
      const now = this.seconds();
      store.insertDirectory(place.parent.id, place.name, now);
      store.touchDirectory(place.parent.id, now);
      ledger.append(who.tenant, {
        kind: 'made',
        session: who.session,
        folder: place.grant.folder,
        path: withinFolder(path),
      });
    });
    return {};
  }

  async rmdir(who: FileSession, { path }: Request<'files.rmdir'>): Promise<Response<'files.rmdir'>> {
    const { store, changes, ledger, uploads } = this.parts;
    await this.dropLeftovers(who, this.emptyDirectory(who, path).id);
    await changes.run(() => {
      const place = this.parts.view.below(who, path);
      const node = this.emptyDirectory(who, path);
      this.parts.grants.legalHolds.refuse(place.grant.folder, path);
      if (uploads.hasAny(node.id))
        throw new WaybillError('directory-not-empty', `an upload into ${path} is in progress`);
      store.removeNode(node.id);
      store.touchDirectory(place.parent.id, this.seconds());
      ledger.append(who.tenant, removed(who, place, path, null));
    });
    return {};
  }

  /** The file, and the account's own upload in progress of that name. */
  async remove(who: FileSession, { path }: Request<'files.remove'>): Promise<Response<'files.remove'>> {
    const found = this.parts.view.below(who, path);
    const own = this.parts.uploads.own(found.parent.id, found.name, who.account);
    if (own !== undefined) {
      need(found.grant, 'write', path);
      await this.uploads.discardIdle(who, own);
      if (found.node === null || !has(found.grant.rights, 'delete')) return {};
    }
    await this.parts.changes.run((change) => {
      if (this.parts.ended.get(who.session) === 'by the operator')
        throw new WaybillError('session-ended', 'the session was ended');
      const place = this.parts.view.below(who, path);
      need(place.grant, 'delete', path);
      const { node } = place;
      if (node === null) throw notFound(path);
      if (node.kind === 'directory') throw new WaybillError('is-a-directory', `${path} is a directory`);
      this.parts.grants.legalHolds.refuse(place.grant.folder, path);
      this.parts.store.removeNode(node.id);
      this.parts.store.touchDirectory(place.parent.id, this.seconds());
      if (node.version !== null) this.parts.contents.retire(change, node.version, who.session);
      this.parts.ledger.append(who.tenant, removed(who, place, path, node));
    });
    return {};
  }

  async setTimes(who: FileSession, request: Request<'files.set-times'>): Promise<Response<'files.set-times'>> {
    const { path, mtime, atime } = request;
    const place = this.parts.view.below(who, path);
    need(place.grant, 'write', path);
    const own = this.parts.uploads.own(place.parent.id, place.name, who.account);
    if (own !== undefined) own.mtime = mtime;
    else
      await this.parts.changes.run(() => {
        const { node } = this.parts.view.below(who, path);
        if (node === null) throw notFound(path);
        this.parts.store.setTimes(node.id, mtime, atime);
      });
    return {};
  }

  async quota(who: FileSession, { path }: Request<'files.quota'>): Promise<Response<'files.quota'>> {
    this.parts.view.find(who, path);
    const space = await this.parts.room.left();
    return { ...this.parts.quota.usage(who.tenant), storeTotal: space.total, storeFree: space.free };
  }

  private emptyDirectory(who: FileSession, path: string): Node {
    const { grant, node } = this.parts.view.below(who, path);
    need(grant, 'delete', path);
    if (node === null) throw notFound(path);
    if (node.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} is a file`);
    if (this.parts.store.hasChildren(node.id)) throw new WaybillError('directory-not-empty', `${path} is not empty`);
    return node;
  }

  /**
   * Uploads that others have left behind: the account does not see them, and who may remove their files may remove
   * these. Its own it sees, and removes by name; those that are being written stay.
   */
  private async dropLeftovers(who: FileSession, directory: number): Promise<void> {
    for (const upload of this.parts.uploads.allIn(directory))
      if (upload.account !== who.account && upload.session === null && upload.busy === null)
        await this.uploads.drop(upload);
  }

  private seconds(): number {
    return Math.floor(this.parts.now() / 1000);
  }

  private mounts(who: FileSession, after: string | null): DirectoryEntry[] {
    return this.parts.view
      .mounts(who)
      .map(({ grant, node }) => ({ name: grant.mount, ...attributesOf(node, grant.rights) }))
      .filter((entry) => after === null || compareNames(entry.name, after) > 0)
      .sort((a, b) => compareNames(a.name, b.name));
  }

  /** Committed names and the account's own uploads in progress, which hide what they will replace. */
  private entries(who: FileSession, parent: number, rights: number, after: string, limit: number): DirectoryEntry[] {
    const bits = { file: permissions('file', rights), directory: permissions('directory', rights) };
    const nodes = this.parts.store
      .children(parent, after, limit)
      .map((child) => ({ ...child, permissions: bits[child.kind], partial: false }));
    const own = this.parts.uploads
      .ownIn(parent, who.account)
      .filter((upload) => compareNames(upload.name, after) > 0)
      .map((upload) => ({ name: upload.name, ...uploadAttributes(upload, rights) }));
    if (own.length === 0) return nodes;
    const hidden = new Set(own.map((entry) => entry.name));
    return [...nodes.filter((entry) => !hidden.has(entry.name)), ...own]
      .sort((a, b) => compareNames(a.name, b.name))
      .slice(0, limit);
  }

  private async listed(
    who: FileSession,
    { path }: Request<'files.list'>,
    answer: Response<'files.list'>,
    folder: string | null,
    directory: number | null,
  ): Promise<Response<'files.list'>> {
    const { egress, store } = this.parts;
    const count = answer.entries.length;
    // The list of its own folders is no secret to an account.
    const counts = folder !== null && directory !== null;
    const reserved = counts ? await egress.listing(who, { folder, path: withinFolder(path), directory }) : REAL;
    await reserved.write(store, () => {
      const { session, tenant } = who;
      this.parts.ledger.append(tenant, { kind: 'listed', session, folder, count, path: withinFolder(path) });
    });
    return answer;
  }
}

/** A new name that looks like another one of the directory would let one file pass for the other. */
export function refuseLookalike(store: FileStore, parent: number, name: string, except?: string): void {
  const other = store.lookalike(parent, name);
  if (other !== null && other !== except)
    throw new WaybillError(
      'already-exists',
      `a name that reads the same as "${name}" but is composed of other characters exists already`,
    );
}

/** For a place where a file may be made or replaced. */
export function refuseDirectory(place: Below, path: string): void {
  if (place.node?.kind === 'directory') throw new WaybillError('is-a-directory', `${path} is a directory`);
}

function page(directory: Attributes, entries: DirectoryEntry[], limit: number): Response<'files.list'> {
  const more = entries.length > limit;
  return { directory, entries: more ? entries.slice(0, limit) : entries, more };
}

function topAttributes(): Attributes {
  return { kind: 'directory', size: 0, mtime: 0, atime: 0, permissions: 0o500, partial: false };
}

export function removed(who: FileSession, place: Below, path: string, node: Node | null): EventOf<'removed'> {
  const { session } = who;
  const { file, version } = node ?? { file: null, version: null };
  return { kind: 'removed', session, folder: place.grant.folder, file, version, path: withinFolder(path) };
}
