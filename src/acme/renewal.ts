/** When a certificate is asked for again. Pure. */

export interface Standing {
  /** Milliseconds since 1970; null where there is no certificate that could be used. */
  readonly certificate: { readonly from: number; readonly until: number } | null;
  /** In a row. */
  readonly failures: number;
  readonly lastFailure: number;
}

const BACKOFF_FIRST = 5 * 60_000;
/** Authorities count failures by the hour and by the week. */
const BACKOFF_MOST = 12 * 3_600_000;

/** `spread` from 0 to 1, drawn once for each certificate: not everybody who got one today comes on the same day. */
export function nextTry({ certificate, failures, lastFailure }: Standing, spread: number): number {
  const again = failures === 0 ? 0 : lastFailure + Math.min(BACKOFF_FIRST * 2 ** (failures - 1), BACKOFF_MOST);
  return Math.max(again, certificate === null ? 0 : dueAt(certificate, spread));
}

/** With a third of its life left, up to a thirtieth of it earlier. */
function dueAt({ from, until }: { from: number; until: number }, spread: number): number {
  const life = until - from;
  return until - life / 3 - (life / 30) * spread;
}
