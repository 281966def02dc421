/** Where a new access token goes: a file of its owner alone, or the terminal, once. */
import { unlink, writeFile } from 'node:fs/promises';
import { hashAccessToken, newAccessToken, tokenFingerprint } from '../accounts/access-token.ts';
import { WaybillError } from '../base/errors.ts';
import type { Options } from './command.ts';

export const TOKEN_OPTIONS = {
  'token-out': {
    value: 'FILE',
    doc: 'Write the new token to this new file, for its owner alone, instead of showing it.',
  },
} as const satisfies Options;

export interface MadeToken {
  readonly fingerprint: string;
  /** Null when it is in a file. */
  readonly shown: string | null;
  /** For when it is not to be used after all. */
  discard(): Promise<void>;
}

interface TokenForm {
  make(): string;
  hash(token: string): Buffer | null;
}

/** Of administrators, when nothing else is said. */
const ACCESS: TokenForm = { make: newAccessToken, hash: hashAccessToken };

export async function makeToken(file: string | null, form = ACCESS): Promise<MadeToken> {
  const token = form.make();
  const hash = form.hash(token);
  if (hash === null) throw new WaybillError('internal', 'a new token has a wrong form');
  const fingerprint = tokenFingerprint(hash);
  if (file === null) return { fingerprint, shown: token, discard: () => Promise.resolve() };
  try {
    await writeFile(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'error';
    throw new WaybillError('option-invalid', `--token-out ${file} cannot be written (${why}); it must be a new file`, {
      cause,
    });
  }
  return { fingerprint, shown: null, discard: () => unlink(file) };
}
