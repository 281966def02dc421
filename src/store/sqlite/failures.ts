import { WaybillError } from '../../base/errors.ts';

/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: the index of a log, of a new or a longer one, finds no space. */
const FULL: ReadonlySet<unknown> = new Set([13, 4874]);

export function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && FULL.has(error.errcode);
}

/** The one place where SQLite's failures become the product's. */
export function failureOf(error: unknown): unknown {
  return isFull(error) ? new WaybillError('store-full', 'no space left for the metadata', { cause: error }) : error;
}
