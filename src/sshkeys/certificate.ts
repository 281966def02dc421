/** Certificates of PROTOCOL.certkeys: bytes to a certificate. Whether it may be used is decided in certificate-check.ts. */
import { ByteReader } from '../base/bytes.ts';
import { CERTIFICATE_TYPES } from './algorithms.ts';
import { parsePublicKey, readPublicFields } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { KeyRefused, refusing } from './refusal.ts';

const BLOB_MAX = 16 * 1024;
const PRINCIPALS_MAX = 256;

export interface Certificate {
  readonly blob: Buffer;
  /** Type name of the blob, "...-cert-v01@openssh.com". */
  readonly type: string;
  /** The certified key. */
  readonly key: PublicKey;
  readonly serial: bigint;
  readonly role: 'user' | 'host';
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since 1970; valid from `validAfter` on, and no more at `validBefore`. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
  readonly authority: PublicKey;
  /** What the authority signed, and its signature blob; not verified here. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

const ROLES: Readonly<Record<number, 'user' | 'host'>> = { 1: 'user', 2: 'host' };

export function isCertificateBlob(blob: Buffer): boolean {
  try {
    return Object.hasOwn(CERTIFICATE_TYPES, new ByteReader(blob).ascii(64));
  } catch {
    return false;
  }
}

/** Throws KeyRefused. A certificate whose authority is itself a certificate does not parse: there are no chains. */
export function parseCertificate(blob: Buffer): Certificate {
  return refusing('certificate', () => {
    if (blob.length > BLOB_MAX) throw new KeyRefused('certificate: too long');
    const reader = new ByteReader(blob);
    const type = reader.ascii(64);
    const keyType = Object.hasOwn(CERTIFICATE_TYPES, type) ? CERTIFICATE_TYPES[type] : undefined;
    if (keyType === undefined) throw new KeyRefused('certificate: this type is not supported');
    reader.string(256); // the nonce: only there to make what is signed unpredictable
    const key = readPublicFields(reader, keyType);
    const body = readBody(reader);
    const signed = blob.subarray(0, reader.position);
    const signature = reader.string(4096);
    reader.done();
    return { blob, type, key, ...body, signed, signature };
  });
}

function readBody(reader: ByteReader) {
  const serial = reader.u64();
  const role = ROLES[reader.u32()];
  if (role === undefined) throw new KeyRefused('certificate: neither for a user nor for a host');
  const keyId = reader.utf8(1024);
  const principals = readPrincipals(reader.string(8192));
  const validAfter = reader.u64();
  const validBefore = reader.u64();
  const criticalOptions = readOptions(reader.string(8192));
  const extensions = readOptions(reader.string(8192));
  reader.string(4096); // reserved
  const authority = parsePublicKey(reader.string(8192));
  return { serial, role, keyId, principals, validAfter, validBefore, criticalOptions, extensions, authority };
}

function readPrincipals(bytes: Buffer): string[] {
  const reader = new ByteReader(bytes);
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length >= PRINCIPALS_MAX) throw new KeyRefused('certificate: too many principals');
    principals.push(reader.utf8(256));
  }
  return principals;
}

/** Names in strictly rising order, as the format demands: so none stands there twice with two meanings. */
function readOptions(bytes: Buffer): Map<string, Buffer> {
  const reader = new ByteReader(bytes);
  const options = new Map<string, Buffer>();
  let last = '';
  while (reader.remaining > 0) {
    const name = reader.ascii(256);
    if (name <= last) throw new KeyRefused('certificate: options out of order');
    options.set(name, reader.string(4096));
    last = name;
  }
  return options;
}
