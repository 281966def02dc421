/** What a request shows to be let in. Pure; whether it holds is the broker's to say. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { WaybillError } from '../../base/errors.ts';
import { originOf } from './origin.ts';

export const COOKIE = '__Host-waybill';

/** Of this host alone (the prefix), read by no script, sent with requests of our own pages only; it ends with the browser. */
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Strict';
export const NO_COOKIE = `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;

export function cookieOf(value: string): string {
  return `${COOKIE}=${value}; ${ATTRIBUTES}`;
}

export type Credential =
  | { readonly kind: 'bearer'; readonly text: string }
  /** With the origin that the request is for: what passkeys may be shown in its session follows from that. */
  | { readonly kind: 'cookie'; readonly text: string; readonly origin: string };

/** RFC 6750 section 2.1, and not longer than any of ours. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]{1,190}=*)$/i;
const COOKIE_VALUE = /^[A-Za-z0-9_-]{1,190}$/;

/** Null when there is none. A token wins over a cookie: whoever sends one means it, and no browser adds it by itself. */
export function credentialOf(headers: IncomingHttpHeaders): Credential | null {
  const { authorization, cookie } = headers;
  if (authorization !== undefined) {
    const text = BEARER.exec(authorization)?.[1];
    if (text === undefined) throw new WaybillError('not-signed-in', 'the Authorization header holds no bearer token');
    return { kind: 'bearer', text };
  }
  const text = cookie === undefined ? null : cookieValue(cookie);
  return text === null ? null : { kind: 'cookie', text, origin: originOf(headers) };
}

/** Two of the name are an attempt to plant one: then there is none. */
function cookieValue(header: string): string | null {
  const values = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .map((pair) => pair.slice(COOKIE.length + 1));
  const [only] = values;
  return values.length === 1 && only !== undefined && COOKIE_VALUE.test(only) ? only : null;
}

/** How a connection remembers what it was shown without keeping it. */
export function fingerprintOf(credential: Credential): string {
  const { kind, text } = credential;
  const origin = credential.kind === 'cookie' ? credential.origin : '';
  return createHash('sha256').update(`${kind}\n${text}\n${origin}`).digest('base64');
}
