/** The headers of tus 1.0.0, and the address of an upload: pure. */
import { WaybillError } from '../../base/errors.ts';
import { plainPath, childOf } from './paths.ts';

export const TUS_VERSION = '1.0.0';
export const EXTENSIONS = 'creation,creation-with-upload,termination,expiration,checksum';
const METADATA_MAX = 12_000;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Upload-Length and Upload-Offset: a whole number that a file can have. */
export function amountOf(name: string, text: string | undefined): number {
  const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value))
    throw new WaybillError('request-invalid', `${name} is not a whole number below 2^53`);
  return value;
}

/** Where an upload goes: "path", or "filename" (or "name") in "directory". */
export function pathOf(metadata: string | undefined): string {
  const fields = fieldsOf(metadata ?? '');
  const path = fields.get('path');
  if (path !== undefined) return plainPath(path);
  const name = fields.get('filename') ?? fields.get('name');
  const directory = fields.get('directory');
  if (name === undefined || directory === undefined)
    throw new WaybillError('request-invalid', 'Upload-Metadata names neither "path" nor "directory" and "filename"');
  if (name.includes('/')) throw new WaybillError('name-invalid', '"filename" may not hold "/"');
  return plainPath(childOf(plainPath(directory), name));
}

/** "upload": one that is in progress already, as FileInfo names it. Null: a new one. */
export function uploadOf(metadata: string | undefined): string | null {
  const named = fieldsOf(metadata ?? '').get('upload');
  if (named === undefined) return null;
  if (isId(named)) return named;
  throw new WaybillError('not-found', 'there is no such upload');
}

export function fieldsOf(metadata: string): Map<string, string> {
  if (metadata.length > METADATA_MAX) throw new WaybillError('too-large', 'Upload-Metadata is too long');
  const fields = new Map<string, string>();
  if (metadata.trim() === '') return fields;
  for (const pair of metadata.split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(' ');
    if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(key) || more.length > 0 || fields.has(key) || !BASE64.test(value))
      throw new WaybillError('request-invalid', 'Upload-Metadata is not pairs of a key and base64');
    fields.set(key, decoded(value));
  }
  return fields;
}

function decoded(value: string): string {
  try {
    return utf8.decode(Buffer.from(value, 'base64'));
  } catch (cause) {
    throw new WaybillError('request-invalid', 'Upload-Metadata is not UTF-8', { cause });
  }
}

const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha256', 32],
  ['sha1', 20],
]);
export const CHECKSUMS = [...DIGEST_BYTES.keys()].join(',');

export interface Checksum {
  readonly algorithm: string;
  readonly value: Buffer;
}

export function checksumOf(header: string | undefined): Checksum | null {
  if (header === undefined) return null;
  const [algorithm = '', text = '', ...more] = header.trim().split(' ');
  const length = DIGEST_BYTES.get(algorithm);
  const value = BASE64.test(text) ? Buffer.from(text, 'base64') : null;
  if (length === undefined || value?.length !== length || more.length > 0)
    throw new WaybillError('request-invalid', `Upload-Checksum is none of ${CHECKSUMS} with its value in base64`);
  return { algorithm, value };
}

/**
 * An upload's address says all that is to be known of it, so that no front keeps anything: it names nothing that its
 * account could not name otherwise, and the broker finds the upload only for the account that began it.
 */
export interface UploadAddress {
  readonly upload: string;
  readonly length: number;
  /**
   * The version that stood at the path when the upload began: another one there is the upload, complete. The upload's own
   * id where that is not known.
   */
  readonly base: string | null;
  readonly path: string;
}

export function formatAddress({ upload, length, base, path }: UploadAddress): string {
  return Buffer.from(JSON.stringify([upload, length, base, path])).toString('base64url');
}

/** Throws `not-found` for whatever we did not make. */
export function parseAddress(text: string): UploadAddress {
  try {
    if (!/^[A-Za-z0-9_-]{1,12000}$/.test(text)) throw new Error('not in base64url');
    const fields = JSON.parse(utf8.decode(Buffer.from(text, 'base64url'))) as unknown;
    if (!Array.isArray(fields) || fields.length !== 4) throw new Error('other fields');
    const [upload, length, base, path] = fields as unknown[];
    if (!isId(upload) || !(base === null || isId(base))) throw new Error('no id');
    if (!Number.isSafeInteger(length) || Number(length) < 0 || typeof path !== 'string') throw new Error('no length');
    return { upload, length: Number(length), base, path: plainPath(path) };
  } catch (cause) {
    throw new WaybillError('not-found', 'there is no such upload', { cause });
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}
