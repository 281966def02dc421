/** The public-key step: which key or certificate is usable for whom, and what its owner must have signed. */
import { ByteWriter } from '../base/bytes.ts';
import { parseAddressList } from '../sshkeys/addresses.ts';
import { signatureAlgorithm } from '../sshkeys/algorithms.ts';
import { checkCertificate } from '../sshkeys/certificate-check.ts';
import type { CertificateFault, Revocations } from '../sshkeys/certificate-check.ts';
import { parseCertificate } from '../sshkeys/certificate.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import { fingerprint, parsePublicKey } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';
import type { PresenceDemands } from '../sshkeys/signature.ts';
import type { Account } from './account.ts';
import type { OwnAuthority } from './authority-own.ts';
import type { IssuedCertificate } from './certificate-store.ts';
import type { AccountStore } from './store.ts';

export type KeyFault =
  | CertificateFault
  | 'certificate-unknown'
  | 'certificate-withdrawn'
  | 'algorithm-refused'
  | 'key-malformed'
  | 'key-unknown'
  | 'key-revoked'
  | 'key-expired'
  | 'key-suspended'
  | 'key-address';

/** A credential that proved a step. `source` says in which table it stands. */
export interface UsedCredential {
  readonly factor: 'publickey' | 'password' | 'totp';
  readonly id: string;
  readonly source: 'credential' | 'authority' | 'certificate';
  /** For lists and records: "publickey SHA256:...". Never a secret. */
  readonly description: string;
  /** What a revocation may name later, so that sessions which it opened can be ended. */
  readonly key: UsedKey | null;
  /** Its key asked for PIN or finger, as the row of the key or the certificate demands. */
  readonly verified?: boolean;
  /** Only of certificates that we issued. */
  readonly issued?: IssuedCertificate;
}

/** Of our own authority; absent where there is none. */
export type OwnCertificates = Pick<OwnAuthority, 'blob' | 'find' | 'stands' | 'standsBySerial' | 'markUsed'>;

/** What acquaintances and budgets know a credential by: a certificate of each morning is no new one. */
export function lastingIds({ id, issued }: UsedCredential): readonly string[] {
  if (issued === undefined) return [id];
  return issued.proofs.length > 0 ? issued.proofs : [issued.fingerprint];
}

/** Ids whose removal ends what this opened. */
export function proofIds({ id, issued }: UsedCredential): readonly string[] {
  return [id, ...(issued?.proofs ?? [])];
}

interface Standing {
  readonly store: Pick<AccountStore, 'authority' | 'credential' | 'suspendedSince'>;
  readonly certificates?: OwnCertificates;
}

/** It may have been taken away since it was verified. */
export function stillStands({ store, certificates }: Standing, { source, id, issued }: UsedCredential): boolean {
  if (source === 'certificate') return issued !== undefined && certificates?.standsBySerial(issued.serial) === true;
  if (source === 'authority') return store.authority(id) !== null;
  return store.credential(id) !== null && store.suspendedSince(id) === null;
}

export interface UsedKey {
  readonly fingerprint: string;
  readonly certificate: { readonly authority: string; readonly serial: bigint; readonly keyId: string } | null;
}

export type KeyJudgement =
  | { readonly usable: true; readonly key: PublicKey; readonly demands: PresenceDemands; readonly used: UsedCredential }
  | { readonly usable: false; readonly fault: KeyFault };

export interface KeyOffer {
  /** Null for an unknown login: the same work is done, and nothing is found. */
  readonly account: Account | null;
  readonly algorithm: string;
  readonly blob: Buffer;
  readonly address: string;
  readonly now: number;
}

const refused = (fault: KeyFault): KeyJudgement => ({ usable: false, fault });

export function judgeKey(store: AccountStore, offer: KeyOffer, own?: OwnCertificates): KeyJudgement {
  const algorithm = signatureAlgorithm(offer.algorithm);
  if (algorithm === null) return refused('algorithm-refused');
  try {
    return algorithm.certificate ? judgeCertificate(store, offer, own) : judgePlainKey(store, offer);
  } catch (error) {
    if (error instanceof KeyRefused) return refused('key-malformed');
    throw error;
  }
}

function judgePlainKey(store: AccountStore, { account, algorithm, blob, address, now }: KeyOffer): KeyJudgement {
  const key = parsePublicKey(blob);
  if (signatureAlgorithm(algorithm)?.row.keyType !== key.type) return refused('algorithm-refused');
  const credential = store.keyOf(account?.id ?? '', key.blob);
  if (credential === null) return refused('key-unknown');
  const { from, expires, touchRequired, verifyRequired } = credential.restrictions;
  if (store.isRevoked('fingerprint', '', credential.fingerprint)) return refused('key-revoked');
  if (expires !== null && now >= expires) return refused('key-expired');
  if (store.suspendedSince(credential.id) !== null) return refused('key-suspended');
  if (from !== null && !parseAddressList(from).matches(address)) return refused('key-address');
  const print = credential.fingerprint;
  const proof = { description: `publickey ${print}`, key: { fingerprint: print, certificate: null } };
  const used = {
    factor: 'publickey',
    id: credential.id,
    source: 'credential',
    ...proof,
    verified: verifyRequired,
  } as const;
  return { usable: true, key, demands: { touch: touchRequired, verified: verifyRequired }, used };
}

function judgeCertificate(store: AccountStore, offer: KeyOffer, own: OwnCertificates | undefined): KeyJudgement {
  const certificate = parseCertificate(offer.blob);
  if (signatureAlgorithm(offer.algorithm)?.row.keyType !== certificate.key.type) return refused('algorithm-refused');
  // Also when a tenant trusts the same key: of ours only what we have issued counts.
  if (own?.blob?.equals(certificate.authority.blob) === true) return judgeOwn(store, offer, certificate, own);
  return judgeForeign(store, offer, certificate);
}

function judgeForeign(store: AccountStore, offer: KeyOffer, certificate: Certificate): KeyJudgement {
  const { account, address, now } = offer;
  const authority = store
    .authorities(account?.tenant ?? '')
    .find((known) => known.blob.equals(certificate.authority.blob));
  const verdict = checkCertificate(certificate, {
    role: 'user',
    principal: account?.login ?? '',
    now,
    address,
    authorities: authority === undefined ? [] : [certificate.authority],
    revocations: revocationsOf(store),
  });
  if (!verdict.valid) return refused(verdict.fault);
  if (account === null || authority === undefined) return refused('certificate-authority-unknown');
  const { verified } = verdict.demands;
  const proof = { ...proofOf(certificate), verified };
  const used = { factor: 'publickey', id: authority.id, source: 'authority', ...proof } as const;
  return { usable: true, key: certificate.key, demands: verdict.demands, used };
}

/** The name in the certificate is not enough: the row of its issue says for whom and on what it rests. */
function judgeOwn(
  store: AccountStore,
  { account, address, now }: KeyOffer,
  certificate: Certificate,
  own: OwnCertificates,
): KeyJudgement {
  const principal = account?.login ?? '';
  const where = { role: 'user', principal, now, address, authorities: [certificate.authority] } as const;
  const verdict = checkCertificate(certificate, { ...where, revocations: revocationsOf(store) });
  if (!verdict.valid) return refused(verdict.fault);
  const issued = own.find(certificate);
  if (issued === null) return refused('certificate-unknown');
  if (issued.account !== account?.id) return refused('certificate-principal');
  if (!own.stands(issued)) return refused('certificate-withdrawn');
  const { description, key } = proofOf(certificate);
  const shown = issued.factors.length === 0 ? 'by an administrator' : `after ${issued.factors.join('+')}`;
  const { verified } = verdict.demands;
  const proof = { description: `${description}, issued ${shown}`, key, issued, verified };
  const used = { factor: 'publickey', id: issued.id, source: 'certificate', ...proof } as const;
  return { usable: true, key: certificate.key, demands: verdict.demands, used };
}

function proofOf({ key, keyId, serial, authority }: Certificate): Pick<UsedCredential, 'description' | 'key'> {
  const [own, signer] = [fingerprint(key.blob), fingerprint(authority.blob)];
  const name = JSON.stringify(keyId.slice(0, 100));
  return {
    description: `certificate ${name} serial ${serial} for ${own} by ${signer}`,
    key: { fingerprint: own, certificate: { authority: signer, serial, keyId } },
  };
}

function revocationsOf(store: AccountStore): Revocations {
  return {
    isRevokedKey: (print) => store.isRevoked('fingerprint', '', print),
    isRevokedSerial: (authority, serial) => store.isRevoked('serial', authority, serial.toString()),
    isRevokedKeyId: (authority, keyId) => store.isRevoked('key-id', authority, keyId),
  };
}

const USERAUTH_REQUEST = 50;

export interface SignedRequest {
  readonly sessionId: Buffer;
  readonly user: string;
  readonly algorithm: string;
  readonly blob: Buffer;
  /** Set for publickey-hostbound-v00@openssh.com: the client says which host key it saw. */
  readonly hostKey: Buffer | null;
}

/** RFC 4252 section 7, and PROTOCOL section 3.1 of OpenSSH. Built here from what this process knows, never taken over. */
export function signedBytes({ sessionId, user, algorithm, blob, hostKey }: SignedRequest): Buffer {
  const writer = new ByteWriter().string(sessionId).u8(USERAUTH_REQUEST).string(user).string('ssh-connection');
  writer.string(hostKey === null ? 'publickey' : 'publickey-hostbound-v00@openssh.com').boolean(true);
  writer.string(algorithm).string(blob);
  return hostKey === null ? writer.finish() : writer.string(hostKey).finish();
}
