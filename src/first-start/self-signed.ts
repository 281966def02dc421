/**
 * A certificate for the first start, so that nothing is ever served without TLS: ECDSA P-256, signed by itself. Node can
 * read certificates but not make them; DER for this one form is less than any package for all of them.
 */
import { createPublicKey, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { alternativeNames, bitString, der, oid, pem, SEQUENCE, SET } from '../base/der.ts';

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

/**
 * PEM. `names`: host names and addresses that clients use; `key`: a private key on P-256; `more`: further extensions,
 * in DER.
 */
export function makeCertificate(
  names: readonly string[],
  key: KeyObject,
  now: number,
  more: readonly Buffer[] = [],
): string {
  const body = toBeSigned(names, key, now, more);
  const signature = sign('sha256', body, key);
  const certificate = der(SEQUENCE, body, der(SEQUENCE, ECDSA_SHA256), bitString(signature));
  return pem('CERTIFICATE', certificate);
}

function toBeSigned(names: readonly string[], key: KeyObject, now: number, more: readonly Buffer[]): Buffer {
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
    der(0xa3, der(SEQUENCE, ...extensions(names), ...more)),
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
    extension(SUBJECT_ALT_NAME, alternativeNames(names)),
  ];
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
