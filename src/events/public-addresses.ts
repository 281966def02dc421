/**
 * Which addresses belong to the public internet. Everything else is our own side: cloud metadata, services of this
 * machine, the operator's network. IANA's special-purpose registries; pure.
 */
import { isIP } from 'node:net';
import { Networks, parseNetwork, plainAddress } from '../base/addresses.ts';

function networks(texts: readonly string[]): Networks {
  return new Networks(texts.map(parseNetwork).filter((network) => network !== null));
}

const SPECIAL_IPV4 = networks([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
]);
/** Global unicast; without what carries an IPv4 address in it, documentation, and protocol assignments. */
const GLOBAL_IPV6 = networks(['2000::/3']);
const SPECIAL_IPV6 = networks(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (address.includes('%')) return false;
  if (isIP(plain) === 4) return !SPECIAL_IPV4.contains(plain);
  return isIP(plain) === 6 && GLOBAL_IPV6.contains(plain) && !SPECIAL_IPV6.contains(plain);
}

/** As names are compared: lower case, no dot at the end, no brackets. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

export function isAllowedByName(host: string, allow: readonly string[]): boolean {
  return allow.some((name) => plainHost(name) === plainHost(host));
}
