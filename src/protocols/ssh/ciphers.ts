/** Every cipher and MAC by its name in KEXINIT. No CBC, no SHA-1, no stream cipher without a MAC: they have no row. */
import type { CipherGCMTypes } from 'node:crypto';
import { ChaChaOpener, ChaChaSealer } from './cipher-chacha20.ts';
import { CtrSealer, EncryptAndMacOpener, EncryptThenMacOpener, type MacAlgorithm } from './cipher-ctr.ts';
import { GcmOpener, GcmSealer } from './cipher-gcm.ts';
import type { KeyLetter, KeySource } from './exchange-hash.ts';
import type { PacketOpener, PacketSealer } from './packet-cipher.ts';

export const MACS: Readonly<Record<string, MacAlgorithm>> = {
  'hmac-sha2-256-etm@openssh.com': { hash: 'sha256', bytes: 32, encryptThenMac: true },
  'hmac-sha2-512-etm@openssh.com': { hash: 'sha512', bytes: 64, encryptThenMac: true },
  'hmac-sha2-256': { hash: 'sha256', bytes: 32, encryptThenMac: false },
  'hmac-sha2-512': { hash: 'sha512', bytes: 64, encryptThenMac: false },
};

interface Keys {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly macKey: Buffer;
}

interface CipherAlgorithm {
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly implicitMac: boolean;
  sealer(keys: Keys, mac: MacAlgorithm | undefined): PacketSealer;
  opener(keys: Keys, mac: MacAlgorithm | undefined): PacketOpener;
}

function gcm(name: CipherGCMTypes, keyBytes: number): CipherAlgorithm {
  return {
    keyBytes,
    ivBytes: 12,
    implicitMac: true,
    sealer: ({ key, iv }) => new GcmSealer(name, key, iv),
    opener: ({ key, iv }) => new GcmOpener(name, key, iv),
  };
}

function ctr(cipher: string, keyBytes: number): CipherAlgorithm {
  const withMac = (keys: Keys, mac: MacAlgorithm | undefined) => {
    if (mac === undefined) throw new TypeError(`${cipher} without a MAC`);
    return { ...keys, cipher, mac };
  };
  return {
    keyBytes,
    ivBytes: 16,
    implicitMac: false,
    sealer: (keys, mac) => new CtrSealer(withMac(keys, mac)),
    opener: (keys, mac) =>
      mac?.encryptThenMac === false
        ? new EncryptAndMacOpener(withMac(keys, mac))
        : new EncryptThenMacOpener(withMac(keys, mac)),
  };
}

export const CIPHERS: Readonly<Record<string, CipherAlgorithm>> = {
  'aes256-gcm@openssh.com': gcm('aes-256-gcm', 32),
  'aes128-gcm@openssh.com': gcm('aes-128-gcm', 16),
  'chacha20-poly1305@openssh.com': {
    keyBytes: 64,
    ivBytes: 0,
    implicitMac: true,
    sealer: ({ key }) => new ChaChaSealer(key),
    opener: ({ key }) => new ChaChaOpener(key),
  },
  'aes256-ctr': ctr('aes-256-ctr', 32),
  'aes192-ctr': ctr('aes-192-ctr', 24),
  'aes128-ctr': ctr('aes-128-ctr', 16),
};

export function hasImplicitMac(cipher: string): boolean {
  return CIPHERS[cipher]?.implicitMac === true;
}

/** RFC 4253 section 7.2: which letters make the keys of which direction. */
const LETTERS = {
  clientToServer: { iv: 'A', key: 'C', mac: 'E' },
  serverToClient: { iv: 'B', key: 'D', mac: 'F' },
} as const satisfies Record<string, Record<string, KeyLetter>>;

export type Direction = keyof typeof LETTERS;

function prepare(direction: Direction, cipherName: string, macName: string, source: KeySource) {
  const cipher = CIPHERS[cipherName];
  if (cipher === undefined) throw new TypeError(`unknown cipher ${cipherName}`);
  const mac = cipher.implicitMac ? undefined : MACS[macName];
  const letters = LETTERS[direction];
  const keys = {
    iv: source(letters.iv, cipher.ivBytes),
    key: source(letters.key, cipher.keyBytes),
    macKey: source(letters.mac, mac?.bytes ?? 0),
  };
  return { cipher, keys, mac };
}

export function makeSealer(direction: Direction, cipher: string, mac: string, source: KeySource): PacketSealer {
  const made = prepare(direction, cipher, mac, source);
  return made.cipher.sealer(made.keys, made.mac);
}

export function makeOpener(direction: Direction, cipher: string, mac: string, source: KeySource): PacketOpener {
  const made = prepare(direction, cipher, mac, source);
  return made.cipher.opener(made.keys, made.mac);
}
