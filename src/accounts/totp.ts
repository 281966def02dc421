/** Time-based codes (RFC 6238 with SHA-1, 6 digits, 30 s: what authenticator apps do). Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';

const STEP_SECONDS = 30;
const DIGITS = 6;
/** Clocks of telephones may be one step off either way. */
const DRIFT = 1;
/** RFC 4226 section 4 recommends 160 bits. */
export const TOTP_SECRET_BYTES = 20;

export function totpStep(now: number): number {
  return Math.floor(now / 1000 / STEP_SECONDS);
}

export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  // RFC 6238 fixes HMAC-SHA-1 for the apps in use; HMAC does not rest on collision resistance.
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0x0f;
  const value = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(value % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** The step whose code this is, or null. Every candidate is computed and compared, whichever fits. */
export function matchTotp(secret: Uint8Array, answer: Buffer, now: number): number | null {
  const given = answer.toString('latin1').replaceAll(/[ \t-]/g, '');
  const digits = Buffer.alloc(DIGITS);
  digits.write(/^\d{6}$/.test(given) ? given : '------', 'latin1');
  const present = totpStep(now);
  let found: number | null = null;
  for (let step = present - DRIFT; step <= present + DRIFT; step++) {
    if (timingSafeEqual(Buffer.from(totpCode(secret, step), 'latin1'), digits)) found = step;
  }
  return found;
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 section 6, without padding, as apps want it. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(value >>> (bits - 5)) & 31] ?? '';
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + (BASE32[(value << (5 - bits)) & 31] ?? '');
}

export function totpUri(issuer: string, login: string, secret: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(login)}`;
  const query = `secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_SECONDS}`;
  return `otpauth://totp/${label}?${query}`;
}
