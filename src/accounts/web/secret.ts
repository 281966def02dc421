/** Secrets of the web: 256 random bits, of which only SHA-256 is kept. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const BYTES = 32;
const FORM = /^[A-Za-z0-9_-]{43}$/;

export function newSecret(prefix: string): { readonly text: string; readonly hash: Buffer } {
  const text = prefix + randomBytes(BYTES).toString('base64url');
  return { text, hash: sha256(text) };
}

/** Null for what none of this kind looks like. */
export function hashSecret(prefix: string, text: string): Buffer | null {
  return text.startsWith(prefix) && FORM.test(text.slice(prefix.length)) ? sha256(text) : null;
}

export function sameHash(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
