/**
 * From the bytes of a request target to the path that SessionFiles takes. Pure. Nothing is repaired: a target that
 * could mean something else to a proxy in front of us than to us is refused.
 */
import { WaybillError } from '../../base/errors.ts';
import { checkName, PATH_BYTES_MAX } from '../../base/names.ts';

/** `raw`: the part of the target after the operation's own path, percent-encoded, without a first slash. */
export function filePathOf(raw: string): string {
  // Three characters of a target are at most one byte of a path.
  if (raw.length > 3 * PATH_BYTES_MAX) throw tooLong();
  const trimmed = raw.endsWith('/') ? raw.slice(0, -1) : raw;
  if (trimmed === '') return '/';
  const names = trimmed.split('/').map(decodeName);
  for (const name of names) checkName(name);
  return bounded(`/${names.join('/')}`);
}

/** A path as JSON or tus metadata has it: absolute and normalised already. */
export function plainPath(text: string): string {
  if (!text.startsWith('/')) throw new WaybillError('name-invalid', 'the path does not start with "/"');
  if (text === '/') return text;
  for (const name of text.slice(1).split('/')) checkName(name);
  return bounded(text);
}

/** For the last name of a path that is about to be made. */
export function creatable(path: string): string {
  if (path === '/') throw new WaybillError('permission-denied', '/ is the list of folders');
  if (path.includes('\\', path.lastIndexOf('/')))
    throw new WaybillError('name-invalid', 'a new name may not hold a backslash: clients on Windows take it as a path');
  return path;
}

export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childOf(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

function decodeName(name: string): string {
  let decoded;
  try {
    // Throws at what is no UTF-8, overlong forms included.
    decoded = decodeURIComponent(name);
  } catch (cause) {
    throw new WaybillError('name-invalid', 'the path is not percent-encoded UTF-8', { cause });
  }
  if (decoded.includes('/')) throw new WaybillError('name-invalid', 'a name may not hold an encoded slash');
  return decoded;
}

function bounded(path: string): string {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw tooLong();
  return path;
}

function tooLong(): WaybillError {
  return new WaybillError('path-too-long', `a path may have at most ${PATH_BYTES_MAX} bytes`);
}
