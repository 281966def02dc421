/**
 * Which page asks: pure. Browsers add cookies to requests that other sites make, so what a cookie signs in may change
 * something only when the browser says that our own page asks; and nobody is signed in by another page at all. Tokens
 * are added by nobody but their owner.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { WaybillError } from '../../base/errors.ts';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A host name or address, and a port; nothing that a URL would read as something else. */
const HOST = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

export function fromOurOrigin(method: string, headers: IncomingHttpHeaders): boolean {
  const { 'sec-fetch-site': site, origin, host } = headers;
  if (SAFE.has(method)) return site === undefined || site === 'same-origin' || site === 'none' || site === 'same-site';
  if (site !== undefined && site !== 'same-origin') return false;
  // Browsers that know no Sec-Fetch-Site send Origin with everything but GET and HEAD.
  if (origin === undefined) return site === 'same-origin';
  return host !== undefined && origin.toLowerCase() === `https://${host.toLowerCase()}`;
}

/** What the request was for, as browsers write origins. Whether it is one of ours, the broker says. */
export function originOf({ host = '' }: IncomingHttpHeaders): string {
  const url = `https://${host}`;
  if (!HOST.test(host) || !URL.canParse(url))
    throw new WaybillError('origin-refused', 'the request names no host that could be ours');
  return new URL(url).origin;
}
