import type { ByteReader } from '../base/bytes.ts';
import { KeyRefused } from './refusal.ts';

/**
 * An RFC 4251 `mpint` that is positive and in its one shortest form: two encodings of one key would have two
 * fingerprints, and a revoked key could come back under the other one.
 */
export function positiveInteger(reader: ByteReader, max: number): Buffer {
  const raw = reader.string(max + 1);
  const [first, second] = raw;
  if (first === undefined) throw new KeyRefused('an integer is zero');
  if (first & 0x80) throw new KeyRefused('an integer is negative');
  if (first !== 0) return sized(raw, max);
  if (second === undefined || (second & 0x80) === 0) throw new KeyRefused('an integer has needless leading zeros');
  return sized(raw.subarray(1), max);
}

function sized(magnitude: Buffer, max: number): Buffer {
  if (magnitude.length > max) throw new KeyRefused('an integer is too large');
  return magnitude;
}

export function bitLength(magnitude: Buffer): number {
  const first = magnitude[0];
  return first === undefined ? 0 : (magnitude.length - 1) * 8 + (32 - Math.clz32(first));
}

/** A magnitude as a field of fixed width, as JWK and IEEE P1363 want it. */
export function leftPadded(magnitude: Buffer, width: number): Buffer {
  if (magnitude.length > width) throw new KeyRefused('an integer is too large');
  const field = Buffer.alloc(width);
  magnitude.copy(field, width - magnitude.length);
  return field;
}
