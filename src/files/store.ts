/** What files/ needs of the metadata store. Rows are plain values; times are seconds unless said otherwise. */
import type { SegmentRun } from '../broker/calls.ts';
import type { FileKey } from '../keys/keys.ts';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** What people read; may be empty. */
  readonly displayName: string;
  /** Bytes; null = only the disk limits. */
  readonly quota: number | null;
  /** Bytes of content stored for committed versions. */
  readonly used: number;
}

export interface Folder {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  /** The node that is its top directory. */
  readonly root: number;
}

export interface Node {
  readonly id: number;
  /** 0 for the top directory of a folder, whose name is the folder's id. */
  readonly parent: number;
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly file: string | null;
  readonly version: string | null;
  readonly size: number;
  readonly mtime: number;
  readonly atime: number;
}

export interface Child {
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly size: number;
  readonly mtime: number;
  readonly atime: number;
}

export type VersionState = 'current' | 'replaced' | 'gone';

export interface Version {
  readonly id: string;
  readonly file: string;
  readonly size: number;
  readonly mtime: number;
  /** Milliseconds. */
  readonly created: number;
  readonly account: string;
  readonly session: string;
  readonly runs: readonly SegmentRun[];
  /** The blob whose one frame is stored beside the version. */
  readonly inlineBlob: string | null;
  /** `replaced`: no name leads here any more, but a reading holds the content; `gone`: only this row is left. */
  readonly state: VersionState;
}

/** A version with the key of its file. */
export interface Content {
  readonly version: Version;
  readonly key: FileKey;
}

export interface Blob {
  readonly id: string;
  readonly tenant: string;
  readonly file: string;
  /** Plaintext bytes that count against the quota. */
  readonly bytes: number;
  /** Length of the stored file. */
  readonly length: number;
  /** Versions that still have content in it. */
  readonly refs: number;
}

/** A product is what the operator sells that uses some folders: it tells what depends on what was touched. */
export interface ProductFolder {
  readonly product: string;
  /** Id. */
  readonly folder: string;
}

export interface UploadRow {
  readonly id: string;
  readonly tenant: string;
  readonly account: string;
  readonly parent: number;
  readonly name: string;
  readonly key: FileKey;
  readonly base: string | null;
  readonly blob: string;
  readonly epoch: number;
  /** What has been fsynced. */
  readonly size: number;
  readonly runs: readonly SegmentRun[];
  /** Milliseconds of the last sign of life. */
  readonly touched: number;
}

/**
 * Promises: the reading methods see the effects of every method called before them; the changing ones join the
 * transaction of the `write` they are called in and may be called nowhere else. `write` resolves after the effects of
 * its action are durable; an action that throws leaves none. Names of one directory are unique by their bytes.
 */
export interface FileStore {
  write<T>(action: () => T): Promise<T>;
  /** The same for what nobody waits for: it may join a later commit, and a crash before that loses it. */
  writePatiently<T>(action: () => T): Promise<T>;

  tenant(id: string): Tenant | null;
  tenantByName(name: string): Tenant | null;
  tenants(): Tenant[];
  insertTenant(tenant: Tenant, now: number): void;
  setQuota(id: string, quota: number | null): void;
  /** `change` may be negative. */
  addUsed(id: string, change: number): void;
  removeTenant(id: string): void;

  folder(id: string): Folder | null;
  folders(tenant: string): Folder[];
  insertFolder(id: string, tenant: string, name: string, now: number): Folder;
  removeFolder(folder: Folder): void;
  /** Which product of the operator uses which folder, in order of their names. */
  productFolders(): ProductFolder[];
  insertProductFolder(row: ProductFolder): void;
  /** False when it was not there. */
  removeProductFolder(row: ProductFolder): boolean;
  /** Files below a directory and the sum of their sizes. */
  totals(directory: number): { files: number; bytes: number };

  node(id: number): Node | null;
  child(parent: number, name: string): Node | null;
  /** A name in the directory with this composed form and other bytes than `name`. */
  lookalike(parent: number, name: string): string | null;
  children(parent: number, after: string, limit: number): Child[];
  hasChildren(parent: number): boolean;
  insertDirectory(parent: number, name: string, now: number): void;
  insertFile(parent: number, name: string, version: Version, atime: number): void;
  /** Points an existing file node to another version (and file). */
  replaceFile(node: number, version: Version, atime: number): void;
  moveNode(node: number, parent: number, name: string): void;
  removeNode(node: number): void;
  setTimes(node: number, mtime: number, atime: number): void;
  touchDirectory(node: number, mtime: number): void;

  insertFileKey(key: FileKey): void;
  content(version: string): Content | null;
  insertVersion(version: Version): void;
  /** `ended`: milliseconds and the session that replaced or removed it; written once. */
  endVersion(id: string, state: 'replaced' | 'gone', ended: number, session: string): void;
  replacedVersions(): string[];
  insertInline(version: string, bytes: Buffer): void;
  copyInline(from: string, to: string): void;
  removeInline(version: string): void;
  inline(version: string): Buffer | null;

  blob(id: string): Blob | null;
  insertBlob(blob: Blob): void;
  /** Returns the references left. */
  addReference(blob: string, change: 1 | -1): number;
  removeBlob(id: string): void;
  blobs(): Blob[];

  uploads(): UploadRow[];
  insertUpload(row: UploadRow): void;
  /** Which blobs an upload in progress owns. */
  uploadOfBlob(blob: string): string | null;
  reopenUpload(id: string, epoch: number, touched: number): void;
  saveProgress(id: string, size: number, runs: readonly SegmentRun[], touched: number): void;
  moveUpload(id: string, parent: number, name: string): void;
  removeUpload(id: string): void;

  /** For the check: versions that have content, in order of id. */
  versionsAfter(id: string, limit: number): Content[];
  /** Those that have a name. Walks over all nodes: for many files at once, now and then. */
  nodesOfFiles(files: readonly string[]): Node[];
  /** The path below the folder, without a leading slash. */
  pathOf(file: string): { folder: string; path: string } | null;
}
