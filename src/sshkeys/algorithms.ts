/**
 * Every key type and every signature algorithm that is understood. What is not here does not exist: DSA, and
 * "ssh-rsa" as a signature (SHA-1), are absent on purpose. Certificate names are those of PROTOCOL.certkeys.
 */
export type KeyFamily = 'ed25519' | 'ecdsa' | 'rsa';

export interface KeyTypeRow {
  readonly family: KeyFamily;
  /** The authenticator signs a hash of its own that says whether a person was there (PROTOCOL.u2f). */
  readonly securityKey: boolean;
  readonly curve?: CurveRow;
}

export interface CurveRow {
  /** Name in the blob (RFC 5656 section 3.1). */
  readonly name: string;
  readonly openssl: string;
  readonly jwk: string;
  readonly bytes: number;
  readonly hash: string;
}

const P256: CurveRow = { name: 'nistp256', openssl: 'P-256', jwk: 'P-256', bytes: 32, hash: 'sha256' };
const P384: CurveRow = { name: 'nistp384', openssl: 'P-384', jwk: 'P-384', bytes: 48, hash: 'sha384' };
const P521: CurveRow = { name: 'nistp521', openssl: 'P-521', jwk: 'P-521', bytes: 66, hash: 'sha512' };

export const KEY_TYPES = {
  'ssh-ed25519': { family: 'ed25519', securityKey: false },
  'ecdsa-sha2-nistp256': { family: 'ecdsa', securityKey: false, curve: P256 },
  'ecdsa-sha2-nistp384': { family: 'ecdsa', securityKey: false, curve: P384 },
  'ecdsa-sha2-nistp521': { family: 'ecdsa', securityKey: false, curve: P521 },
  'ssh-rsa': { family: 'rsa', securityKey: false },
  'sk-ssh-ed25519@openssh.com': { family: 'ed25519', securityKey: true },
  'sk-ecdsa-sha2-nistp256@openssh.com': { family: 'ecdsa', securityKey: true, curve: P256 },
} as const satisfies Record<string, KeyTypeRow>;

export type KeyType = keyof typeof KEY_TYPES;

export function isKeyType(name: string): name is KeyType {
  return Object.hasOwn(KEY_TYPES, name);
}

export function keyTypeRow(type: KeyType): KeyTypeRow {
  return KEY_TYPES[type];
}

/** Type names of certificate blobs, and the key type each certifies. */
export const CERTIFICATE_TYPES: Readonly<Record<string, KeyType>> = {
  'ssh-ed25519-cert-v01@openssh.com': 'ssh-ed25519',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com': 'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com': 'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com': 'ecdsa-sha2-nistp521',
  'ssh-rsa-cert-v01@openssh.com': 'ssh-rsa',
  'sk-ssh-ed25519-cert-v01@openssh.com': 'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com': 'sk-ecdsa-sha2-nistp256@openssh.com',
};

export interface SignatureRow {
  readonly keyType: KeyType;
  /** Name inside the signature blob. */
  readonly signature: string;
  readonly hash: string | null;
}

const PLAIN: Readonly<Record<string, SignatureRow>> = {
  'ssh-ed25519': { keyType: 'ssh-ed25519', signature: 'ssh-ed25519', hash: null },
  'ecdsa-sha2-nistp256': { keyType: 'ecdsa-sha2-nistp256', signature: 'ecdsa-sha2-nistp256', hash: 'sha256' },
  'ecdsa-sha2-nistp384': { keyType: 'ecdsa-sha2-nistp384', signature: 'ecdsa-sha2-nistp384', hash: 'sha384' },
  'ecdsa-sha2-nistp521': { keyType: 'ecdsa-sha2-nistp521', signature: 'ecdsa-sha2-nistp521', hash: 'sha512' },
  'rsa-sha2-256': { keyType: 'ssh-rsa', signature: 'rsa-sha2-256', hash: 'sha256' },
  'rsa-sha2-512': { keyType: 'ssh-rsa', signature: 'rsa-sha2-512', hash: 'sha512' },
  'sk-ssh-ed25519@openssh.com': {
    keyType: 'sk-ssh-ed25519@openssh.com',
    signature: 'sk-ssh-ed25519@openssh.com',
    hash: null,
  },
  'sk-ecdsa-sha2-nistp256@openssh.com': {
    keyType: 'sk-ecdsa-sha2-nistp256@openssh.com',
    signature: 'sk-ecdsa-sha2-nistp256@openssh.com',
    hash: 'sha256',
  },
};

function certificateName(algorithm: string): string {
  return `${algorithm.replace('@openssh.com', '')}-cert-v01@openssh.com`;
}

const CERTIFIED: Readonly<Record<string, SignatureRow>> = Object.fromEntries(
  Object.entries(PLAIN).map(([name, row]) => [certificateName(name), row]),
);

/** A public-key algorithm name of RFC 4252 section 7: what signs, and whether the blob must be a certificate. */
export function signatureAlgorithm(name: string): { row: SignatureRow; certificate: boolean } | null {
  if (Object.hasOwn(PLAIN, name)) return { row: PLAIN[name] as SignatureRow, certificate: false };
  if (Object.hasOwn(CERTIFIED, name)) return { row: CERTIFIED[name] as SignatureRow, certificate: true };
  return null;
}

/** For `server-sig-algs` (RFC 8308): every algorithm that a user may sign in with, the preferred first. */
export const USER_KEY_ALGORITHMS: readonly string[] = [...Object.keys(PLAIN), ...Object.keys(CERTIFIED)];
