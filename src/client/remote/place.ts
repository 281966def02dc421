/** How people name what is on the server: "TENANT:/folder/path", or ":/folder/path" for the tenant of whoever asks. Pure. */
import { WaybillError } from '../../base/errors.ts';
import { splitPath } from '../../base/names.ts';

export interface RemotePlace {
  /** Null: not named. */
  readonly tenant: string | null;
  /** Absolute, without a slash at its end. */
  readonly path: string;
  /** It ended with a slash: a directory is meant. */
  readonly isDirectory: boolean;
}

const REMOTE = /^([^/:\\]*):(\/.*)$/s;

/** Null for what is of this machine: "C:\data" and "./a:/b" are. Throws `name-invalid`. */
export function parsePlace(text: string): RemotePlace | null {
  const [, tenant, named] = REMOTE.exec(text) ?? [];
  if (tenant === undefined || named === undefined) return null;
  const path = named.replace(/\/+$/, '');
  splitPath(path === '' ? '/' : path);
  return { tenant: tenant === '' ? null : tenant, path: path === '' ? '/' : path, isDirectory: named.endsWith('/') };
}

export function requirePlace(text: string): RemotePlace {
  const place = parsePlace(text);
  if (place !== null) return place;
  throw new WaybillError(
    'option-invalid',
    `${JSON.stringify(text)} is no place on the server, as TENANT:/folder/path or :/folder/path`,
  );
}

export function joined(directory: string, name: string): string {
  if (name === '') return directory;
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
