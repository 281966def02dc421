/** References that people read to each other over the phone: a letter for the kind, then ten digits. */
import { randomBytes } from 'node:crypto';

/** Crockford's: no I, L, O, U. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const GROUP = 5;

/** "A-7K3QD-0M9XZ": 50 random bits. */
export function newReference(kind: string): string {
  const digits = [...randomBytes(2 * GROUP)].map((byte) => DIGITS[byte & 31] ?? '').join('');
  return `${kind}-${digits.slice(0, GROUP)}-${digits.slice(GROUP)}`;
}

/** In its one form, from what somebody typed; null when it is none of this kind. */
export function parseReference(kind: string, text: string): string | null {
  const plain = text.trim().toUpperCase();
  if (!plain.startsWith(`${kind}-`)) return null;
  const digits = plain.slice(2).replaceAll('-', '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  if (!/^[0-9A-HJKMNP-TV-Z]{10}$/.test(digits)) return null;
  return `${kind}-${digits.slice(0, GROUP)}-${digits.slice(GROUP)}`;
}

/** The first reference in a text, of whatever kind; null when there is none. */
export function referenceIn(text: string): string | null {
  return /\b[A-Z]-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b/.exec(text)?.[0] ?? null;
}
