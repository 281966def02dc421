/**
 * Recovery codes: ten, shown once, each for one sign-in in place of the second factor. 120 random bits, so that a plain
 * hash is enough (NIST SP 800-63B-4 section 3.1.2.2 asks for that from 112 bits on). Letters and digits that nobody
 * mistakes for each other (Crockford's base 32).
 */
import { createHash, randomBytes } from 'node:crypto';

export const RECOVERY_CODES = 10;
const BYTES = 15;
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const FORM = /^[0-9a-hjkmnp-tv-z]{24}$/;

export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, newCode);
}

function newCode(): string {
  let rest = BigInt(`0x${randomBytes(BYTES).toString('hex')}`);
  let text = '';
  for (let at = 0; at < (BYTES * 8) / 5; at++) {
    text += DIGITS[Number(rest & 31n)] ?? '';
    rest >>= 5n;
  }
  return text.replaceAll(/.{6}(?=.)/g, '$&-');
}

/** Of this account's code; typed in any capitals, with or without the dashes. Of what is no code, a hash that is nobody's. */
export function hashRecoveryCode(account: string, typed: string): Buffer {
  const plain = typed.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1');
  const code = FORM.test(plain) ? plain : '';
  return createHash('sha256').update(`waybill recovery code\0${account}\0${code}`).digest();
}
