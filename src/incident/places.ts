/**
 * A thing's number in the index is where the ledger first names it: log number and place within the log in one integer
 * below 2^53. So numbers lead back to the tiles, need no dictionary of random identifiers, and are the same in an index
 * that was built at once and in one that grew.
 */
import { WaybillError } from '../base/errors.ts';

/** Places of one log. */
export const PLACES = 2 ** 36;
export const LOGS_MAX = 2 ** 17;
/** "No such thing". Log 0 is never given, so no place is 0. */
export const NOWHERE = 0;
/** An end that is not known yet. */
export const NEVER = Number.MAX_SAFE_INTEGER;

export function placeOf(log: number, index: number): number {
  if (log < 1 || log >= LOGS_MAX || index < 0 || index >= PLACES)
    throw new WaybillError('ledger-damaged', `entry ${index} of log ${log} is beyond what an index can hold`);
  return log * PLACES + index;
}

export function logOf(place: number): number {
  return Math.floor(place / PLACES);
}

export function indexOf(place: number): number {
  return place % PLACES;
}
