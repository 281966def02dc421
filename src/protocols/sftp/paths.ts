/**
 * From the bytes of a path to the absolute, normalised path that SessionFiles takes. Pure and lexical: there are no
 * links, so `..` needs no look at the store, and the result cannot lie above "/" whatever the client sends.
 *
 * Decisions:
 * - Names are UTF-8 and stay as the client's bytes have them. "é" composed and decomposed are two names here; whether
 *   the second may be created beside the first is decided by files/, which sees what exists.
 * - A backslash separates nothing: `a\..\b` is one name. Names that are created may not hold it, because a Windows
 *   client that downloads such a name would take it as a path and write outside its target folder. Existing names
 *   with a backslash could still be reached, renamed and removed.
 */
import { WaybillError } from '../../base/errors.ts';
import { checkName, PATH_BYTES_MAX } from '../../base/names.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Throws `name-invalid` or `path-too-long`. "" and "." are `base`, which is absolute and normalised itself. */
export function resolvePath(raw: Buffer, base: string): string {
  if (raw.length > PATH_BYTES_MAX) throw tooLong();
  return resolveText(decode(raw), base);
}

export function resolveText(text: string, base: string): string {
  const names = text.startsWith('/') ? [] : namesOf(base);
  for (const name of text.split('/')) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      names.pop();
      continue;
    }
    checkName(name);
    names.push(name);
  }
  const path = `/${names.join('/')}`;
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw tooLong();
  return path;
}

/** For the last name of a path that is about to be created. */
export function checkCreatable(path: string): string {
  if (path.includes('\\', path.lastIndexOf('/')))
    throw new WaybillError('name-invalid', 'a new name may not hold a backslash: clients on Windows take it as a path');
  return path;
}

/**
 * expand-path@openssh.com: "~" and "~/x" start at home, "~name" only for the session's own login; anything else is as
 * in REALPATH.
 */
export function expandTilde(raw: Buffer, home: string, login: string): string {
  if (raw[0] !== 0x7e) return resolvePath(raw, home);
  if (raw.length > PATH_BYTES_MAX) throw tooLong();
  const text = decode(raw);
  const slash = text.indexOf('/');
  const user = text.slice(1, slash === -1 ? undefined : slash);
  const rest = slash === -1 ? '' : text.slice(slash + 1);
  if (user !== '' && user !== login) throw new WaybillError('not-found', 'only the own home directory can be named');
  // "~//x" must stay below home, so the rest is made relative before it is resolved.
  return resolveText(`./${rest}`, home);
}

/** Whether one path is the other, or lies within it. */
export function related(a: string, b: string): boolean {
  if (a.length === b.length) return a === b;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short === '/' || (long.charCodeAt(short.length) === 0x2f && long.startsWith(short));
}

function decode(raw: Buffer): string {
  try {
    return utf8.decode(raw);
  } catch (cause) {
    throw new WaybillError('name-invalid', 'the path is not valid UTF-8', { cause });
  }
}

function namesOf(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

function tooLong(): WaybillError {
  return new WaybillError('path-too-long', `a path may have at most ${PATH_BYTES_MAX} bytes`);
}
