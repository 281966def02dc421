/** The form of API tokens: `wbt_` and 256 random bits in base62. A plain hash of that tells nothing, and nobody guesses it. */
import { createHash, randomBytes } from 'node:crypto';

const BYTES = 32;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62^43 > 2^256: one length for all of them. */
const LENGTH = 43;
const FORM = /^wbt_[0-9A-Za-z]{43}$/;

export function newApiToken(): string {
  let rest = BigInt(`0x${randomBytes(BYTES).toString('hex')}`);
  let text = '';
  for (let at = 0; at < LENGTH; at++) {
    text = (DIGITS[Number(rest % 62n)] ?? '') + text;
    rest /= 62n;
  }
  return `wbt_${text}`;
}

/** Null for what no token looks like. */
export function hashApiToken(token: string): Buffer | null {
  return FORM.test(token) ? createHash('sha256').update(token).digest() : null;
}
