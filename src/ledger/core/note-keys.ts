/** Key strings of C2SP signed-note: `name+id+key` for verifying, and Go's `PRIVATE+KEY+...` for signing. */
import { createPublicKey, hash, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SIGNATURE_ALGORITHMS, algorithmOfType } from './note-algorithms.ts';
import type { SignatureAlgorithmName } from './note-algorithms.ts';
import { malformed, parseBase64 } from './text-forms.ts';

const KEY_STRING_MAX = 4096;
const NAME_BYTES_MAX = 255;
const SECRET_PREFIX = 'PRIVATE+KEY+';

export interface VerifierKey {
  readonly name: string;
  /** The 32-bit key ID, which with the name tells which key made a signature. */
  readonly id: number;
  readonly algorithm: SignatureAlgorithmName;
  readonly publicKey: Buffer;
  readonly key: KeyObject;
}

export interface SignerKey {
  readonly verifier: VerifierKey;
  readonly seed: Buffer;
  readonly key: KeyObject;
}

/** Not empty, no Unicode spaces, no plus, no control characters. */
export function isKeyName(name: string): boolean {
  return name.isWellFormed() && /^[^\p{White_Space}\p{Cc}+]+$/u.test(name) && Buffer.byteLength(name) <= NAME_BYTES_MAX;
}

export function keyId(name: string, type: number, publicKey: Uint8Array): number {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), publicKey]), 'buffer').readUInt32BE();
}

export function makeVerifierKey(name: string, algorithm: SignatureAlgorithmName, publicKey: Buffer): VerifierKey {
  const row = SIGNATURE_ALGORITHMS[algorithm];
  if (!isKeyName(name)) throw malformed('the name of a key is not acceptable');
  if (publicKey.length !== row.publicKeyBytes) throw malformed(`a key of ${algorithm} has the wrong length`);
  return { name, id: keyId(name, row.type, publicKey), algorithm, publicKey, key: row.importPublic(publicKey) };
}

export function formatVerifierKey({ name, id, algorithm, publicKey }: VerifierKey): string {
  return `${name}+${hexId(id)}+${typed(algorithm, publicKey)}`;
}

export function parseVerifierKey(text: string): VerifierKey {
  const { name, id, algorithm, bytes } = splitKey(text);
  const key = makeVerifierKey(name, algorithm, bytes);
  if (hexId(key.id) !== id) throw malformed('the id in a verifier key does not fit the key');
  return key;
}

function makeSignerKey(name: string, algorithm: SignatureAlgorithmName, seed: Buffer): SignerKey {
  const row = SIGNATURE_ALGORITHMS[algorithm];
  if (seed.length !== row.seedBytes) throw malformed(`a signing key of ${algorithm} has the wrong length`);
  const key = row.importSeed(seed);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { verifier: makeVerifierKey(name, algorithm, spki.subarray(-row.publicKeyBytes)), seed, key };
}

export function generateSignerKey(name: string, algorithm: SignatureAlgorithmName = 'ed25519'): SignerKey {
  return makeSignerKey(name, algorithm, randomBytes(SIGNATURE_ALGORITHMS[algorithm].seedBytes));
}

/** The secret: to be kept in a file of mode 0600 and nowhere else. */
export function formatSignerKey({ verifier, seed }: SignerKey): string {
  return `${SECRET_PREFIX}${verifier.name}+${hexId(verifier.id)}+${typed(verifier.algorithm, seed)}`;
}

/** Errors never repeat the text: it is a secret. */
export function parseSignerKey(text: string): SignerKey {
  if (!text.startsWith(SECRET_PREFIX)) throw malformed('a signing key does not begin with PRIVATE+KEY+');
  const { name, id, algorithm, bytes } = splitKey(text.slice(SECRET_PREFIX.length));
  const key = makeSignerKey(name, algorithm, bytes);
  if (hexId(key.verifier.id) !== id) throw malformed('the id in a signing key does not fit the key');
  return key;
}

function splitKey(text: string): { name: string; id: string; algorithm: SignatureAlgorithmName; bytes: Buffer } {
  // The base64 may hold plus signs itself; the name and the id cannot.
  const parts = text.length <= KEY_STRING_MAX ? /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) : null;
  const [, name = '', id = '', base64 = ''] = parts ?? [];
  const bytes = parseBase64(base64);
  if (parts === null || bytes === null || bytes.length < 2) throw malformed('a key is not of the form name+id+base64');
  const algorithm = algorithmOfType(bytes.readUInt8());
  if (algorithm === null) throw malformed(`signature type ${bytes.readUInt8()} is unknown`);
  return { name, id, algorithm, bytes: bytes.subarray(1) };
}

function hexId(id: number): string {
  return id.toString(16).padStart(8, '0');
}

function typed(algorithm: SignatureAlgorithmName, key: Buffer): string {
  return Buffer.concat([Buffer.of(SIGNATURE_ALGORITHMS[algorithm].type), key]).toString('base64');
}

/** The same key under another name: each log of an installation has its own origin, and all are signed by one key. */
export function signerNamed({ verifier, seed }: SignerKey, name: string): SignerKey {
  return makeSignerKey(name, verifier.algorithm, seed);
}

export function verifierNamed({ algorithm, publicKey }: VerifierKey, name: string): VerifierKey {
  return makeVerifierKey(name, algorithm, publicKey);
}
