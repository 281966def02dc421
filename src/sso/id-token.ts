/**
 * The broker's own judgement of an ID token (OpenID Connect Core 3.1.3.7): signature, issuer, audience, nonce, times,
 * strength. The process that fetched it has judged it too; what says who signs in is judged where sign-ins are decided.
 * Pure.
 */
import { constants, createHash, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import type { JsonWebKeyInput, KeyObject } from 'node:crypto';
import { TOKEN_MAX } from './calls.ts';
import type { PublicJwk } from './calls.ts';
import type { LinkClaim, Provider } from './provider.ts';

export interface Expected extends Pick<Provider, 'issuer' | 'clientId' | 'claim' | 'requireAcr' | 'requireAmr'> {
  readonly nonce: string;
  /** Milliseconds since 1970, as `now`: the person has to have signed in since; null when any time does. */
  readonly freshSince: number | null;
  readonly now: number;
}

export interface Person {
  readonly subject: string;
  /** The value of the provider's claim; null where the token has none that counts. */
  readonly claimed: string | null;
  readonly acr: string | null;
  readonly amr: readonly string[];
  /** Thumbprint of the key that signed it. */
  readonly key: string;
}

export type TokenVerdict =
  { readonly good: true; readonly person: Person } | { readonly good: false; readonly fault: string };

/** Only signatures that the provider alone can make: with HS256 whoever knows the client secret could. */
export const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
] as const;
const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
const SKEW_SECONDS = 60;
/** It was made for a code that was good for a minute or so. */
const AGE_SECONDS = 600;
const RSA_BITS = 2048;
const SUBJECT = /^[\x20-\x7e]{1,255}$/;
const SHOWN = /^[\x21-\x7e]{1,100}$/;
const AMR_MAX = 20;

type Claims = Readonly<Record<string, unknown>>;

export function judgeIdToken(token: string, keys: readonly PublicJwk[], expected: Expected): TokenVerdict {
  const parts = token.split('.');
  const [head = '', body = '', tail = ''] = parts;
  if (parts.length !== 3 || token.length > TOKEN_MAX) return refused('token-malformed');
  const [header, claims] = [objectOf(head), objectOf(body)];
  if (header === null || claims === null) return refused('token-malformed');
  const key = keyFor(header, keys);
  if (typeof key === 'string') return refused(key);
  if (!isSigned(String(header['alg']), key.object, `${head}.${body}`, Buffer.from(tail, 'base64url')))
    return refused('token-signature');
  const fault = faultOf(claims, expected);
  if (fault !== null) return refused(fault);
  const amr = textsOf(claims['amr']);
  const acr = typeof claims['acr'] === 'string' ? claims['acr'] : null;
  const { requireAcr, requireAmr } = expected;
  if (requireAcr.length > 0 && !(acr !== null && requireAcr.includes(acr))) return refused('token-acr');
  if (!requireAmr.every((one) => amr.includes(one))) return refused('token-amr');
  const person = {
    subject: String(claims['sub']),
    claimed: claimedBy(claims, expected.claim),
    acr: acr !== null && SHOWN.test(acr) ? acr : null,
    amr: amr.filter((one) => SHOWN.test(one)).slice(0, AMR_MAX),
    key: thumbprint(key.jwk),
  };
  return { good: true, person };
}

/** RFC 7638. */
export function thumbprint({ kty, crv, n, e, x, y }: PublicJwk): string {
  const members = { RSA: { e, kty, n }, EC: { crv, kty, x, y }, OKP: { crv, kty, x } }[kty];
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}

function refused(fault: string): TokenVerdict {
  return { good: false, fault };
}

function objectOf(part: string): Claims | null {
  try {
    const bytes = Buffer.from(part, 'base64url');
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

interface Chosen {
  readonly jwk: PublicJwk;
  readonly object: KeyObject;
}

/** Exactly one key may fit; answers why none does. */
function keyFor(header: Claims, keys: readonly PublicJwk[]): Chosen | string {
  const { alg, kid, typ, crit } = header;
  if (typeof alg !== 'string' || !ALGORITHMS.some((one) => one === alg)) return 'token-algorithm';
  // What has to be understood and is not; and tokens that were made for something else.
  if (crit !== undefined || (typ !== undefined && !(typeof typ === 'string' && typ.toUpperCase() === 'JWT')))
    return 'token-type';
  if (kid !== undefined && typeof kid !== 'string') return 'token-malformed';
  const fitting = keys.filter((one) => fits(one, alg) && (kid === undefined || one.kid === kid));
  const [jwk] = fitting;
  if (jwk === undefined || fitting.length !== 1) return 'token-key-unknown';
  try {
    const object = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
    const bits = object.asymmetricKeyDetails?.modulusLength ?? RSA_BITS;
    return bits < RSA_BITS ? 'token-key-weak' : { jwk, object };
  } catch {
    return 'token-key-malformed';
  }
}

function fits({ kty, crv, alg, use }: PublicJwk, wanted: string): boolean {
  if ((alg !== undefined && alg !== wanted) || (use !== undefined && use !== 'sig')) return false;
  if (/^[RP]S/.test(wanted)) return kty === 'RSA';
  const curve = CURVES[wanted];
  return curve === undefined ? kty === 'OKP' && crv === 'Ed25519' : kty === 'EC' && crv === curve;
}

function isSigned(alg: string, key: KeyObject, text: string, signature: Buffer): boolean {
  const data = Buffer.from(text);
  if (alg.startsWith('Ed')) return verify(null, data, key, signature);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('ES')) return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  if (alg.startsWith('RS')) return verify(hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return verify(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature);
}

function faultOf(claims: Claims, expected: Expected): string | null {
  const { iss, sub, aud, azp, nonce } = claims;
  const { clientId, issuer } = expected;
  if (iss !== issuer) return 'token-issuer';
  const audiences = Array.isArray(aud) ? (aud as unknown[]) : [aud];
  if (!audiences.includes(clientId)) return 'token-audience';
  // A token for several says which of them asked for it.
  if (azp === undefined ? audiences.length > 1 : azp !== clientId) return 'token-audience';
  if (typeof nonce !== 'string' || !same(nonce, expected.nonce)) return 'token-nonce';
  if (typeof sub !== 'string' || !SUBJECT.test(sub)) return 'token-subject';
  return timeFault(claims, expected);
}

function timeFault({ exp, iat, nbf, auth_time: signedIn }: Claims, { now, freshSince }: Expected): string | null {
  const seconds = now / 1000;
  if (!isTime(exp) || exp <= seconds - SKEW_SECONDS) return 'token-expired';
  if (!isTime(iat) || iat > seconds + SKEW_SECONDS || iat < seconds - AGE_SECONDS) return 'token-time';
  if (nbf !== undefined && (!isTime(nbf) || nbf > seconds + SKEW_SECONDS)) return 'token-time';
  if (freshSince === null) return null;
  // In the future by more than clocks differ it is a lie, too.
  const fresh = isTime(signedIn) && signedIn >= freshSince / 1000 - SKEW_SECONDS && signedIn <= seconds + SKEW_SECONDS;
  return fresh ? null : 'token-not-fresh';
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}

/** An address counts only when the provider has verified that it is this person's. */
function claimedBy(claims: Claims, claim: LinkClaim): string | null {
  const value = claims[claim];
  if (typeof value !== 'string' || !SUBJECT.test(value)) return null;
  if (claim !== 'email') return value;
  return claims['email_verified'] === true ? value.toLowerCase() : null;
}
