/** An authenticator in software, as PROTOCOL.u2f describes what it signs: for tests, because real ones need a hand. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../../src/base/bytes.ts';
import { publicKeyFrom } from '../../src/sshkeys/public-key.ts';
import type { PublicKey } from '../../src/sshkeys/public-key.ts';

export interface SoftSecurityKey {
  readonly private: KeyObject;
  readonly public: PublicKey;
}

export interface Press {
  readonly flags?: number;
  readonly counter?: number;
  readonly application?: string;
  /** What stands in the blob, where it differs from what was signed. */
  readonly claimedFlags?: number;
}

export function softSecurityKey(family: 'ed25519' | 'ecdsa', application = 'ssh:'): SoftSecurityKey {
  const pair =
    family === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { private: pair.privateKey, public: publicKeyFrom(pair.publicKey, application) };
}

export function press({ private: key, public: own }: SoftSecurityKey, data: Buffer, how: Press = {}): Buffer {
  const { flags = 1, counter = 7, application = own.application ?? '' } = how;
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
  const signed = new ByteWriter()
    .raw(sha256(Buffer.from(application)))
    .u8(flags)
    .u32(counter)
    .raw(sha256(data));
  const blob = new ByteWriter().string(own.type).string(rawSignature(key, signed.finish()));
  return blob
    .u8(how.claimedFlags ?? flags)
    .u32(counter)
    .finish();
}

function rawSignature(key: KeyObject, signed: Buffer): Buffer {
  if (key.asymmetricKeyType === 'ed25519') return sign(null, signed, key);
  const raw = sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' });
  return new ByteWriter().mpint(raw.subarray(0, 32)).mpint(raw.subarray(32)).finish();
}
