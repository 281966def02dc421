/**
 * The token that says which administrator a command comes from. 256 random bits: a plain hash of it tells nothing, and
 * nobody guesses it. Only the hash is ever sent or stored when one is made; the person who uses it makes it himself.
 */
import { createHash, randomBytes } from 'node:crypto';

const TOKEN_BYTES = 32;
/** A fixed beginning, so that scanners of repositories and mail find one that was left lying. */
export const ACCESS_TOKEN = 'waybill_admin_';
const FORM = /^waybill_admin_[A-Za-z0-9_-]{43}$/;
const FINGERPRINT = /^SHA256:([A-Za-z0-9+/]{43})$/;

export function newAccessToken(): string {
  return `${ACCESS_TOKEN}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}

/** Null for what no token looks like. */
export function hashAccessToken(token: string): Buffer | null {
  return FORM.test(token) ? createHash('sha256').update(token).digest() : null;
}

/** What people compare over the phone, and what is stored: the hash itself. */
export function tokenFingerprint(hash: Buffer): string {
  return `SHA256:${hash.toString('base64').replace(/=$/, '')}`;
}

/** Null unless it is one, in its one form: the last digit has two bits that must be zero. */
export function parseTokenFingerprint(text: string): Buffer | null {
  const hash = Buffer.from(FINGERPRINT.exec(text)?.[1] ?? '', 'base64');
  return hash.length === TOKEN_BYTES && tokenFingerprint(hash) === text ? hash : null;
}
