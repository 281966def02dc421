/**
 * The one home of failures. Every failure that a person or another process may see has a row here;
 * each protocol maps the codes to its own status exactly once (sftp: protocols/sftp/status.ts, the
 * command line: cli/exit-codes.ts). Codes are stable: scripts and the ledger may rely on them.
 */
export const ERRORS = {
  'not-found': 'No file, directory or record has this name here. Check the path; names are case-sensitive.',
  'already-exists': 'The name is taken. Choose another name, or remove what is there first.',
  'not-a-directory': 'A part of the path is a file. Check the path.',
  'is-a-directory': 'The path is a directory. Name a file in it.',
  'directory-not-empty': 'The directory still holds something. Remove its contents first.',
  'permission-denied': 'The account has no grant for this. Ask the owner of the folder for the right that is named.',
  'name-invalid': 'The name is not acceptable. Use UTF-8 without control characters, NUL, "/" or a lone "." or "..".',
  'path-too-long': 'The path is longer than 4,096 bytes or a name in it longer than 255. Use shorter names.',
  'quota-exceeded': "The tenant's quota is used up. Remove files or ask the operator for more.",
  'store-full': 'The store has no space left. Nothing acknowledged is lost; the operator has to make room.',
  'in-use': 'Another session is uploading to this name. Wait until it has ended, or end it.',
  'handle-invalid': 'The handle is closed or never existed. Open the file again.',
  'too-many-handles': 'The session has too many files open. Close some.',
  'offset-invalid': 'The offset or length is outside what a file can have. Use offsets below 2^53.',
  'request-invalid': 'The request is malformed. This is an error in the client software.',
  unsupported: 'The server does not offer this operation.',
  'content-damaged':
    'Stored bytes fail their integrity check and are not served. The operator should run: waybill check',
  'content-missing': 'Stored bytes are gone. The operator should run: waybill check',
  'key-unavailable': 'The key of this content cannot be opened. The operator should check the root key.',
  'release-refused': 'Policy does not allow these bytes to leave. Ask the operator.',
  'session-ended': 'The session was ended. Sign in again.',
  'not-your-session': 'The caller does not own this session. This is recorded.',
  'call-unknown': 'No such broker call exists.',
  'call-forbidden': 'This caller may not make this call.',
  'broker-unavailable':
    'The broker does not answer. Try again; if it lasts, the operator should look at the server log.',
  'sign-in-refused': 'The sign-in was refused.',
  'acme-failed':
    'The certificate authority (--acme) gave no certificate; the one before stays in use. The log says why.',
  'provider-refused': 'The identity provider cannot be asked. Try again; if it lasts, run: waybill sso test NAME',
  'not-signed-in': 'Nobody is signed in. Send a token as "Authorization: Bearer TOKEN", or sign in.',
  'scope-missing': 'The token does not allow this. Use one with the scope that is named.',
  'step-up-needed':
    'This needs a strong factor shown within the last minutes. Show a passkey or a code again, then try again.',
  'origin-refused': 'A page of another origin asked for this in the name of a signed-in person. It was not done.',
  'transfer-broken':
    'The fast transfer ended before it was through. Begin it again: it goes on from the last whole segment.',
  'changed-meanwhile': 'What is there is not what the condition of the request names. Read it again, then decide.',
  'checksum-mismatch':
    'The bytes that arrived are not those that the checksum is of. They were not kept; send them again.',
  'too-large': 'The request is larger than this operation takes.',
  'option-invalid': 'An option has a value that is not allowed. The message names what is.',
  'data-folder-invalid': 'The data folder cannot be used. The message says why and what to do.',
  'root-key-missing':
    'The data folder has content, but its root key is gone. Put the root key back from its safe copy.',
  'root-key-wrong': 'The root key is not the one this data folder was made with. Put the right one back.',
  'root-key-unreachable':
    'The service that holds the root key does not answer. Check that it runs and can be reached; the message names it.',
  'root-key-sealed': 'The service that holds the root key is sealed. Unseal it, then try again.',
  'root-key-denied':
    'The service that holds the root key does not allow this. Check the token or role, and the policy it has there.',
  'root-key-answer-invalid':
    'The service that holds the root key answered in a form that is not its own. Check the address, mount and key name.',
  'already-running': 'Another server uses this data folder. Stop it first.',
  'not-running': 'No server is running on this data folder. Start it with: waybill serve --data DIR',
  'server-unreachable':
    'The server does not answer at this address. Check the address, and that HTTPS is served there.',
  'server-untrusted':
    'Nothing was sent. Ask the operator which certificate or key is right, and give it with: --trust FILE|sha256/KEY',
  'login-pending': 'Nobody has confirmed this yet. Ask again after the interval.',
  'login-too-fast': 'This was asked too early or too often. Wait longer, then ask again.',
  'login-denied': 'The request was refused on the page. Begin again if it was yours.',
  'login-expired': 'The request is over: it was used, too old, or never there. Begin again with: waybill login',
  'login-elsewhere':
    'The machine that asks is not where this browser is. Confirm it in a browser of that machine or its network.',
  'address-in-use': 'The address is taken by another program. Choose another with --sftp or --https ADDRESS:PORT.',
  held: 'Held: more would leave than is usual. A second person has to approve it, by the reference; then try again, and it goes on.',
  'flow-refused':
    'The grant does not allow this from here, at this time or once more. The message says what it allows.',
  'legal-hold': 'The folder is under legal hold: nothing in it is removed or replaced until the operator lifts it.',
  'approval-needed':
    'This act needs a second administrator. It waits under the reference that the message names: waybill approve REFERENCE',
  'tenant-locked':
    "The tenant's keys are out of service for now. The operator can put them back: waybill tenant unlock",
  'tenant-shredded': "The tenant's keys were destroyed. Its content cannot be read by anybody any more.",
  'ledger-entry-invalid': 'Bytes of a ledger are not an entry of a known form. The message names the place.',
  'ledger-proof-invalid': 'A proof over a ledger does not hold. The message says which, and what does not fit.',
  'ledger-damaged':
    'The ledger is damaged or was changed. Do not repair it by hand: keep a copy, and run: waybill verify',
  'ledger-rolled-back':
    'The ledger and the metadata are not of the same moment: one was put back from an older copy. Put back the other too.',
  'ledger-key-missing': 'The key that signs the ledger is gone. Put it back from its safe copy.',
  internal: 'Something went wrong inside the server. The operator finds the cause in the log under this code.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** A failure with a stable code. `message` says what happened; `next` what the reader can do. Neither ever holds a secret. */
export class WaybillError extends Error {
  readonly code: ErrorCode;
  override readonly name = 'WaybillError';

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get next(): string {
    return ERRORS[this.code];
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}

export function isFull(thrown: unknown): boolean {
  return asWaybillError(thrown).code === 'store-full';
}

/** Any thrown value as a WaybillError; what is not ours becomes `internal` with the cause kept for the log. */
export function asWaybillError(thrown: unknown): WaybillError {
  if (thrown instanceof WaybillError) return thrown;
  if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) {
    return new WaybillError('store-full', 'no space left in the store', { cause: thrown });
  }
  return new WaybillError('internal', 'internal error', { cause: thrown });
}
