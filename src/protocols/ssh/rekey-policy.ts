/** When keys have done enough (RFC 4253 section 9, RFC 4344 section 3). Pure. */

/** Of the direction that did more since the last change of keys. */
export interface KeyUse {
  readonly bytes: number;
  readonly packets: number;
  readonly seconds: number;
}

export interface RekeyLimits {
  readonly rekeyBytes: number;
  readonly rekeySeconds: number;
}

/** RFC 4344 section 3.1: before 2^31 packets, whatever their size. */
const REKEY_PACKETS = 2 ** 31;
/** A sequence number must never come back under the same keys; a client that lets it come so far does not answer. */
const PACKETS_MAX = 2 ** 32 - 1;

export function keysAreWorn(use: KeyUse, limits: RekeyLimits): boolean {
  return use.bytes >= limits.rekeyBytes || use.packets >= REKEY_PACKETS || use.seconds >= limits.rekeySeconds;
}

export function keysAreUsedUp(use: KeyUse): boolean {
  return use.packets >= PACKETS_MAX;
}
