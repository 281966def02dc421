/**
 * The server's side of ML-KEM-768 (FIPS 203). OpenSSL does the encapsulation; the check of the key that FIPS 203
 * section 7.2 demands of the encapsulating side is made here first, so that it holds whatever library is below.
 */
import * as crypto from 'node:crypto';
import { MalformedBytes } from '../../base/bytes.ts';

export const MLKEM768_KEY = 1184;
export const MLKEM768_CIPHERTEXT = 1088;

const MODULUS = 3329;
/** Three polynomials of 256 coefficients of 12 bits; the seed rho (32 bytes) follows. */
const COEFFICIENT_BYTES = 1152;

/** FIPS 203 section 7.2, "modulus check": every coefficient is already reduced. */
export function isReduced(key: Buffer): boolean {
  for (let i = 0; i < COEFFICIENT_BYTES; i += 3) {
    const [a, b, c] = [key[i] as number, key[i + 1] as number, key[i + 2] as number];
    if ((a | ((b & 0x0f) << 8)) >= MODULUS || ((b >> 4) | (c << 4)) >= MODULUS) return false;
  }
  return true;
}

export function encapsulateMlKem768(key: Buffer): { sharedKey: Buffer; ciphertext: Buffer } {
  if (key.length !== MLKEM768_KEY) throw new MalformedBytes('ML-KEM key of wrong length');
  if (!isReduced(key)) throw new MalformedBytes('ML-KEM key is not reduced');
  let publicKey: crypto.KeyObject;
  try {
    publicKey = crypto.createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'ml-kem-768' });
  } catch (cause) {
    throw new MalformedBytes('ML-KEM key refused', { cause });
  }
  return crypto.encapsulate(publicKey);
}
