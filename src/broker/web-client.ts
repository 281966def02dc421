const LENGTH_MAX = 120;

/**
 * What a client calls itself, for people and for the list of what an account has come with: printable, and without
 * version numbers, because browsers change those every few weeks and are still the same browser.
 */
export function clientName(userAgent: string): string {
  return userAgent
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replaceAll(/[/ :]v?\d[\w.+-]*/g, '')
    .slice(0, LENGTH_MAX)
    .trim();
}
