/** Whether a certificate may be used here and now. Pure: time, address and revocations come in as arguments. */
import { ByteReader } from '../base/bytes.ts';
import { parseAddressList } from './addresses.ts';
import type { Certificate } from './certificate.ts';
import { fingerprint } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { verifySignature } from './signature.ts';
import type { PresenceDemands } from './signature.ts';

export type CertificateFault =
  | 'certificate-role'
  | 'certificate-authority-unknown'
  | 'certificate-revoked'
  | 'certificate-signature'
  | 'certificate-not-yet-valid'
  | 'certificate-expired'
  | 'certificate-principal'
  | 'certificate-address'
  | 'certificate-option-refused';

/** Each list is of one authority except `isRevokedKey`, which stands above all. */
export interface Revocations {
  /** Of keys, certified or plain, and of authorities. */
  isRevokedKey(fingerprint: string): boolean;
  isRevokedSerial(authority: string, serial: bigint): boolean;
  isRevokedKeyId(authority: string, keyId: string): boolean;
}

export interface CertificateUse {
  readonly role: 'user' | 'host';
  readonly principal: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Where the user comes from; not looked at for hosts. */
  readonly address: string;
  readonly authorities: readonly PublicKey[];
  readonly revocations: Revocations;
}

export type CertificateVerdict =
  | { readonly valid: true; readonly demands: PresenceDemands }
  | { readonly valid: false; readonly fault: CertificateFault };

type Check = (certificate: Certificate, use: CertificateUse) => boolean;

/** In this order; the first that fails names the fault. The signature stands before everything that reads claims. */
const CHECKS: readonly (readonly [CertificateFault, Check])[] = [
  ['certificate-authority-unknown', (c, use) => use.authorities.some((known) => known.blob.equals(c.authority.blob))],
  ['certificate-signature', hasGoodSignature],
  ['certificate-revoked', (c, use) => !isRevoked(c, use.revocations)],
  ['certificate-role', (c, use) => c.role === use.role],
  ['certificate-not-yet-valid', (c, use) => c.validAfter <= seconds(use)],
  ['certificate-expired', (c, use) => seconds(use) < c.validBefore],
  // An empty list would mean "any user" in the format; sshd refuses that for its authorities too.
  ['certificate-principal', (c, use) => c.principals.includes(use.principal)],
  ['certificate-option-refused', hasKnownOptions],
  ['certificate-address', isFromAllowedAddress],
];

export function checkCertificate(certificate: Certificate, use: CertificateUse): CertificateVerdict {
  const failed = CHECKS.find(([, holds]) => !holds(certificate, use));
  if (failed !== undefined) return { valid: false, fault: failed[0] };
  const demands = {
    touch: !certificate.extensions.has('no-touch-required'),
    verified: certificate.criticalOptions.has('verify-required'),
  };
  return { valid: true, demands };
}

function seconds(use: CertificateUse): bigint {
  return BigInt(Math.floor(use.now / 1000));
}

function hasGoodSignature({ authority, signature, signed }: Certificate): boolean {
  try {
    const algorithm = new ByteReader(signature).ascii(64);
    return verifySignature(authority, algorithm, signature, signed).valid;
  } catch {
    return false;
  }
}

function isRevoked(certificate: Certificate, revocations: Revocations): boolean {
  const authority = fingerprint(certificate.authority.blob);
  return (
    revocations.isRevokedKey(authority) ||
    revocations.isRevokedKey(fingerprint(certificate.key.blob)) ||
    // Serial 0 is what an authority writes that does not number its certificates: it names none of them.
    (certificate.serial !== 0n && revocations.isRevokedSerial(authority, certificate.serial)) ||
    revocations.isRevokedKeyId(authority, certificate.keyId)
  );
}

/**
 * `force-command` is refused, not ignored: the authority meant "this command only", there are no commands here, and
 * to let the certificate browse files instead would be more than it was given. Unknown ones likewise (PROTOCOL.certkeys).
 */
const CRITICAL_FOR_USERS: readonly string[] = ['source-address', 'verify-required'];

function hasKnownOptions({ role, criticalOptions }: Certificate): boolean {
  const known = role === 'user' ? CRITICAL_FOR_USERS : [];
  if ([...criticalOptions.keys()].some((name) => !known.includes(name))) return false;
  const flag = criticalOptions.get('verify-required');
  return flag === undefined || flag.length === 0;
}

function isFromAllowedAddress({ criticalOptions }: Certificate, use: CertificateUse): boolean {
  const option = criticalOptions.get('source-address');
  if (option === undefined) return true;
  try {
    const reader = new ByteReader(option);
    const list = parseAddressList(reader.ascii(4096));
    reader.done();
    return list.matches(use.address);
  } catch {
    return false;
  }
}
