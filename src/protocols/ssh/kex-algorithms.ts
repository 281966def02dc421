/**
 * The key exchanges, one row each: what the client's first message must be, and our answer to it. A row is pure apart
 * from its fresh randomness; the exchange hash around it is in exchange-hash.ts.
 *
 * Every value of the peer is checked before it meets our secret: a peer that can choose a degenerate value
 * (all-zero X25519, a point off the curve, 1 or p-1) would know the shared secret without taking part.
 */
import * as crypto from 'node:crypto';
import type { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { MalformedBytes } from '../../base/bytes.ts';
import { encapsulateMlKem768, MLKEM768_CIPHERTEXT, MLKEM768_KEY } from './mlkem768.ts';

export interface KexAnswer {
  /** What goes back to the client and into the exchange hash. */
  readonly server: Buffer;
  readonly sharedSecret: Buffer;
}

export interface KexAlgorithm {
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** DH numbers travel and are hashed as `mpint`, everything else as `string`. */
  readonly publicAs: 'string' | 'mpint';
  /** The hybrid's K is a hash and travels as `string` (draft-ietf-sshm-mlkem-hybrid-kex section 2.4). */
  readonly secretAs: 'string' | 'mpint';
  readonly clientMax: number;
  /** Throws MalformedBytes for a value that must not be used. */
  answer(client: Buffer): KexAnswer;
}

const X25519_BYTES = 32;

function x25519(client: Buffer): KexAnswer {
  if (client.length !== X25519_BYTES) throw new MalformedBytes('X25519 value of wrong length');
  const own = crypto.generateKeyPairSync('x25519');
  const publicKey = crypto.createPublicKey({ key: client, format: 'raw-public', asymmetricKeyType: 'x25519' });
  let sharedSecret: Buffer;
  try {
    // OpenSSL refuses an all-zero result; the check below does not rely on it (RFC 8731 section 3).
    sharedSecret = crypto.diffieHellman({ privateKey: own.privateKey, publicKey });
  } catch (cause) {
    throw new MalformedBytes('X25519 value of small order', { cause });
  }
  if (crypto.timingSafeEqual(sharedSecret, Buffer.alloc(X25519_BYTES))) {
    throw new MalformedBytes('X25519 value of small order');
  }
  return { server: own.publicKey.export({ format: 'raw-public' }), sharedSecret };
}

function mlkem768x25519(client: Buffer): KexAnswer {
  if (client.length !== MLKEM768_KEY + X25519_BYTES) throw new MalformedBytes('hybrid value of wrong length');
  const classical = x25519(client.subarray(MLKEM768_KEY));
  const postQuantum = encapsulateMlKem768(client.subarray(0, MLKEM768_KEY));
  return {
    server: Buffer.concat([postQuantum.ciphertext, classical.server], MLKEM768_CIPHERTEXT + X25519_BYTES),
    sharedSecret: crypto.createHash('sha256').update(postQuantum.sharedKey).update(classical.sharedSecret).digest(),
  };
}

function ecdh(curve: string, pointBytes: number) {
  return (client: Buffer): KexAnswer => {
    // Uncompressed only: no client sends another form, and it leaves one encoding of a point.
    if (client.length !== pointBytes || client[0] !== 4) throw new MalformedBytes('EC point of wrong form');
    const own = crypto.createECDH(curve);
    const server = own.generateKeys();
    try {
      // OpenSSL checks here that the point is on the curve and is not the point at infinity (cofactor 1: RFC 5656 section 4).
      return { server, sharedSecret: own.computeSecret(client) };
    } catch (cause) {
      throw new MalformedBytes('EC point not on the curve', { cause });
    }
  };
}

function diffieHellman(group: string, bytes: number) {
  return (client: Buffer): KexAnswer => {
    const own = crypto.createDiffieHellmanGroup(group);
    const prime = own.getPrime();
    if (!isInside(client, prime)) throw new MalformedBytes('DH value out of range');
    const server = own.generateKeys();
    const sharedSecret = own.computeSecret(client);
    if (sharedSecret.length > bytes) throw new MalformedBytes('DH result out of range');
    return { server, sharedSecret };
  };
}

/** 1 < value < prime - 1 (RFC 4253 section 8 demands [1, p-1]; 1 and p-1 make the secret known). */
function isInside(value: Buffer, prime: Buffer): boolean {
  if (value.length > prime.length) return false;
  const padded = Buffer.concat([Buffer.alloc(prime.length - value.length), value]);
  const lower = Buffer.alloc(prime.length);
  lower[prime.length - 1] = 1;
  const upper = Buffer.from(prime);
  upper[prime.length - 1] = (prime.at(-1) as number) - 1; // an odd prime: no borrow
  return Buffer.compare(padded, lower) > 0 && Buffer.compare(padded, upper) < 0;
}

const curve25519: KexAlgorithm = {
  hash: 'sha256',
  publicAs: 'string',
  secretAs: 'mpint',
  clientMax: X25519_BYTES,
  answer: x25519,
};

function nist(hash: KexAlgorithm['hash'], curve: string, pointBytes: number): KexAlgorithm {
  return { hash, publicAs: 'string', secretAs: 'mpint', clientMax: pointBytes, answer: ecdh(curve, pointBytes) };
}

function group(hash: KexAlgorithm['hash'], name: string, bytes: number): KexAlgorithm {
  return { hash, publicAs: 'mpint', secretAs: 'mpint', clientMax: bytes + 1, answer: diffieHellman(name, bytes) };
}

export const KEX_ALGORITHMS: Readonly<Record<string, KexAlgorithm>> = {
  'mlkem768x25519-sha256': {
    hash: 'sha256',
    publicAs: 'string',
    secretAs: 'string',
    clientMax: MLKEM768_KEY + X25519_BYTES,
    answer: mlkem768x25519,
  },
  'curve25519-sha256': curve25519,
  'curve25519-sha256@libssh.org': curve25519,
  'ecdh-sha2-nistp256': nist('sha256', 'prime256v1', 65),
  'ecdh-sha2-nistp384': nist('sha384', 'secp384r1', 97),
  'ecdh-sha2-nistp521': nist('sha512', 'secp521r1', 133),
  'diffie-hellman-group16-sha512': group('sha512', 'modp16', 512),
  'diffie-hellman-group14-sha256': group('sha256', 'modp14', 256),
};

/** The client's value out of its KEX message. */
export function readClientValue(algorithm: KexAlgorithm, reader: ByteReader): Buffer {
  const value = algorithm.publicAs === 'mpint' ? reader.mpint(algorithm.clientMax) : reader.string(algorithm.clientMax);
  reader.done();
  return value;
}

export function write(writer: ByteWriter, as: 'string' | 'mpint', value: Buffer): ByteWriter {
  return as === 'mpint' ? writer.mpint(value) : writer.string(value);
}
