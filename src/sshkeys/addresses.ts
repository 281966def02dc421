/** Lists of addresses and networks, as in `from=` and in the source-address option of certificates. Pure. */
import { BlockList, isIP } from 'node:net';
import { KeyRefused } from './refusal.ts';

const ENTRIES_MAX = 256;
/** An IPv4 address as a dual-stack socket shows it. */
const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

export function plainAddress(address: string): string {
  const bare = address.split('%', 1)[0] ?? '';
  return MAPPED.exec(bare)?.[1] ?? bare;
}

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
  if (entries.length > ENTRIES_MAX) throw new KeyRefused(`an address list of more than ${ENTRIES_MAX} entries`);
  const allowed = new BlockList();
  const denied = new BlockList();
  for (const entry of entries) {
    const negated = entry.startsWith('!');
    addEntry(negated ? denied : allowed, negated ? entry.slice(1) : entry);
  }
  return {
    matches(address) {
      const plain = plainAddress(address);
      const version = isIP(plain);
      if (version === 0) return false;
      const family = version === 4 ? 'ipv4' : 'ipv6';
      return allowed.check(plain, family) && !denied.check(plain, family);
    },
  };
}

function addEntry(list: BlockList, entry: string): void {
  const [address = '', prefix, ...more] = entry.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  const length = prefix === undefined ? widest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (version === 0 || address.includes('%') || more.length > 0 || length < 0 || length > widest)
    throw new KeyRefused('an address list may hold only addresses and networks such as 192.0.2.0/24 or 2001:db8::/32');
  list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
}
