/** Lists of addresses and networks, as in `from=` and in the source-address option of certificates. Pure. */
import { ADDRESS_ENTRIES_MAX, Networks, parseNetwork } from '../base/addresses.ts';
import type { Network } from '../base/addresses.ts';
import { KeyRefused } from './refusal.ts';

export interface AddressList {
  /** False for what is not an address at all. A `!` entry wins over every other, as in OpenSSH. */
  matches(address: string): boolean;
}

/**
 * Throws KeyRefused for anything but addresses, networks (CIDR) and either of them with "!" before it. Host names and
 * wildcards are refused rather than ignored: a name would make DNS decide who may sign in.
 */
export function parseAddressList(text: string): AddressList {
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.length > ADDRESS_ENTRIES_MAX)
    throw new KeyRefused(`an address list of more than ${ADDRESS_ENTRIES_MAX} entries`);
  const allowed: Network[] = [];
  const denied: Network[] = [];
  for (const entry of entries) {
    const negated = entry.startsWith('!');
    (negated ? denied : allowed).push(networkOf(negated ? entry.slice(1) : entry));
  }
  const [inside, outside] = [new Networks(allowed), new Networks(denied)];
  return { matches: (address) => inside.contains(address) && !outside.contains(address) };
}

function networkOf(entry: string): Network {
  const network = parseNetwork(entry);
  if (network !== null) return network;
  throw new KeyRefused('an address list may hold only addresses and networks such as 192.0.2.0/24 or 2001:db8::/32');
}
