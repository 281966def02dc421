/** What is asked of the authority (PKCS #10, RFC 2986): names alone, ECDSA P-256. Pure. */
import { createPublicKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { alternativeNames, bitString, der, oid, SEQUENCE, SET } from '../base/der.ts';

const ECDSA_SHA256 = oid('1.2.840.10045.4.3.2');
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14');
const SUBJECT_ALT_NAME = oid('2.5.29.17');

/** DER. The subject is empty: names stand in subjectAltName alone. */
export function certificateRequest(names: readonly string[], key: KeyObject): Buffer {
  const extension = der(SEQUENCE, SUBJECT_ALT_NAME, der(0x04, alternativeNames(names)));
  const attribute = der(SEQUENCE, EXTENSION_REQUEST, der(SET, der(SEQUENCE, extension)));
  const info = der(
    SEQUENCE,
    der(0x02, Buffer.from([0])),
    der(SEQUENCE),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(0xa0, attribute),
  );
  return der(SEQUENCE, info, der(SEQUENCE, ECDSA_SHA256), bitString(sign('sha256', info, key)));
}
