/**
 * Cross-site request forgery: pure. Browsers add cookies to requests that other sites make, so what a cookie signs in
 * may change something only when the browser says that our own page asks. Tokens are added by nobody but their owner.
 */
import type { IncomingHttpHeaders } from 'node:http';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function fromOurOrigin(method: string, headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (SAFE.has(method)) return site === undefined || site === 'same-origin' || site === 'none' || site === 'same-site';
  if (site !== undefined) return site === 'same-origin';
  // Browsers that know no Sec-Fetch-Site send Origin with everything but GET and HEAD.
  const { origin, host } = headers;
  return origin !== undefined && host !== undefined && origin.toLowerCase() === `https://${host.toLowerCase()}`;
}
