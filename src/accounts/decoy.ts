/** What an unknown login looks like. */
import { createHmac } from 'node:crypto';
import type { Chain } from './chains.ts';

const LOOKS: readonly (readonly Chain[])[] = [[['publickey']], [['publickey'], ['password']], [['password']]];
/** Shares of 256: most accounts have keys alone. */
const BOUNDS: readonly number[] = [192, 224, 256];

/**
 * Chains for a login that does not exist. They follow from the name by a keyed hash: the same at every try and on
 * every front, and not to be computed from outside, so the list of methods does not tell which logins exist.
 */
export function decoyChains(salt: Uint8Array, login: string): readonly Chain[] {
  const first = createHmac('sha256', salt).update('waybill unknown login\0').update(login).digest().readUInt8(0);
  return LOOKS[BOUNDS.findIndex((bound) => first < bound)] ?? [];
}
