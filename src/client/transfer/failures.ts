/** What a failure means for a transfer: over, again, or by another way. */
import { isErrorCode, WaybillError } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/errors.ts';
import type { TransferState } from '../../api/transfers.ts';

/** Of one file, when that is known. */
export class TransferFailure extends WaybillError {
  readonly path: string | null;

  constructor(code: ErrorCode, message: string, path: string | null) {
    super(code, message);
    this.path = path;
  }
}

export function failureOf({ failure }: TransferState): TransferFailure {
  if (failure === null) return new TransferFailure('transfer-broken', 'the stream ended before it was through', null);
  const { code, path, detail } = failure;
  return new TransferFailure(isErrorCode(code) ? code : 'transfer-broken', detail, path);
}

/** UDP does not get through, or not any more. */
export class UdpLost extends Error {
  readonly port: number | null;

  constructor(port: number | null, why: string) {
    super(why);
    this.port = port;
  }
}

/** These pass: the same is tried again, from what was verified. */
const AGAIN: ReadonlySet<ErrorCode> = new Set([
  'transfer-broken',
  'server-unreachable',
  'broker-unavailable',
  'session-ended',
  'in-use',
  'too-many-handles',
  'changed-meanwhile',
  'offset-invalid',
  'checksum-mismatch',
]);

export function passes(code: ErrorCode): boolean {
  return AGAIN.has(code);
}

/** One file cannot be had or stored; others can. */
const OF_ONE_FILE: ReadonlySet<ErrorCode> = new Set([
  'not-found',
  'permission-denied',
  'is-a-directory',
  'not-a-directory',
  'name-invalid',
  'path-too-long',
  'content-damaged',
  'content-missing',
  'legal-hold',
  'release-refused',
  'flow-refused',
  'already-exists',
]);

export function isOfOneFile(code: ErrorCode): boolean {
  return OF_ONE_FILE.has(code);
}
