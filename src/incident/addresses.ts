/** Addresses as 128-bit numbers in two halves (IPv4 mapped into IPv6), and ranges of them. */
import { isIPv4, isIPv6 } from 'node:net';
import { WaybillError } from '../base/errors.ts';

export interface AddressNumber {
  readonly high: bigint;
  readonly low: bigint;
}
export interface AddressRange {
  readonly from: AddressNumber;
  readonly to: AddressNumber;
}

const MAPPED = 0xffff_0000_0000n;
const MASK = 2n ** 64n - 1n;
const ALL = 2n ** 128n - 1n;

/** Null for what is no address: a unix socket, an empty field. */
export function addressNumber(text: string): AddressNumber | null {
  const value = parse(text);
  return value === null ? null : split(value);
}

function split(value: bigint): AddressNumber {
  return { high: value >> 64n, low: value & MASK };
}

function parse(text: string): bigint | null {
  if (isIPv4(text)) return MAPPED | ipv4(text);
  const bare = text.split('%')[0] ?? '';
  if (!isIPv6(bare)) return null;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  const whole = dotted === null ? bare : `${dotted[1] ?? ''}${hexPair(ipv4(dotted[2] ?? ''))}`;
  const [head = '', tail] = whole.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => 0n);
  return [...left, ...middle, ...right].reduce((value, group) => (value << 16n) | group, 0n);
}

function ipv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function hexPair(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function groups(text: string): bigint[] {
  return text === '' ? [] : text.split(':').map((group) => BigInt(`0x${group}`));
}

/** An address, a CIDR ("10.0.0.0/8") or a range ("10.0.0.1-10.0.0.9"). */
export function parseAddressRange(text: string): AddressRange {
  const [first = '', last] = text.split('-').map((part) => part.trim());
  if (last !== undefined) return range(parse(first), parse(last), text);
  const [base = '', bits] = text.split('/');
  const from = parse(base);
  if (bits === undefined) return range(from, from, text);
  const width = isIPv4(base) ? 32 : 128;
  if (from === null || !/^\d{1,3}$/.test(bits) || Number(bits) > width) throw wrong(text);
  const rest = 2n ** BigInt(width - Number(bits)) - 1n;
  const start = from & (ALL ^ rest);
  return range(start, start | rest, text);
}

function range(from: bigint | null, to: bigint | null, text: string): AddressRange {
  if (from === null || to === null || from > to) throw wrong(text);
  return { from: split(from), to: split(to) };
}

function wrong(text: string): WaybillError {
  return new WaybillError(
    'option-invalid',
    `--address is ${JSON.stringify(text)}; allowed: an address, a network as 192.0.2.0/24, or a range as 192.0.2.1-192.0.2.9`,
  );
}
