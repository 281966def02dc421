/** What a row of the request table is, and how rows read handles and paths. */
import type { ByteReader } from '../../base/bytes.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Session } from '../../broker/calls.ts';
import type { SessionFiles } from '../../transfer/transfer.ts';
import type { Answer } from './answers.ts';
import type { PageKeeper } from './directory.ts';
import { HANDLE_BYTES_MAX, type FileHandle, type Handle, type HandleTable } from './handles.ts';
import { checkCreatable, resolvePath } from './paths.ts';

/** What every handler of one session works with. */
export interface Context {
  readonly files: SessionFiles;
  readonly session: Session;
  readonly handles: HandleTable;
  readonly pages: PageKeeper;
  readonly handlesMax: number;
  /** Owner and group as they stand in listings. */
  readonly owner: string;
  /** Seconds since 1970. */
  now(): number;
  /** True once the channel is gone or ends: long work stops. */
  over(): boolean;
}

/**
 * What a request works on. Two requests may be under way at once unless one of them changes something and they name the
 * same path or one within the other's; those run in the order in which they came, as the draft asks for and as
 * clients that do not wait for answers rely on (WRITE, CLOSE, RENAME sent in one go).
 */
export interface Subject {
  readonly handle?: Handle;
  readonly otherHandle?: Handle;
  readonly path?: string;
  readonly otherPath?: string;
}

export interface RequestRow<A> {
  readonly name: string;
  /** Whether it changes content, names or handles; OPEN says it by its flags. */
  readonly writes: boolean | ((args: A) => boolean);
  /**
   * Throws MalformedBytes or WaybillError. Nothing of the packet's memory may be in the result, except in
   * what a row with `keepsPacket` returns.
   */
  parse(reader: ByteReader, context: Context, body: readonly Buffer[]): A;
  handle(args: A, id: number, context: Context): Answer | Promise<Answer>;
  /** Bytes that the request may hold while it runs and until its answer is taken. */
  readonly memory?: (args: A) => number;
  /** The packet's bytes are in use until the request is answered (WRITE). */
  readonly keepsPacket?: boolean;
  /** Answers of this row on one handle leave in the order of the requests (READ). */
  readonly inOrder?: boolean;
}

export type AnyRow = RequestRow<Subject>;

/** Puts a typed row into the table, which only ever gives a row what its own `parse` made. */
export function row<A>(typed: RequestRow<A>): AnyRow {
  return typed as unknown as AnyRow;
}

export function readHandle(reader: ByteReader, context: Context): Handle {
  const handle = context.handles.find(reader.string(HANDLE_BYTES_MAX));
  if (handle === null) throw new WaybillError('handle-invalid', 'no such handle is open');
  return handle;
}

export function readFileHandle(reader: ByteReader, context: Context): FileHandle {
  const handle = readHandle(reader, context);
  if (handle.kind !== 'file') throw new WaybillError('is-a-directory', 'the handle is that of a directory');
  return handle;
}

export function readPath(reader: ByteReader, context: Context): string {
  return resolvePath(reader.string(), context.session.home);
}

/** The path of something that the request creates. */
export function readNewPath(reader: ByteReader, context: Context): string {
  return checkCreatable(readPath(reader, context));
}

export function mustRead(handle: FileHandle): FileHandle {
  if (!handle.readable) throw new WaybillError('handle-invalid', 'the handle was not opened for reading');
  return handle;
}

export function mustWrite(handle: FileHandle): FileHandle {
  if (!handle.writable) throw new WaybillError('handle-invalid', 'the handle was not opened for writing');
  return handle;
}
