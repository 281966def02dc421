/**
 * What a key of a signed note can be: one row for each signature type of C2SP signed-note that we speak. Keys are raw
 * bytes in key strings; what is signed is never the text alone where the type has a prefix of its own, so one type's
 * signature cannot be taken for another's.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../../base/bytes.ts';
import { parseCheckpoint } from './checkpoint-body.ts';
import { malformed } from './text-forms.ts';

export interface SignatureAlgorithm {
  /** The signature type identifier byte of signed-note. */
  readonly type: number;
  readonly publicKeyBytes: number;
  readonly seedBytes: number;
  readonly signatureBytes: number;
  /** A `timestamped_signature` of tlog-cosignature: eight bytes of POSIX time come first. */
  readonly timed: boolean;
  importPublic(raw: Buffer): KeyObject;
  importSeed(seed: Buffer): KeyObject;
  /** What is signed. `time` is 0 for a type without one. */
  message(text: string, time: number, name: string): Buffer;
}

const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

const ed25519 = {
  publicKeyBytes: 32,
  seedBytes: 32,
  signatureBytes: 64,
  importPublic: (raw: Buffer): KeyObject =>
    createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' }),
  importSeed: (seed: Buffer): KeyObject =>
    createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: 'der', type: 'pkcs8' }),
};

/** SPKI and PKCS #8 (seed only) of RFC 9881: the algorithm is 2.16.840.1.101.3.4.3.17. */
const ML_DSA_44_SPKI = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');
const ML_DSA_44_PKCS8 = Buffer.from('3034020100300b060960864801650304031104228020', 'hex');

export const SIGNATURE_ALGORITHMS = {
  ed25519: { type: 0x01, timed: false, ...ed25519, message: (text) => Buffer.from(text) },
  'ed25519-cosignature': {
    type: 0x04,
    timed: true,
    ...ed25519,
    message: (text, time) => Buffer.from(`cosignature/v1\ntime ${time}\n${text}`),
  },
  'ml-dsa-44-cosignature': {
    type: 0x06,
    timed: true,
    publicKeyBytes: 1312,
    seedBytes: 32,
    signatureBytes: 2420,
    importPublic: (raw) => createPublicKey({ key: Buffer.concat([ML_DSA_44_SPKI, raw]), format: 'der', type: 'spki' }),
    importSeed: (seed) =>
      createPrivateKey({ key: Buffer.concat([ML_DSA_44_PKCS8, seed]), format: 'der', type: 'pkcs8' }),
    message: cosignedMessage,
  },
} as const satisfies Record<string, SignatureAlgorithm>;

export type SignatureAlgorithmName = keyof typeof SIGNATURE_ALGORITHMS;

/** `cosigned_message` of tlog-cosignature for a whole checkpoint. It does not cover extension lines. */
function cosignedMessage(text: string, time: number, name: string): Buffer {
  const { origin, size, root } = parseCheckpoint(text);
  const short = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    if (bytes.length < 1 || bytes.length > 255) throw malformed('a name or origin is too long to be cosigned');
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  };
  return new ByteWriter()
    .raw(Buffer.from('subtree/v1\n\0'))
    .raw(short(name))
    .u64(BigInt(time))
    .raw(short(origin))
    .u64(0n)
    .u64(BigInt(size))
    .raw(root)
    .finish();
}

export function algorithmOfType(type: number): SignatureAlgorithmName | null {
  for (const [name, row] of Object.entries(SIGNATURE_ALGORITHMS))
    if (row.type === type) return name as SignatureAlgorithmName;
  return null;
}

export function signWith(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  name: string,
  text: string,
  time: number,
): Buffer {
  const signature = sign(null, algorithm.message(text, algorithm.timed ? time : 0, name), key);
  if (!algorithm.timed) return signature;
  return new ByteWriter().u64(BigInt(time)).raw(signature).finish();
}

/** The time of a valid signature (0 for a type without one), or null when it is not valid. */
export function verifyWith(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  name: string,
  text: string,
  signature: Buffer,
): number | null {
  const timeBytes = algorithm.timed ? 8 : 0;
  if (signature.length !== timeBytes + algorithm.signatureBytes) return null;
  const time = algorithm.timed ? Number(signature.readBigUInt64BE()) : 0;
  if (!Number.isSafeInteger(time)) return null;
  const message = algorithm.message(text, time, name);
  return verify(null, message, key, signature.subarray(timeBytes)) ? time : null;
}
