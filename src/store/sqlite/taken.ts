import { WaybillError } from '../../base/errors.ts';

const SQLITE_CONSTRAINT_UNIQUE = 2067;

/** A row that must be the only one of its kind: `already-exists` with this message when there is one. */
export function taken(message: string, insert: () => unknown): void {
  try {
    insert();
  } catch (cause) {
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_CONSTRAINT_UNIQUE)
      throw new WaybillError('already-exists', message, { cause });
    throw cause;
  }
}
