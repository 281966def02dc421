import { WaybillError } from '../base/errors.ts';
import { parseAuthorizedKey } from '../sshkeys/authorized-keys.ts';
import type { AuthorizedKey } from '../sshkeys/authorized-keys.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

export function isFingerprint(text: string): boolean {
  return FINGERPRINT.test(text);
}

/** A refusal in the administrator's terms; the message is the parser's and never quotes the line. */
export function readKeyLine(line: string): AuthorizedKey {
  try {
    return parseAuthorizedKey(line);
  } catch (cause) {
    if (cause instanceof KeyRefused) throw new WaybillError('option-invalid', cause.message, { cause });
    throw cause;
  }
}
