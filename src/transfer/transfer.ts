/**
 * The one way from a protocol to files: paths and plaintext on this side, broker calls and frames on the other.
 * Budget, ledger and encryption cannot be gone round, because nothing else in a front knows the broker's file calls.
 * One SessionFiles per signed-in session. Every promise rejects with WaybillError.
 */
import type { Attributes, DirectoryEntry } from '../broker/calls.ts';

export interface OpenOptions {
  readonly read: boolean;
  readonly write: boolean;
  /** Writes go to the end whatever their offset (SSH_FXF_APPEND). */
  readonly append: boolean;
  readonly create: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
  /** Where reading begins: the key of that segment is asked for with the opening. 0 when left out. */
  readonly from?: number;
}

export interface Quota {
  /** Bytes; null = only the disk limits. */
  readonly limit: number | null;
  readonly used: number;
  readonly storeTotal: number;
  readonly storeFree: number;
}

export interface DirectoryPage {
  /** As `stat` has it. */
  readonly directory: Attributes;
  readonly entries: DirectoryEntry[];
  readonly more: boolean;
}

export interface SessionFiles {
  stat(path: string): Promise<Attributes>;
  /** One page in name order, of at most 1,000 entries. `after` is the last name of the page before. */
  list(path: string, after: string | null, limit?: number): Promise<DirectoryPage>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** `replace`: an existing file at `to` is replaced in one step (posix-rename); otherwise it is `already-exists`. */
  rename(from: string, to: string, replace: boolean): Promise<void>;
  setTimes(path: string, mtime: number, atime: number): Promise<void>;
  /** Makes a new version of that size (SETSTAT with size). */
  truncate(path: string, size: number): Promise<void>;
  quota(path: string): Promise<Quota>;
  open(path: string, options: OpenOptions): Promise<OpenFile>;
  /** The connection is gone: uploads in progress are kept for resuming, readings are closed. Resolves when done. */
  abandon(): Promise<void>;
}

/** What protocols need besides that have resumable uploads of their own. */
export interface ResumableFiles extends SessionFiles {
  openUpload(path: string, options: Omit<OpenOptions, 'read' | 'write' | 'append'>): Promise<UploadingFile>;
}

export interface UploadingFile extends OpenFile {
  /** Of the upload in progress, which stays the same when it is taken up again; after `close` of the version it made. */
  readonly version: string | null;
  /** Ends the writing; what is here can be taken up again. */
  suspend(): Promise<void>;
  /** Ends the writing and gives up what was written. */
  discard(): Promise<void>;
}

export interface OpenFile {
  readonly path: string;
  /** Size and times as this handle sees them now, own unfinished writes included. */
  stat(): Attributes;
  /**
   * Up to `length` bytes from `offset` as parts in order (views that stay unchanged); fewer only at the end of the file,
   * an empty list at or past it. Reads ahead when offsets are sequential. Callers may have many reads under way;
   * memory held is bounded per session. `until`: nothing from there on will be wanted, so no key of it is released.
   */
  read(offset: number, length: number, until?: number): Promise<readonly Buffer[]>;
  /**
   * Resolves when the bytes are taken over and the next write may come (that is the back-pressure). Not yet durable.
   * `data` may be reused by the caller once it resolves. Writes at any offset; a gap reads as zeros.
   */
  write(offset: number, data: Buffer): Promise<void>;
  truncate(size: number): Promise<void>;
  setTimes(mtime: number, atime: number): void;
  /** fsync@openssh.com: what is written so far survives a crash as an upload in progress. */
  sync(): Promise<void>;
  /** For a written file: durable, committed as a version, then resolves. A failure here means that no version was made. */
  close(): Promise<void>;
}
