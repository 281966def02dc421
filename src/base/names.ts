import { WaybillError } from './errors.ts';

export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 4096;

/**
 * What no name may hold: C0 and C1 controls and DEL (terminals act on them), "/", the line and paragraph separators,
 * the bidirectional embeddings, overrides and isolates (they make "exe.fdp" look like "pdf.exe"; the harmless marks
 * U+200E and U+200F that real Hebrew and Arabic names use stay allowed), lone surrogates (no UTF-8 form; two different
 * ones would become the same U+FFFD), and non-characters at the end of the first plane.
 */
const FORBIDDEN = /[\p{Cc}/\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/u;
const SIMPLE = /^[\w-][\w .-]{0,254}$/;

/** Throws `name-invalid` or `path-too-long`. The one rule for names of files, directories, folders and mounts. */
export function checkName(name: string): void {
  if (SIMPLE.test(name)) return;
  if (name === '' || name === '.' || name === '..')
    throw new WaybillError('name-invalid', `"${name}" cannot be a name`);
  if (FORBIDDEN.test(name)) throw new WaybillError('name-invalid', 'the name holds a character that is not allowed');
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw new WaybillError('path-too-long', `a name may have at most ${NAME_BYTES_MAX} bytes`);
}

/** Names of an absolute, normalised path, checked one by one; [] for "/". */
export function splitPath(path: string): string[] {
  if (path === '/') return [];
  if (!path.startsWith('/')) throw new WaybillError('name-invalid', 'the path is not absolute');
  if (Buffer.byteLength(path) > PATH_BYTES_MAX)
    throw new WaybillError('path-too-long', `a path may have at most ${PATH_BYTES_MAX} bytes`);
  const names = path.slice(1).split('/');
  for (const name of names) checkName(name);
  return names;
}

/** Two names that look the same but differ in bytes have the same composed form. */
export function composed(name: string): string {
  return name.normalize('NFC');
}

/** Order of names in every listing: by their UTF-8 bytes, as SQLite's BINARY collation has them. */
export function compareNames(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
