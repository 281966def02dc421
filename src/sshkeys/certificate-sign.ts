/** Making certificates of PROTOCOL.certkeys with an Ed25519 authority. Who may have one is decided in accounts/. */
import { randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../base/bytes.ts';
import { parseAddressList } from './addresses.ts';
import { CERTIFICATE_TYPES } from './algorithms.ts';
import { parseCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { signWithHostKey } from './host-key.ts';
import type { PublicKey } from './public-key.ts';
import { KeyRefused } from './refusal.ts';

/** The private half, and the public key that stands in every certificate. */
export interface CertificateAuthority {
  readonly key: KeyObject;
  readonly public: PublicKey;
}

export interface CertificateWish {
  readonly role: 'user' | 'host';
  readonly key: PublicKey;
  readonly serial: bigint;
  readonly keyId: string;
  /** Never empty: an empty list means "everybody" to those who read the format so. */
  readonly principals: readonly string[];
  /** Milliseconds since 1970: from `CLOCK_ALLOWANCE_SECONDS` before `from` to `until`. */
  readonly from: number;
  readonly until: number;
  /** Addresses and networks as `source-address` has them; null = from anywhere. */
  readonly addresses: string | null;
  /** Only for keys of authenticators. */
  readonly verifyRequired?: boolean;
}

/** A machine whose clock is a little behind would refuse what was made this moment. */
export const CLOCK_ALLOWANCE_SECONDS = 60;

const TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CERTIFICATE_TYPES).map(([certificate, key]) => [key, certificate]),
);
const ROLES = { user: 1, host: 2 } as const;
const NONCE_BYTES = 32;

/** Throws KeyRefused for a wish that would not be read as it is meant. */
export function signCertificate(authority: CertificateAuthority, wish: CertificateWish): Certificate {
  const { role, key, serial, keyId, principals } = wish;
  const type = TYPES[key.type];
  if (type === undefined || authority.public.type !== 'ssh-ed25519')
    throw new KeyRefused('certificate: no certificate of this type is made here');
  if (principals.length === 0 || principals.includes('')) throw new KeyRefused('certificate: it names nobody');
  const after = Math.floor(wish.from / 1000) - CLOCK_ALLOWANCE_SECONDS;
  const before = Math.floor(wish.until / 1000);
  if (!(after >= 0 && after < before)) throw new KeyRefused('certificate: it would end before it begins');
  const writer = new ByteWriter().string(type).string(randomBytes(NONCE_BYTES));
  writer.raw(fieldsOf(key)).u64(serial).u32(ROLES[role]).string(keyId);
  writer.string(principals.reduce((list, name) => list.string(name), new ByteWriter()).finish());
  writer.u64(BigInt(after)).u64(BigInt(before));
  writer.string(criticalOptions(wish)).string('').string('').string(authority.public.blob);
  const signed = writer.finish();
  const signature = signWithHostKey(authority.key, 'ssh-ed25519', signed);
  // Read back by the same rules as everybody's: what is too long to be read again is never handed out.
  return parseCertificate(new ByteWriter().raw(signed).string(signature).finish());
}

/** What follows the type name in the key's own blob. */
function fieldsOf({ type, blob }: PublicKey): Buffer {
  return blob.subarray(4 + Buffer.byteLength(type));
}

/** In the order of their names, as the format demands. The value of each is again a string within a string. */
function criticalOptions({ role, addresses, verifyRequired = false }: CertificateWish): Buffer {
  const writer = new ByteWriter();
  if (role === 'host' && (addresses !== null || verifyRequired))
    throw new KeyRefused('certificate: options are for users');
  if (addresses !== null) {
    parseAddressList(addresses);
    writer.string('source-address').string(new ByteWriter().string(addresses).finish());
  }
  if (verifyRequired) writer.string('verify-required').string('');
  return writer.finish();
}

/** One line as in a -cert.pub file. */
export function certificateLine({ type, blob }: Certificate, comment = ''): string {
  return `${type} ${blob.toString('base64')}${comment === '' ? '' : ` ${comment}`}`;
}
