/** Signature blobs: verifying what users sign, with what security keys add (PROTOCOL.u2f, section "SSH U2F signatures"). */
import { createHash, verify } from 'node:crypto';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { keyTypeRow, signatureAlgorithm } from './algorithms.ts';
import type { CurveRow } from './algorithms.ts';
import { leftPadded, positiveInteger } from './integers.ts';
import type { PublicKey } from './public-key.ts';
import { KeyRefused } from './refusal.ts';

export type SignatureFault =
  | 'algorithm-refused'
  | 'signature-malformed'
  | 'signature-wrong'
  | 'user-presence-missing'
  | 'user-verification-missing';

export interface SecurityKeyReport {
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly counter: number;
}

export type SignatureVerdict =
  | { readonly valid: true; readonly securityKey: SecurityKeyReport | null }
  | { readonly valid: false; readonly fault: SignatureFault };

/** What a security key must have seen. Other keys cannot prove either, so `verified` refuses them. */
export interface PresenceDemands {
  readonly touch: boolean;
  readonly verified: boolean;
}

export const TOUCH_DEMANDED: PresenceDemands = { touch: true, verified: false };

const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;

/** `algorithm` is the name the client gave, of a plain key or a certificate; it must fit the key and the blob. */
export function verifySignature(
  key: PublicKey,
  algorithm: string,
  signature: Buffer,
  data: Uint8Array,
  demands: PresenceDemands = TOUCH_DEMANDED,
): SignatureVerdict {
  const row = signatureAlgorithm(algorithm)?.row;
  if (row?.keyType !== key.type) return { valid: false, fault: 'algorithm-refused' };
  let parts: SignatureParts;
  try {
    parts = readSignature(signature, row.signature, keyTypeRow(key.type).securityKey);
  } catch {
    return { valid: false, fault: 'signature-malformed' };
  }
  if (parts.name !== row.signature) return { valid: false, fault: 'algorithm-refused' };
  const signed = parts.securityKey === null ? data : authenticatorData(key, parts.securityKey, data);
  const check = parts.check(key, signed, row.hash);
  if (check !== null) return { valid: false, fault: check };
  return judgePresence(parts.securityKey, demands);
}

interface SignatureParts {
  readonly name: string;
  readonly securityKey: { flags: number; counter: number } | null;
  /** Null when the signature holds. */
  check(key: PublicKey, data: Uint8Array, hash: string | null): SignatureFault | null;
}

function readSignature(blob: Buffer, expected: string, securityKey: boolean): SignatureParts {
  const reader = new ByteReader(blob);
  const name = reader.ascii(64);
  // The rest of a blob of another algorithm has another form: its name alone decides.
  if (name !== expected) return { name, securityKey: null, check: () => 'algorithm-refused' };
  const raw = reader.string(2048);
  const extra = securityKey ? { flags: reader.u8(), counter: reader.u32() } : null;
  reader.done();
  return { name, securityKey: extra, check: (key, data, hash) => checkRaw(key, raw, data, hash) };
}

function checkRaw(key: PublicKey, raw: Buffer, data: Uint8Array, hash: string | null): SignatureFault | null {
  const { family, curve } = keyTypeRow(key.type);
  try {
    if (curve !== undefined) {
      const signature = fixedWidthEcdsa(raw, curve);
      return wrongUnless(verify(hash, data, { key: key.key, dsaEncoding: 'ieee-p1363' }, signature));
    }
    if (family === 'rsa') return wrongUnless(verify(hash, data, key.key, fullWidthRsa(raw, key.bits)));
    if (raw.length !== 64) return 'signature-malformed';
    return wrongUnless(verify(null, data, key.key, raw));
  } catch (error) {
    return error instanceof Error && (error instanceof KeyRefused || error.name === 'MalformedBytes')
      ? 'signature-malformed'
      : 'signature-wrong';
  }
}

function wrongUnless(holds: boolean): SignatureFault | null {
  return holds ? null : 'signature-wrong';
}

/** RFC 5656 section 3.1.2: mpint r, mpint s. */
function fixedWidthEcdsa(raw: Buffer, curve: CurveRow): Buffer {
  const reader = new ByteReader(raw);
  const r = positiveInteger(reader, curve.bytes);
  const s = positiveInteger(reader, curve.bytes);
  reader.done();
  return Buffer.concat([leftPadded(r, curve.bytes), leftPadded(s, curve.bytes)]);
}

/** RFC 8332 section 3 wants the full width; some clients drop leading zeros, so a shorter one is padded. */
function fullWidthRsa(raw: Buffer, bits: number): Buffer {
  if (raw.length === 0) throw new KeyRefused('an empty RSA signature');
  return leftPadded(raw, Math.ceil(bits / 8));
}

function authenticatorData(key: PublicKey, extra: { flags: number; counter: number }, data: Uint8Array): Buffer {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
  return new ByteWriter()
    .raw(sha256(Buffer.from(key.application ?? '')))
    .u8(extra.flags)
    .u32(extra.counter)
    .raw(sha256(data))
    .finish();
}

function judgePresence(extra: { flags: number; counter: number } | null, demands: PresenceDemands): SignatureVerdict {
  if (extra === null)
    return demands.verified ? { valid: false, fault: 'user-verification-missing' } : { valid: true, securityKey: null };
  const userPresent = (extra.flags & USER_PRESENT) !== 0;
  const userVerified = (extra.flags & USER_VERIFIED) !== 0;
  if (demands.touch && !userPresent) return { valid: false, fault: 'user-presence-missing' };
  if (demands.verified && !userVerified) return { valid: false, fault: 'user-verification-missing' };
  return { valid: true, securityKey: { userPresent, userVerified, counter: extra.counter } };
}
