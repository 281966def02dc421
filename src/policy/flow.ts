/**
 * Flow policies: what a grant asks beside its rights. From where, when, until when; how often a version may be picked
 * up, and how long it stays after that. Pure: what was picked up already is pickups.ts.
 */
import { ADDRESS_ENTRIES_MAX, isWithin, Networks, parseNetwork } from '../base/addresses.ts';
import type { Network } from '../base/addresses.ts';
import { WaybillError } from '../base/errors.ts';
import { isOpen, opensMore, parseHours } from './hours.ts';
import type { OpenMinutes } from './hours.ts';

export interface FlowPolicy {
  /** Each version can be picked up once. */
  readonly readOnce: boolean;
  /** Networks (CIDR); none: from anywhere. */
  readonly addresses: readonly string[];
  /** As in hours.ts; none: at any time. */
  readonly hours: readonly string[];
  /** Milliseconds since 1970; null: it does not end by itself. */
  readonly expires: number | null;
  /** Days after its first complete read that a file is removed; null: it stays. */
  readonly removeAfterDays: number | null;
}

export const NO_POLICY: FlowPolicy = {
  readOnce: false,
  addresses: [],
  hours: [],
  expires: null,
  removeAfterDays: null,
};

export interface Moment {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Of the session, as the broker accepted its connection. */
  readonly address: string;
}

interface Compiled {
  readonly list: readonly Network[];
  readonly networks: Networks;
  readonly hours: OpenMinutes;
}

/** A policy is checked thousands of times a second and made once. */
const compiled = new WeakMap<FlowPolicy, Compiled>();
const REMOVE_AFTER_DAYS_MAX = 3650;

export const flow = {
  /** Null when the grant may be used at all; otherwise why not, in words for the client. */
  check(policy: FlowPolicy | null, { now, address }: Moment): string | null {
    if (policy === null) return null;
    const { list, networks, hours } = compile(policy);
    if (policy.expires !== null && now >= policy.expires)
      return `the grant ended at ${new Date(policy.expires).toISOString()}`;
    if (list.length > 0 && !networks.contains(address)) return `the grant does not hold for the address ${address}`;
    if (!isOpen(hours, now)) return `the grant holds only ${policy.hours.join(' and ')}`;
    return null;
  },
};

/** Throws `option-invalid` for what cannot be kept. Null for a policy that asks nothing. */
export function checkPolicy(policy: FlowPolicy): FlowPolicy | null {
  const { hours, list } = compile(policy);
  const { expires, removeAfterDays: days } = policy;
  if (expires !== null && !Number.isSafeInteger(expires)) throw invalid('the end of a grant is not a moment');
  if (days !== null && (!Number.isSafeInteger(days) || days < 0 || days > REMOVE_AFTER_DAYS_MAX))
    throw invalid(`files are removed 0 to ${REMOVE_AFTER_DAYS_MAX} days after delivery`);
  const free = !policy.readOnce && list.length === 0 && hours.size === 0 && expires === null && days === null;
  return free ? null : policy;
}

/**
 * Whether `after` lets through anything, at any time, that `before` does not. Says yes when in doubt: two networks that
 * together are one of before are not recognised, nor the same hours told in another zone.
 */
export function isWider(one: FlowPolicy | null, other: FlowPolicy | null): boolean {
  const [before, after] = [one ?? NO_POLICY, other ?? NO_POLICY];
  return (
    (before.readOnce && !after.readOnce) ||
    addsAddresses(compile(before).list, compile(after).list) ||
    opensMore(compile(before).hours, compile(after).hours) ||
    later(before.expires, after.expires) ||
    later(before.removeAfterDays, after.removeAfterDays)
  );
}

function addsAddresses(before: readonly Network[], after: readonly Network[]): boolean {
  if (before.length === 0) return false;
  return after.length === 0 || !after.every((inner) => before.some((outer) => isWithin(inner, outer)));
}

function later(before: number | null, after: number | null): boolean {
  return before !== null && (after === null || after > before);
}

function compile(policy: FlowPolicy): Compiled {
  const known = compiled.get(policy);
  if (known !== undefined) return known;
  if (policy.addresses.length > ADDRESS_ENTRIES_MAX)
    throw invalid(`a grant may name at most ${ADDRESS_ENTRIES_MAX} networks`);
  const list = policy.addresses.map((text) => {
    const network = parseNetwork(text);
    // An IPv4 network in the clothes of IPv6 would be compared as the one and matched as the other.
    if (network === null || /^::ffff:/i.test(text))
      throw invalid(
        `${JSON.stringify(text)} is no address; allowed: an address or a network such as 192.0.2.0/24 or 2001:db8::/32`,
      );
    return network;
  });
  const made = { list, networks: new Networks(list), hours: parseHours(policy.hours) };
  compiled.set(policy, made);
  return made;
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
