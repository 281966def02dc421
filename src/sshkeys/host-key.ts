/** Host keys: made, read, and what they sign. Only the broker's process ever holds one. */
import { generateKeyPair, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { signatureAlgorithm } from './algorithms.ts';
import type { KeyType } from './algorithms.ts';
import { parseCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { parsePrivateKey } from './private-key.ts';
import type { PrivateKey } from './private-key.ts';
import { HOST_RSA_BITS_MIN } from './public-key.ts';
import { KeyRefused } from './refusal.ts';
import { verifySignature } from './signature.ts';

/** Algorithms a host key of each type signs with, the preferred first. A type that is not here is no host key. */
export const HOST_KEY_ALGORITHMS: Readonly<Partial<Record<KeyType, readonly string[]>>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

export type HostKeyKind = 'ed25519' | 'ecdsa' | 'rsa';

const generate = promisify(generateKeyPair);

export async function generateHostKey(kind: HostKeyKind): Promise<KeyObject> {
  if (kind === 'ed25519') return (await generate('ed25519')).privateKey;
  if (kind === 'ecdsa') return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
  return (await generate('rsa', { modulusLength: HOST_RSA_BITS_MIN })).privateKey;
}

/** Throws KeyRefused for a type or size that this server does not use for hosts. */
export function parseHostKey(text: string): PrivateKey {
  const key = parsePrivateKey(text);
  if (HOST_KEY_ALGORITHMS[key.public.type] === undefined)
    throw new KeyRefused('a host key must be of type ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa');
  if (key.public.type === 'ssh-rsa' && key.public.bits < HOST_RSA_BITS_MIN)
    throw new KeyRefused(`an RSA host key must have at least ${HOST_RSA_BITS_MIN} bits`);
  return key;
}

/**
 * The signature blob over `data` (an exchange hash, or what hostkeys-prove wants signed). `algorithm` may be of a
 * certificate: the signature is the plain one. Throws KeyRefused when key and algorithm do not go together.
 */
export function signWithHostKey(privateKey: KeyObject, algorithm: string, data: Uint8Array): Buffer {
  const row = signatureAlgorithm(algorithm)?.row;
  if (row === undefined || !fits(privateKey, row.keyType) || !isHostAlgorithm(row.keyType, row.signature))
    throw new KeyRefused('the host key does not sign with this algorithm');
  const raw = sign(row.hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const writer = new ByteWriter().string(row.signature);
  if (row.keyType !== 'ecdsa-sha2-nistp256') return writer.string(raw).finish();
  const inner = new ByteWriter().mpint(raw.subarray(0, 32)).mpint(raw.subarray(32)).finish();
  return writer.string(inner).finish();
}

const NODE_TYPES: Readonly<Partial<Record<KeyType, string>>> = {
  'ssh-ed25519': 'ed25519',
  'ecdsa-sha2-nistp256': 'ec',
  'ssh-rsa': 'rsa',
};

function fits(key: KeyObject, type: KeyType): boolean {
  if (NODE_TYPES[type] !== key.asymmetricKeyType) return false;
  return type !== 'ecdsa-sha2-nistp256' || key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

function isHostAlgorithm(type: KeyType, signature: string): boolean {
  return HOST_KEY_ALGORITHMS[type]?.includes(signature) ?? false;
}

/** Algorithm names under which a host certificate of this key is offered. */
export function hostCertificateAlgorithms(type: KeyType): string[] {
  return (HOST_KEY_ALGORITHMS[type] ?? []).map((name) => `${name}-cert-v01@openssh.com`);
}

/**
 * A host certificate file (`ssh-keygen -s CA -h`), one line. Throws KeyRefused when it is not for this key, not for a
 * host, out of its time, or not really signed: clients would refuse it, and the operator should hear that first.
 */
export function parseHostCertificate(line: string, key: PrivateKey, now: number): Certificate {
  const [type = '', base64 = ''] = line.trim().split(/\s+/, 2);
  const certificate = parseCertificate(Buffer.from(base64, 'base64'));
  const { authority, signature, signed } = certificate;
  const seconds = BigInt(Math.floor(now / 1000));
  const faults: readonly (readonly [boolean, string])[] = [
    [certificate.type !== type, 'it is of another type than its line says'],
    [certificate.role !== 'host', 'it is not for a host'],
    [!certificate.key.blob.equals(key.public.blob), 'it is for another key'],
    [seconds < certificate.validAfter, 'it is not valid yet'],
    [seconds >= certificate.validBefore, 'it has expired'],
    [certificate.criticalOptions.size > 0, 'it has critical options, which no client knows for hosts'],
    [
      !verifySignature(authority, new ByteReader(signature).ascii(64), signature, signed).valid,
      'its signature is wrong',
    ],
  ];
  const fault = faults.find(([found]) => found);
  if (fault !== undefined) throw new KeyRefused(`host certificate: ${fault[1]}`);
  return certificate;
}
