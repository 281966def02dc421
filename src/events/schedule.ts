/** When to try again, and when to give up. Pure. */

const FIRST_MS = 1000;
/** An hour for a webhook, which may be anybody's; a minute for what the operator runs himself. */
export const MOST_MS = { webhook: 3_600_000, syslog: 60_000, mail: 600_000 } as const;
/** Nothing got through for so long: then each entry is tried once, and goes to the list of those given up. */
export const GIVE_UP_MS = 3 * 86_400_000;

/** Doubling, with jitter downwards by up to a quarter: receivers that fail together are not asked together. */
export function backOff(attempts: number, most: number, random: number): number {
  const full = Math.min(most, FIRST_MS * 2 ** Math.min(attempts - 1, 20));
  return Math.round(full * (1 - random / 4));
}
