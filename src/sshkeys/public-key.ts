/** Public key blobs (RFC 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.u2f): bytes to a key and back, strictly. */
import { createHash, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { isKeyType, keyTypeRow } from './algorithms.ts';
import type { CurveRow, KeyType } from './algorithms.ts';
import { isStrongEd25519 } from './ed25519-points.ts';
import { bitLength, positiveInteger } from './integers.ts';
import { KeyRefused, refusing } from './refusal.ts';

export const RSA_BITS_MIN = 2048;
export const RSA_BITS_MAX = 8192;
export const HOST_RSA_BITS_MIN = 3072;
const BLOB_MAX = 16 * 1024;
const RSA_BYTES_MAX = RSA_BITS_MAX / 8;
/** Like OpenSSL's own bound for large moduli: a giant exponent makes one verification cost seconds. */
const EXPONENT_BYTES_MAX = 8;

export interface PublicKey {
  readonly type: KeyType;
  /** The one encoding of this key. */
  readonly blob: Buffer;
  readonly key: KeyObject;
  readonly bits: number;
  /** "ssh:" or another relying party of a security key; null for others. */
  readonly application: string | null;
}

/** Throws KeyRefused. */
export function parsePublicKey(blob: Buffer): PublicKey {
  return refusing('public key', () => {
    if (blob.length > BLOB_MAX) throw new KeyRefused('public key: too long');
    const reader = new ByteReader(blob);
    const type = reader.ascii(64);
    if (!isKeyType(type)) throw new KeyRefused('public key: this type is not supported');
    const key = readPublicFields(reader, type);
    reader.done();
    return key;
  });
}

/** The fields that follow the type name; certificates hold the same ones. */
export function readPublicFields(reader: ByteReader, type: KeyType): PublicKey {
  const from = reader.position;
  const row = keyTypeRow(type);
  const { key, bits } = readMaterial(reader, row.family, row.curve);
  const application = row.securityKey ? readApplication(reader) : null;
  const fields = reader.buffer.subarray(from, reader.position);
  return { type, blob: new ByteWriter().string(type).raw(fields).finish(), key, bits, application };
}

interface Material {
  readonly key: KeyObject;
  readonly bits: number;
}

function readMaterial(reader: ByteReader, family: string, curve: CurveRow | undefined): Material {
  if (curve !== undefined) return readEcdsa(reader, curve);
  return family === 'rsa' ? readRsa(reader) : readEd25519(reader);
}

function readEd25519(reader: ByteReader): Material {
  const point = reader.string(64);
  if (point.length !== 32) throw new KeyRefused('public key: an Ed25519 key has 32 bytes');
  if (!isStrongEd25519(point)) throw new KeyRefused('public key: a weak Ed25519 point');
  return { key: createPublicKey({ key: point, format: 'raw-public', asymmetricKeyType: 'ed25519' }), bits: 256 };
}

function readEcdsa(reader: ByteReader, curve: CurveRow): Material {
  if (reader.ascii(32) !== curve.name) throw new KeyRefused('public key: the curve contradicts the type');
  const point = reader.string(256);
  // Uncompressed only (RFC 5656 section 3.1 makes compression optional): one key, one encoding.
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new KeyRefused('public key: not an uncompressed point of its curve');
  try {
    // OpenSSL refuses a point that is not on the curve; the tests hold it to that.
    const options = { format: 'raw-public', asymmetricKeyType: 'ec', namedCurve: curve.openssl } as const;
    return { key: createPublicKey({ key: point, ...options }), bits: curve.bytes === 66 ? 521 : curve.bytes * 8 };
  } catch (cause) {
    throw new KeyRefused('public key: the point is not on its curve', { cause });
  }
}

function readRsa(reader: ByteReader): Material {
  const e = positiveInteger(reader, EXPONENT_BYTES_MAX);
  const n = positiveInteger(reader, RSA_BYTES_MAX);
  const bits = bitLength(n);
  if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
    throw new KeyRefused(`public key: RSA of ${bits} bits; allowed are ${RSA_BITS_MIN} to ${RSA_BITS_MAX}`);
  if (isEven(n)) throw new KeyRefused('public key: the RSA modulus is even');
  if (isEven(e) || (e.length === 1 && e[0] === 1)) throw new KeyRefused('public key: the RSA exponent is not usable');
  const jwk = { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
  return { key: createPublicKey({ key: jwk, format: 'jwk' }), bits };
}

function isEven(magnitude: Buffer): boolean {
  return ((magnitude.at(-1) ?? 0) & 1) === 0;
}

function readApplication(reader: ByteReader): string {
  const application = reader.ascii(256);
  if (application === '') throw new KeyRefused('public key: the security key names no application');
  return application;
}

/** The blob of a node key; `application` makes it one of a security key. Throws KeyRefused for other kinds of key. */
export function publicKeyFrom(key: KeyObject, application: string | null = null): PublicKey {
  return parsePublicKey(encode(key, application));
}

function encode(key: KeyObject, application: string | null): Buffer {
  const jwk = key.export({ format: 'jwk' });
  const text = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
  const writer = new ByteWriter();
  const sk = application !== null;
  if (jwk.kty === 'RSA') return writer.string('ssh-rsa').mpint(text(jwk.e)).mpint(text(jwk.n)).finish();
  if (jwk.crv === 'Ed25519') writer.string(sk ? 'sk-ssh-ed25519@openssh.com' : 'ssh-ed25519').string(text(jwk.x));
  else if (jwk.kty === 'EC') {
    const curve = `nistp${(jwk.crv ?? '').replace('P-', '')}`;
    writer.string(sk ? `sk-ecdsa-sha2-${curve}@openssh.com` : `ecdsa-sha2-${curve}`).string(curve);
    writer.string(Buffer.concat([Buffer.of(4), text(jwk.x), text(jwk.y)]));
  } else throw new KeyRefused('public key: this kind of key has no SSH form');
  return sk ? writer.string(application).finish() : writer.finish();
}

/** "SHA256:..." as `ssh-keygen -l` prints it, of any blob; a certificate is known by the key it certifies. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** One line as in a .pub file. */
export function publicKeyLine(key: PublicKey, comment = ''): string {
  return `${key.type} ${key.blob.toString('base64')}${comment === '' ? '' : ` ${comment}`}`;
}
