/** The access token of who runs a command: in a file of his own, never on the command line, which others can read. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { WaybillError } from '../base/errors.ts';

export const TOKEN_FILE_VARIABLE = 'WAYBILL_TOKEN_FILE';
const BYTES_MAX = 1024;

/** `given`: --as-token-file. Null when there is neither that nor the variable. Throws `option-invalid`. */
export function readTokenFile(
  given: string | null,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | null {
  const file = given ?? environment[TOKEN_FILE_VARIABLE] ?? '';
  if (file === '') return null;
  const where = given === null ? TOKEN_FILE_VARIABLE : '--as-token-file';
  const handle = opened(file, where);
  try {
    const { mode, size } = fstatSync(handle);
    if ((mode & 0o077) !== 0) throw invalid(`${where}: others can read ${file}; run: chmod 600 ${file}`);
    if (size > BYTES_MAX) throw invalid(`${where}: ${file} is no access token`);
    return readFileSync(handle, 'utf8').trim();
  } finally {
    closeSync(handle);
  }
}

function opened(file: string, where: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `${where} is ${JSON.stringify(file)}, which cannot be read (${why})`, {
      cause,
    });
  }
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
