/** The rooms' FileStore over SQLite: one prepared statement a method, no rule of its own. */
import type { StatementSync } from 'node:sqlite';
import { composed } from '../../base/names.ts';
import type { SegmentRun } from '../../broker/calls.ts';
import type {
  Blob,
  Child,
  Content,
  FileStore,
  Folder,
  Node,
  ProductFolder,
  Tenant,
  UploadRow,
  Version,
} from '../../files/store.ts';
import type { FileKey } from '../../keys/keys.ts';
import type { Database } from './database.ts';
import { FILES_SCHEMA } from './files-schema.ts';
import { AS_ARRAYS, STATEMENTS } from './files-statements.ts';
import { bufferOf, packRuns, stateNumber, toChild, toContent, toNode, toUpload } from './rows.ts';
import type { ChildTuple, ContentRow, NodeTuple, UploadTuple } from './rows.ts';

export class SqliteFiles implements FileStore {
  private readonly database: Database;
  /** A folder never changes; every call of a client asks for one. */
  private readonly knownFolders = new Map<string, Folder>();
  private readonly sql: Record<keyof typeof STATEMENTS, StatementSync>;

  constructor(database: Database) {
    this.database = database;
    database.define(FILES_SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
    for (const name of AS_ARRAYS) this.sql[name].setReturnArrays(true);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  writePatiently<T>(action: () => T): Promise<T> {
    return this.database.writePatiently(action);
  }

  tenant(id: string): Tenant | null {
    return (this.sql.tenant.get(id) as Tenant | undefined) ?? null;
  }
  tenantByName(name: string): Tenant | null {
    return (this.sql.tenantByName.get(name) as Tenant | undefined) ?? null;
  }
  tenants(): Tenant[] {
    return this.sql.tenants.all() as unknown as Tenant[];
  }
  insertTenant(tenant: Tenant, now: number): void {
    this.sql.insertTenant.run(tenant.id, tenant.name, tenant.displayName, tenant.quota, tenant.used, now);
  }
  setQuota(id: string, quota: number | null): void {
    this.sql.setQuota.run(quota, id);
  }
  addUsed(id: string, change: number): void {
    this.sql.addUsed.run(change, id);
  }
  removeTenant(id: string): void {
    this.sql.removeTenant.run(id);
  }

  folder(id: string): Folder | null {
    const known = this.knownFolders.get(id);
    if (known !== undefined) return known;
    const folder = (this.sql.folder.get(id) as Folder | undefined) ?? null;
    if (folder !== null) this.knownFolders.set(id, folder);
    return folder;
  }
  folders(tenant: string): Folder[] {
    return this.sql.folders.all(tenant) as unknown as Folder[];
  }
  insertFolder(id: string, tenant: string, name: string, now: number): Folder {
    const root = Number(this.sql.insertNode.run(0, id, null, 1, 0, now, now, null, null).lastInsertRowid);
    this.sql.insertFolder.run(id, tenant, name, root, now);
    return { id, tenant, name, root };
  }
  removeFolder(folder: Folder): void {
    this.knownFolders.delete(folder.id);
    this.sql.removeFolder.run(folder.id);
    this.sql.removeNode.run(folder.root);
  }
  productFolders(): ProductFolder[] {
    return this.sql.productFolders.all() as unknown as ProductFolder[];
  }

  insertProductFolder({ product, folder }: ProductFolder): void {
    this.sql.insertProductFolder.run(product, folder);
  }

  removeProductFolder({ product, folder }: ProductFolder): boolean {
    return this.sql.removeProductFolder.run(product, folder).changes === 1;
  }

  totals(directory: number): { files: number; bytes: number } {
    return this.sql.totals.get(directory) as { files: number; bytes: number };
  }

  node(id: number): Node | null {
    return nodeOrNull(this.sql.node.get(id));
  }
  child(parent: number, name: string): Node | null {
    return nodeOrNull(this.sql.child.get(parent, name));
  }
  lookalike(parent: number, name: string): string | null {
    const form = composed(name);
    if (form !== name && this.sql.child.get(parent, form) !== undefined) return form;
    const row = this.sql.composedChild.get(parent, form, name) as { name: string } | undefined;
    return row?.name ?? null;
  }
  children(parent: number, after: string, limit: number): Child[] {
    return (this.sql.children.all(parent, after, limit) as unknown as ChildTuple[]).map(toChild);
  }
  hasChildren(parent: number): boolean {
    return this.sql.hasChildren.get(parent) !== undefined;
  }
  insertDirectory(parent: number, name: string, now: number): void {
    this.sql.insertNode.run(parent, name, otherForm(name), 1, 0, now, now, null, null);
  }
  insertFile(parent: number, name: string, version: Version, atime: number): void {
    const { size, mtime, file, id } = version;
    this.sql.insertNode.run(parent, name, otherForm(name), 0, size, mtime, atime, file, id);
  }
  replaceFile(node: number, version: Version, atime: number): void {
    this.sql.replaceFile.run(version.size, version.mtime, atime, version.file, version.id, node);
  }
  moveNode(node: number, parent: number, name: string): void {
    this.sql.moveNode.run(parent, name, otherForm(name), node);
  }
  removeNode(node: number): void {
    this.sql.removeNode.run(node);
  }
  setTimes(node: number, mtime: number, atime: number): void {
    this.sql.setTimes.run(mtime, atime, node);
  }
  touchDirectory(node: number, mtime: number): void {
    this.sql.touchDirectory.run(mtime, node);
  }

  insertFileKey(key: FileKey): void {
    this.sql.insertFileKey.run(key.file, key.tenant, key.tenantKey, key.wrapped);
  }
  content(version: string): Content | null {
    const row = this.sql.content.get(version) as ContentRow | undefined;
    return row === undefined ? null : toContent(row);
  }
  insertVersion(version: Version): void {
    const { id, file, size, mtime, created, account, session, inlineBlob } = version;
    const state = stateNumber(version.state);
    this.sql.insertVersion.run(
      id,
      file,
      size,
      mtime,
      created,
      account,
      session,
      packRuns(version.runs),
      inlineBlob,
      state,
    );
  }
  endVersion(id: string, state: 'replaced' | 'gone', ended: number, session: string): void {
    this.sql.endVersion.run(stateNumber(state), ended, session, id);
  }
  replacedVersions(): string[] {
    return (this.sql.replacedVersions.all() as unknown as { id: string }[]).map((row) => row.id);
  }
  insertInline(version: string, bytes: Buffer): void {
    this.sql.insertInline.run(version, bytes);
  }
  copyInline(from: string, to: string): void {
    this.sql.copyInline.run(to, from);
  }
  removeInline(version: string): void {
    this.sql.removeInline.run(version);
  }
  inline(version: string): Buffer | null {
    const row = this.sql.inline.get(version) as { bytes: Uint8Array } | undefined;
    return row === undefined ? null : bufferOf(row.bytes);
  }

  blob(id: string): Blob | null {
    return (this.sql.blob.get(id) as Blob | undefined) ?? null;
  }
  blobs(): Blob[] {
    return this.sql.blobs.all() as unknown as Blob[];
  }
  insertBlob(blob: Blob): void {
    this.sql.insertBlob.run(blob.id, blob.tenant, blob.file, blob.bytes, blob.length, blob.refs);
  }
  addReference(blob: string, change: 1 | -1): number {
    const row = this.sql.addReference.get(change, blob) as { refs: number } | undefined;
    return row?.refs ?? 0;
  }
  removeBlob(id: string): void {
    this.sql.removeBlob.run(id);
  }

  uploads(): UploadRow[] {
    return (this.sql.uploads.all() as unknown as UploadTuple[]).map(toUpload);
  }
  insertUpload(row: UploadRow): void {
    const { id, tenant, account, parent, name, key, base, blob, epoch, size, touched } = row;
    const { file, tenantKey, wrapped } = key;
    const runs = packRuns(row.runs);
    this.sql.insertUpload.run(
      id,
      tenant,
      account,
      parent,
      name,
      file,
      tenantKey,
      wrapped,
      base,
      blob,
      epoch,
      size,
      runs,
      touched,
    );
  }
  uploadOfBlob(blob: string): string | null {
    return (this.sql.uploadOfBlob.get(blob) as { id: string } | undefined)?.id ?? null;
  }
  reopenUpload(id: string, epoch: number, touched: number): void {
    this.sql.reopenUpload.run(epoch, touched, id);
  }
  saveProgress(id: string, size: number, runs: readonly SegmentRun[], touched: number): void {
    this.sql.saveProgress.run(size, packRuns(runs), touched, id);
  }
  moveUpload(id: string, parent: number, name: string): void {
    this.sql.moveUpload.run(parent, name, id);
  }
  removeUpload(id: string): void {
    this.sql.removeUpload.run(id);
  }

  versionsAfter(id: string, limit: number): Content[] {
    return (this.sql.versionsAfter.all(id, limit) as unknown as ContentRow[]).map(toContent);
  }
  nodesOfFiles(files: readonly string[]): Node[] {
    return (this.sql.nodesOfFiles.all(JSON.stringify(files)) as unknown as NodeTuple[]).map(toNode);
  }
  pathOf(file: string): { folder: string; path: string } | null {
    const names: string[] = [];
    let node = nodeOrNull(this.sql.nodeOfFile.get(file));
    for (; node !== null && node.parent !== 0; node = this.node(node.parent)) names.unshift(node.name);
    return node === null ? null : { folder: node.name, path: names.join('/') };
  }
}

function nodeOrNull(row: unknown): Node | null {
  return row === undefined ? null : toNode(row as NodeTuple);
}

/** Null for a name in composed form, which is nearly every one. */
function otherForm(name: string): string | null {
  const form = composed(name);
  return form === name ? null : form;
}
