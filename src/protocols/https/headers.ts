/** Headers that keep browsers from doing harm with what we send. Pure. */

/** Nothing that comes from here runs, is framed, or is taken for something else. */
export const STANDING_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Permissions-Policy': 'interest-cohort=()',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
};

/** Not with a certificate that we made: a browser that insists then lets nobody in. */
export const STRICT_TRANSPORT = 'max-age=31536000';

/** RFC 6266: always `attachment`; a name of ASCII for old clients, the whole one in RFC 8187 for all others. */
export function attachment(name: string): string {
  const plain = name.normalize('NFKD').replaceAll(/[^\x20-\x7e]|["\\%;]/g, '_');
  return `attachment; filename="${plain.slice(0, 200)}"; filename*=UTF-8''${extended(name)}`;
}

/** RFC 8187 attr-char; everything else of the UTF-8 percent-encoded. */
function extended(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
