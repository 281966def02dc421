/**
 * What a listener offers. `default` is what ssh-audit passes without a fail or a warning; `legacy` adds, at the end of
 * each list, what some old clients need. The reason for each place is in docs/design/ssh-profiles.md.
 */
import type { HostKey } from '../../broker/calls.ts';
import type { AlgorithmLists } from './kex-init.ts';

export type ProfileName = 'default' | 'legacy';

interface Profile {
  readonly kex: readonly string[];
  /** Signature algorithms; certificates of a key are offered before the key itself. */
  readonly hostKey: readonly string[];
  readonly ciphers: readonly string[];
  readonly macs: readonly string[];
}

const DEFAULT: Profile = {
  kex: ['mlkem768x25519-sha256', 'curve25519-sha256', 'curve25519-sha256@libssh.org', 'diffie-hellman-group16-sha512'],
  hostKey: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'],
  ciphers: [
    'aes256-gcm@openssh.com',
    'aes128-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  macs: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
};

const LEGACY: Profile = {
  kex: [
    ...DEFAULT.kex,
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256',
  ],
  hostKey: [...DEFAULT.hostKey, 'ecdsa-sha2-nistp256'],
  ciphers: DEFAULT.ciphers,
  macs: [...DEFAULT.macs, 'hmac-sha2-256', 'hmac-sha2-512'],
};

export const PROFILES: Readonly<Record<ProfileName, Profile>> = { default: DEFAULT, legacy: LEGACY };

/** Answered with a pseudo-algorithm of the client's own, never chosen (RFC 8308 section 2.1; OpenSSH PROTOCOL 1.10). */
export const EXT_INFO_SERVER = 'ext-info-s';
export const EXT_INFO_CLIENT = 'ext-info-c';
export const STRICT_SERVER = 'kex-strict-s-v00@openssh.com';
export const STRICT_CLIENT = 'kex-strict-c-v00@openssh.com';

/** How a negotiated host key algorithm is served. */
export interface HostKeyChoice {
  /** K_S: the key, or its certificate. */
  readonly blob: Buffer;
  /** What the broker is asked to sign with; the certificate's algorithms sign as the plain ones. */
  readonly signature: string;
}

/** By algorithm name, in the order of preference. The first key that can do an algorithm serves it. */
export function hostKeyChoices(profile: ProfileName, hostKeys: readonly HostKey[]): Map<string, HostKeyChoice> {
  const certified = new Map<string, HostKeyChoice>();
  const plain = new Map<string, HostKeyChoice>();
  for (const signature of PROFILES[profile].hostKey) {
    const able = hostKeys.filter((key) => key.algorithms.includes(signature));
    const withCertificate = able.find((key) => key.certificate !== null);
    if (withCertificate?.certificate) {
      certified.set(`${signature}-cert-v01@openssh.com`, { blob: withCertificate.certificate, signature });
    }
    if (able[0] !== undefined) plain.set(signature, { blob: able[0].blob, signature });
  }
  return new Map([...certified, ...plain]);
}

export function algorithmLists(profile: ProfileName, hostKeyNames: Iterable<string>, first: boolean): AlgorithmLists {
  const { kex, ciphers, macs } = PROFILES[profile];
  return {
    kex: first ? [...kex, EXT_INFO_SERVER, STRICT_SERVER] : kex,
    hostKey: [...hostKeyNames],
    cipherIn: ciphers,
    cipherOut: ciphers,
    macIn: macs,
    macOut: macs,
    compressionIn: ['none'],
    compressionOut: ['none'],
  };
}

/**
 * Without strict key exchange somebody on the way can cut off the first packets of a ChaCha20-Poly1305 connection
 * unseen (CVE-2023-48795): its nonce is the sequence number. AES in both its modes here keeps a counter of its own.
 */
export function withoutTerrapin(lists: AlgorithmLists): AlgorithmLists {
  const safe = (ciphers: readonly string[]): string[] =>
    ciphers.filter((cipher) => cipher !== 'chacha20-poly1305@openssh.com');
  return { ...lists, cipherIn: safe(lists.cipherIn), cipherOut: safe(lists.cipherOut) };
}
