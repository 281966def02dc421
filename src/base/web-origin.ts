/** Where browsers find us: pure. A passkey belongs to a host name (its relying party), never to an address. */
import { isIP } from 'node:net';

export interface Origin {
  /** As browsers write it: https://host, and :port unless it is 443. */
  readonly origin: string;
  /** Null for a numeric address: WebAuthn has no passkeys there. */
  readonly rpId: string | null;
}

/** Null for what is not exactly one of https. */
export function parseOrigin(text: string): Origin | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const plain = url.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.hash === '';
  if (!plain || url.username !== '' || url.password !== '' || url.hostname === '') return null;
  const { hostname } = url;
  const numeric = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  return { origin: url.origin, rpId: numeric ? null : hostname };
}
