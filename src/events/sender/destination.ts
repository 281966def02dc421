/**
 * Where a connection may go: the name is looked up once, every address that it has is judged, and the connection goes to
 * one of those addresses. Nothing is looked up a second time between the judging and the connecting (DNS rebinding).
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isAllowedByName, isPublicAddress, plainHost } from '../public-addresses.ts';

export interface Destination {
  readonly address: string;
  readonly family: 4 | 6;
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** A name with one private address is refused whole: somebody is trying which one is taken. */
export async function destinationOf(
  host: string,
  allow: readonly string[],
  resolve: Resolve = (name) => lookup(name, { all: true, order: 'verbatim' }),
): Promise<Destination> {
  const plain = plainHost(host);
  const version = isIP(plain);
  const found = version !== 0 ? [{ address: plain, family: version }] : await resolve(plain);
  const [first] = found;
  if (first === undefined) throw new Error(`${plain} has no address`);
  if (!isAllowedByName(plain, allow) && !found.every(({ address }) => isPublicAddress(address)))
    throw new Error(`${plain} leads to a private network, which the server does not allow (--outbound-allow)`);
  return { address: first.address, family: first.family === 6 ? 6 : 4 };
}
