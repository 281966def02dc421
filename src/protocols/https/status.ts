/** The one place where failures become HTTP: status codes and problem+json (RFC 9457). */
import { isErrorCode } from '../../base/errors.ts';
import type { ErrorCode, WaybillError } from '../../base/errors.ts';
import type { Problem } from '../../api/problem.ts';

/** What policy refuses is 403, held included: 423 is "another one has it now, try again", and clients do, by themselves. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  'not-found': 404,
  'already-exists': 409,
  'not-a-directory': 404,
  'is-a-directory': 409,
  'directory-not-empty': 409,
  'permission-denied': 403,
  'name-invalid': 400,
  'path-too-long': 414,
  'quota-exceeded': 413,
  'store-full': 507,
  'in-use': 423,
  'too-many-handles': 429,
  'offset-invalid': 416,
  'request-invalid': 400,
  unsupported: 405,
  'release-refused': 403,
  'session-ended': 401,
  'not-signed-in': 401,
  'not-your-session': 403,
  'call-unknown': 404,
  'key-unavailable': 503,
  'root-key-unreachable': 503,
  'root-key-sealed': 503,
  'root-key-denied': 503,
  'call-forbidden': 403,
  'option-invalid': 400,
  'scope-missing': 403,
  'step-up-needed': 403,
  'origin-refused': 403,
  'changed-meanwhile': 412,
  'checksum-mismatch': 400,
  'too-large': 413,
  'broker-unavailable': 503,
  'acme-failed': 502,
  'provider-refused': 502,
  'sign-in-refused': 401,
  'login-pending': 400,
  'login-too-fast': 429,
  'login-denied': 403,
  'login-expired': 400,
  'login-elsewhere': 403,
  held: 403,
  'flow-refused': 403,
  'legal-hold': 403,
  'approval-needed': 403,
  'tenant-locked': 403,
  'tenant-shredded': 410,
  'content-missing': 410,
};

export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}

const DETAIL_CHARACTERS_MAX = 1000;
const REFERENCE = /\b[A-Z]-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b/;

/** `status` other than the code's own is for protocols on top that fix one (tus). */
export function problemOf(error: WaybillError, status = statusOf(error.code)): Problem {
  const detail = error.message.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '?').toWellFormed();
  const waits = error.code === 'held' || error.code === 'approval-needed';
  const reference = waits ? REFERENCE.exec(error.message)?.[0] : undefined;
  return {
    type: 'about:blank',
    status,
    code: isErrorCode(error.code) ? error.code : 'internal',
    title: error.next,
    detail: detail.slice(0, DETAIL_CHARACTERS_MAX),
    ...(reference === undefined ? {} : { reference }),
  };
}
