/** The one place where failures become SFTP status codes. */
import { asWaybillError, ERRORS, WaybillError, type ErrorCode } from '../../base/errors.ts';
import { MalformedBytes } from '../../base/bytes.ts';
import { FX } from './wire.ts';

/** Codes without a row are FX_FAILURE: version 3 has no finer code (full disk, name taken, bad handle ...). */
const STATUS: Partial<Record<ErrorCode, number>> = {
  'not-found': FX.NO_SUCH_FILE,
  // OpenSSH answers ENOTDIR and ELOOP so too: clients that probe a path take it as "not there".
  'not-a-directory': FX.NO_SUCH_FILE,
  'permission-denied': FX.PERMISSION_DENIED,
  'release-refused': FX.PERMISSION_DENIED,
  held: FX.PERMISSION_DENIED,
  'flow-refused': FX.PERMISSION_DENIED,
  'legal-hold': FX.PERMISSION_DENIED,
  'tenant-locked': FX.PERMISSION_DENIED,
  'tenant-shredded': FX.PERMISSION_DENIED,
  'session-ended': FX.PERMISSION_DENIED,
  'not-your-session': FX.PERMISSION_DENIED,
  'request-invalid': FX.BAD_MESSAGE,
  unsupported: FX.OP_UNSUPPORTED,
};

const MESSAGE_CHARACTERS_MAX = 400;

export interface Status {
  readonly code: number;
  readonly message: string;
}

/** Failures of the parser are the client's; anything unknown becomes `internal` and says nothing of its cause. */
export function asFailure(thrown: unknown): WaybillError {
  if (thrown instanceof MalformedBytes) return new WaybillError('request-invalid', thrown.message, { cause: thrown });
  return asWaybillError(thrown);
}

export function statusOf(error: WaybillError): Status {
  return { code: STATUS[error.code] ?? FX.FAILURE, message: text(error) };
}

function text(error: WaybillError): string {
  const what = error.message.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '?').replace(/[.:\s]+$/, '');
  const message = what.slice(0, MESSAGE_CHARACTERS_MAX).toWellFormed();
  return `${message === '' ? error.code : message}. ${ERRORS[error.code]}`;
}
