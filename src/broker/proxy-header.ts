/**
 * The PROXY protocol, versions 1 and 2: the first bytes of a connection from a load balancer say who the client is. Pure,
 * and exact: `bytesWanted` says how many bytes surely belong to the header, so that not one byte of the client is read.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface ProxiedClient {
  readonly address: string;
  readonly port: number;
}

/** `client` null: the proxy speaks for itself (a check of its own), or cannot say for whom. */
export interface ProxyHeader {
  readonly client: ProxiedClient | null;
}

export class ProxyHeaderRefused extends Error {}

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** Up to where the two versions can be told apart; the shortest header of version 1 has 15. */
const START = SIGNATURE.length;
const HEAD = 16;
/** Addresses and whatever else a proxy tells beside them; those that we know tell some hundred bytes. */
const REST_MAX = 4096;
/** With the line's end. */
const LINE_MAX = 107;
const FAMILIES: Readonly<Record<number, { readonly width: 4 | 16 }>> = { 0x11: { width: 4 }, 0x21: { width: 16 } };

/** How many more bytes are certainly of the header; 0 when it is whole. Throws for what is none. */
export function bytesWanted(have: Buffer): number {
  if (have.length < START) return START - have.length;
  if (have.subarray(0, START).equals(SIGNATURE)) {
    if (have.length < HEAD) return HEAD - have.length;
    const rest = have.readUInt16BE(14);
    if (rest > REST_MAX) throw new ProxyHeaderRefused('it is too long');
    return HEAD + rest - have.length;
  }
  if (have.toString('latin1', 0, 6) !== 'PROXY ') throw new ProxyHeaderRefused('there is none');
  if (have.at(-2) === 0x0d && have.at(-1) === 0x0a) return 0;
  if (have.length >= LINE_MAX) throw new ProxyHeaderRefused('the line is too long');
  // The line can end with the next byte at the earliest.
  return 1;
}

/** Of a whole header. Throws for one that says what cannot be. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  return bytes.subarray(0, START).equals(SIGNATURE) ? binary(bytes) : line(bytes.toString('latin1'));
}

function binary(bytes: Buffer): ProxyHeader {
  const [versionAndCommand = 0, familyAndProtocol = 0] = bytes.subarray(12, 14);
  if (versionAndCommand >> 4 !== 2) throw new ProxyHeaderRefused('its version is not known');
  const command = versionAndCommand & 0x0f;
  if (command === 0) return { client: null };
  if (command !== 1) throw new ProxyHeaderRefused('its command is not known');
  if (familyAndProtocol === 0) return { client: null };
  const family = FAMILIES[familyAndProtocol];
  if (family === undefined) throw new ProxyHeaderRefused('it is not about TCP');
  const { width } = family;
  if (bytes.length < HEAD + 2 * width + 4) throw new ProxyHeaderRefused('its addresses are cut');
  const source = bytes.subarray(HEAD, HEAD + width);
  const port = bytes.readUInt16BE(HEAD + 2 * width);
  return { client: { address: width === 4 ? source.join('.') : sixOf(source), port } };
}

function sixOf(source: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => source.readUInt16BE(2 * at).toString(16));
  return canonical(groups.join(':'));
}

function line(text: string): ProxyHeader {
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?\r\n$/.test(text)) return { client: null };
  const [, family, source = '', target = '', from = '', to = ''] =
    /^PROXY (TCP4|TCP6) (\S{1,39}) (\S{1,39}) (\d{1,5}) (\d{1,5})\r\n$/.exec(text) ?? [];
  const is = family === 'TCP4' ? isIPv4 : isIPv6;
  const port = Number(from);
  if (family === undefined || !is(source) || !is(target) || port > 65_535 || Number(to) > 65_535)
    throw new ProxyHeaderRefused('the line is malformed');
  if (source.includes('%')) throw new ProxyHeaderRefused('its address has a zone');
  return { client: { address: family === 'TCP4' ? source : canonical(source), port } };
}

/** One way to write each address: lists, limits and records compare texts. */
function canonical(address: string): string {
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
  if (mapped === null) return text;
  const [high, low] = [parseInt(mapped[1] ?? '0', 16), parseInt(mapped[2] ?? '0', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
