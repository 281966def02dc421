/** Which server a command talks to: the one of a data folder here, or another by its address. */
import { homedir } from 'node:os';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';

export const SERVER_VARIABLE = 'WAYBILL_SERVER';
export const TRUST_VARIABLE = 'WAYBILL_TRUST';

export interface GivenServer {
  readonly server: string | null;
  readonly trust: string | null;
  /** --data: said on the command line, it wins over the variable. */
  readonly data: string | null;
}

export interface RemotePlace {
  readonly url: URL;
  readonly trust: string | null;
}

/** Null is the server of the data folder. Throws `option-invalid`. */
export function readRemotePlace(
  given: GivenServer,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): RemotePlace | null {
  if (given.server !== null && given.data !== null)
    throw new WaybillError('option-invalid', 'give --server or --data: a command works on one server');
  const text = given.server ?? (given.data === null ? (environment[SERVER_VARIABLE] ?? '') : '');
  if (text === '') {
    if (given.trust !== null) throw new WaybillError('option-invalid', '--trust is for --server');
    return null;
  }
  const where = given.server === null ? SERVER_VARIABLE : '--server';
  return { url: serverUrl(text, where), trust: given.trust ?? (environment[TRUST_VARIABLE] || null) };
}

/** An origin and nothing else: a path would be ignored silently, a name and password would be sent nowhere. */
function serverUrl(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:' && url.href === `${url.origin}/`) return url;
  throw new WaybillError(
    'option-invalid',
    `${where} is ${JSON.stringify(text)}; allowed is https://HOST or https://HOST:PORT`,
  );
}

/** Where copies of what servers hold are kept: XDG Base Directory, `cache`. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const given = environment['XDG_CACHE_HOME'] ?? '';
  return path.join(path.isAbsolute(given) ? given : path.join(homedir(), '.cache'), 'waybill');
}
