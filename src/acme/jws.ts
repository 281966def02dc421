/** Signed requests of ACME (RFC 8555 section 6.2, RFC 7515): flattened JSON, ES256. Pure. */
import { createHash, createHmac, createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export type Jwk = Readonly<Record<'kty' | 'crv' | 'x' | 'y', string>>;

/** A P-256 key's public half, its members in the order that a thumbprint wants (RFC 7638). */
export function jwkOf(key: KeyObject): Jwk {
  const { crv = '', kty = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
  return { crv, kty, x, y };
}

export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(jwkOf(key)))
    .digest('base64url');
}

export interface JwsHeader {
  readonly url: string;
  readonly nonce: string;
  /** The account's address; null signs with the key itself, before there is an account. */
  readonly kid: string | null;
}

/** `payload` null is POST-as-GET. */
export function signedRequest(key: KeyObject, { url, nonce, kid }: JwsHeader, payload: object | null): string {
  const who = kid === null ? { jwk: jwkOf(key) } : { kid };
  const head = encoded({ alg: 'ES256', nonce, url, ...who });
  const body = payload === null ? '' : encoded(payload);
  const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' });
  return JSON.stringify({ protected: head, payload: body, signature: signature.toString('base64url') });
}

export interface ExternalAccount {
  readonly kid: string;
  readonly hmac: Buffer;
}

/** RFC 8555 section 7.3.4: the account key, signed with a secret that the authority gave out. */
export function externalBinding(key: KeyObject, { kid, hmac }: ExternalAccount, url: string): object {
  const head = encoded({ alg: 'HS256', kid, url });
  const body = encoded(jwkOf(key));
  const signature = createHmac('sha256', hmac).update(`${head}.${body}`).digest('base64url');
  return { protected: head, payload: body, signature };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
