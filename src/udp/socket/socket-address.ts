/** struct sockaddr_in and sockaddr_in6 as Linux lays them out (ip(7), ipv6(7)). */
import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const NAME_LENGTH = { [AF_INET]: 16, [AF_INET6]: 28 } as const;
export const NAME_MAX = 28;

export type Family = typeof AF_INET | typeof AF_INET6;

const LITTLE = endianness() === 'LE';

export function familyOf(address: string): Family {
  if (isIPv4(address)) return AF_INET;
  if (isIPv6(address)) return AF_INET6;
  throw new RangeError('not a numeric address');
}

/** Throws RangeError for what is no numeric address. An IPv4 address in a socket of IPv6 is written as a mapped one (RFC 4291 section 2.5.5.2). */
export function writeName(address: string, port: number, family: Family): Buffer {
  const own = familyOf(address);
  if (own === AF_INET6 && family === AF_INET) throw new RangeError('an IPv6 address in a socket of IPv4');
  const name = Buffer.alloc(NAME_LENGTH[family]);
  if (LITTLE) name.writeUInt16LE(family, 0);
  else name.writeUInt16BE(family, 0);
  name.writeUInt16BE(port, 2);
  if (family === AF_INET) bytesOfIPv4(address).copy(name, 4);
  else if (own === AF_INET6) bytesOfIPv6(address).copy(name, 8);
  else Buffer.concat([Buffer.from('ffff', 'hex'), bytesOfIPv4(address)]).copy(name, 18);
  return name;
}

export function readName(name: Buffer): { address: string; port: number } {
  const port = name.readUInt16BE(2);
  if (name.length === NAME_LENGTH[AF_INET]) return { address: name.subarray(4, 8).join('.'), port };
  const bytes = name.subarray(8, 24);
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (mapped) return { address: bytes.subarray(12).join('.'), port };
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  // The one spelling of an address: RFC 5952, which URL implements.
  return { address: new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1), port };
}

function bytesOfIPv4(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** A zone ("%eth0") is left out: addresses of one link are not spoken to. */
function bytesOfIPv6(address: string): Buffer {
  const plain = address.split('%')[0] ?? '';
  const spelled = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [head = '', tail] = spelled.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  const bytes = Buffer.alloc(16);
  [...front, ...zeros, ...back].forEach((group, at) => bytes.writeUInt16BE(Number.parseInt(group, 16), at * 2));
  return bytes;
}
