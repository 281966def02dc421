/**
 * A certificate for the first start, so that nothing is ever served without TLS: ECDSA P-256, signed by itself. Node can
 * read certificates but not make them; DER for this one form is less than any package for all of them.
 */
import { createPublicKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

const SEQUENCE = 0x30;
const SET = 0x31;
const ECDSA_SHA256 = oid('1.2.840.10045.4.3.2');
const COMMON_NAME = oid('2.5.4.3');
const BASIC_CONSTRAINTS = oid('2.5.29.19');
const KEY_USAGE = oid('2.5.29.15');
const EXTENDED_KEY_USAGE = oid('2.5.29.37');
const SUBJECT_ALT_NAME = oid('2.5.29.17');
const SERVER_AUTH = oid('1.3.6.1.5.5.7.3.1');
/** Clocks of clients are behind at times. */
const BEFORE_MILLISECONDS = 86_400_000;
/** Apple's systems refuse certificates of servers that hold longer, whoever signed them. */
const DAYS = 397;

/** PEM. `names`: host names and addresses that clients use; `key`: a private key on P-256. */
export function makeCertificate(names: readonly string[], key: KeyObject, now: number): string {
  const body = toBeSigned(names, key, now);
  const signature = sign('sha256', body, key);
  const certificate = der(SEQUENCE, body, der(SEQUENCE, ECDSA_SHA256), bitString(signature));
  const lines = certificate.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function toBeSigned(names: readonly string[], key: KeyObject, now: number): Buffer {
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(0x0c, Buffer.from('Waybill')))));
  const from = now - BEFORE_MILLISECONDS;
  return der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial()),
    der(SEQUENCE, ECDSA_SHA256),
    name,
    der(SEQUENCE, time(from), time(from + DAYS * 86_400_000)),
    name,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, ...extensions(names))),
  );
}

function extensions(names: readonly string[]): Buffer[] {
  const critical = der(0x01, Buffer.from([0xff]));
  const extension = (id: Buffer, value: Buffer, ...flags: Buffer[]): Buffer =>
    der(SEQUENCE, id, ...flags, der(0x04, value));
  return [
    // Not an authority: whoever trusts it by hand trusts it for this server and no other.
    extension(BASIC_CONSTRAINTS, der(SEQUENCE), critical),
    // digitalSignature alone.
    extension(KEY_USAGE, der(0x03, Buffer.from([0x07, 0x80])), critical),
    extension(EXTENDED_KEY_USAGE, der(SEQUENCE, SERVER_AUTH)),
    extension(SUBJECT_ALT_NAME, der(SEQUENCE, ...names.map(alternativeName))),
  ];
}

function alternativeName(name: string): Buffer {
  return isIP(name) === 0 ? der(0x82, Buffer.from(name, 'ascii')) : der(0x87, addressBytes(name));
}

/** RFC 5280 section 4.2.1.6: in network order. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

/** Positive, not zero, 127 random bits. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5). */
function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

function bitString(bytes: Buffer): Buffer {
  return der(0x03, Buffer.from([0]), bytes);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}
