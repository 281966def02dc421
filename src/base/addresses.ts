/** Lists of addresses and networks (CIDR). Pure. */
import { BlockList, isIP } from 'node:net';

export const ADDRESS_ENTRIES_MAX = 256;
/** An IPv4 address as a dual-stack socket shows it. */
const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

export function plainAddress(address: string): string {
  const bare = address.split('%', 1)[0] ?? '';
  return MAPPED.exec(bare)?.[1] ?? bare;
}

export interface Network {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly length: number;
}

/** Null for anything but an address or a network; names and wildcards would make DNS decide. */
export function parseNetwork(text: string): Network | null {
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  const widest = version === 4 ? 32 : 128;
  const length = prefix === undefined ? widest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (version === 0 || address.includes('%') || more.length > 0 || length < 0 || length > widest) return null;
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', length };
}

export class Networks {
  private readonly list = new BlockList();

  constructor(networks: readonly Network[]) {
    for (const { address, length, family } of networks) this.list.addSubnet(address, length, family);
  }

  /** False for what is not an address at all. */
  contains(address: string): boolean {
    const plain = plainAddress(address);
    const version = isIP(plain);
    return version !== 0 && this.list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** Every address of `inner` is one of `outer`. */
export function isWithin(inner: Network, outer: Network): boolean {
  return inner.family === outer.family && inner.length >= outer.length && new Networks([outer]).contains(inner.address);
}
