/** Where to after signing in. Pure: of what an address asks for, only pages that are named here. */

const PAGES = new Set(['/account', '/device', '/api']);
const FIRST = '/account';

/**
 * @param {string} search the query of this page
 * @param {string} origin ours
 * @returns {string} a path of this server
 */
export function nextPage(search, origin) {
  const wish = new URLSearchParams(search).get('next') ?? FIRST;
  // Read as the browser would read it: "//host", "/\\host", tabs and the like all become another origin here.
  const url = URL.parse(wish, origin);
  return url?.origin === origin && PAGES.has(url.pathname) ? url.pathname + url.search : FIRST;
}
