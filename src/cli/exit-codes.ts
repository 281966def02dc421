/** What the command line tells scripts: each failure has one exit code, and this is the only place that says which. */
import type { ErrorCode } from '../base/errors.ts';

export const EXIT = {
  success: { code: 0, doc: 'Done.' },
  failure: { code: 1, doc: 'Something went wrong inside; the message or the server log says what.' },
  usage: { code: 2, doc: 'The command line or an option is wrong. Nothing was done.' },
  'not-found': { code: 3, doc: 'What was named does not exist.' },
  conflict: { code: 4, doc: 'The name is taken, or what is there must go first.' },
  refused: { code: 5, doc: 'Not allowed.' },
  'not-running': { code: 6, doc: 'No server is running on this data folder, or it does not answer.' },
  'data-folder': { code: 7, doc: 'The data folder or its root key cannot be used.' },
  damaged: { code: 8, doc: 'Stored content is damaged or missing (waybill check).' },
  full: { code: 9, doc: 'No space, or no quota left.' },
  held: { code: 10, doc: 'It waits for a second person; the message names the reference.' },
  ledger: {
    code: 11,
    doc: 'A ledger, a proof or an evidence pack does not verify, or an answer from it has gaps in its proof.',
  },
} as const;

export type ExitName = keyof typeof EXIT;

const EXIT_OF_ERROR: Readonly<Record<ErrorCode, ExitName>> = {
  'not-found': 'not-found',
  'already-exists': 'conflict',
  'not-a-directory': 'conflict',
  'is-a-directory': 'conflict',
  'directory-not-empty': 'conflict',
  'permission-denied': 'refused',
  'name-invalid': 'usage',
  'path-too-long': 'usage',
  'quota-exceeded': 'full',
  'store-full': 'full',
  'in-use': 'conflict',
  'handle-invalid': 'failure',
  'too-many-handles': 'failure',
  'offset-invalid': 'usage',
  'request-invalid': 'usage',
  unsupported: 'failure',
  'content-damaged': 'damaged',
  'content-missing': 'damaged',
  'key-unavailable': 'data-folder',
  'release-refused': 'refused',
  'session-ended': 'refused',
  'not-your-session': 'refused',
  'call-unknown': 'failure',
  'call-forbidden': 'refused',
  'broker-unavailable': 'not-running',
  'sign-in-refused': 'refused',
  'option-invalid': 'usage',
  'data-folder-invalid': 'data-folder',
  'root-key-missing': 'data-folder',
  'root-key-wrong': 'data-folder',
  'root-key-unreachable': 'data-folder',
  'root-key-sealed': 'data-folder',
  'root-key-denied': 'data-folder',
  'root-key-answer-invalid': 'data-folder',
  'already-running': 'conflict',
  'not-running': 'not-running',
  'address-in-use': 'conflict',
  held: 'held',
  'flow-refused': 'refused',
  'legal-hold': 'refused',
  'approval-needed': 'held',
  'tenant-locked': 'refused',
  'tenant-shredded': 'refused',
  'ledger-entry-invalid': 'ledger',
  'ledger-proof-invalid': 'ledger',
  'ledger-damaged': 'ledger',
  'ledger-rolled-back': 'data-folder',
  'ledger-key-missing': 'data-folder',
  internal: 'failure',
};

/** A code that a newer room has added and this table has not is an inner failure, not a crash of the command. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT[(EXIT_OF_ERROR as Partial<Record<ErrorCode, ExitName>>)[code] ?? 'failure'].code;
}
