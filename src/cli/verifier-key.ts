/** The public key of a ledger, as people give it: the key itself, or a file with it. */
import { parseVerifierKey } from '../ledger/core/note.ts';
import type { VerifierKey } from '../ledger/core/note.ts';
import { WaybillError } from '../base/errors.ts';

const KEY_FORM = /^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$/u;

export async function readVerifierKey(
  text: string,
  readTextFile: (file: string) => Promise<string>,
): Promise<VerifierKey> {
  const given = KEY_FORM.test(text) ? text : (await readTextFile(text)).trim();
  try {
    return parseVerifierKey(given);
  } catch (cause) {
    const why = cause instanceof WaybillError ? cause.message : 'it is malformed';
    throw new WaybillError('option-invalid', `--key is not the public key of a ledger: ${why}`, { cause });
  }
}
