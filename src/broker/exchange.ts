/**
 * A key exchange as a front shows it, read before it is signed. The broker hashes it itself, so a front never has bytes
 * of its own choosing signed (a host key's signature over some other format's 32 or 64 bytes would be valid there, too).
 * And the broker chose the server's cookie: an exchange that was signed for one connection can never be the first of
 * another one, so a signature of a user over its hash, which a front could have kept, signs nobody in again.
 */
import { createHash } from 'node:crypto';
import { ByteReader, MalformedBytes } from '../base/bytes.ts';
import { WaybillError } from '../base/errors.ts';

export const COOKIE_BYTES = 16;

export interface Exchange {
  readonly clientVersion: string;
  /** Of our KEXINIT. */
  readonly cookie: Buffer;
  /** The host key, or its certificate, as the client is shown it. */
  readonly hostKey: Buffer;
  readonly hash: Buffer;
}

const VERSION_MAX = 255;
const KEXINIT = 20;
const KEXINIT_MAX = 64 * 1024;
const HOST_KEY_MAX = 16 * 1024;

/** RFC 4253 section 8: V_C, V_S, I_C, I_S, K_S, then values that only the two ends of the exchange can judge. */
export function readExchange(digest: 'sha256' | 'sha384' | 'sha512', bytes: Buffer): Exchange {
  try {
    const reader = new ByteReader(bytes);
    const clientVersion = versionLine(reader);
    versionLine(reader);
    kexInit(reader);
    const serverInit = kexInit(reader);
    const hostKey = reader.string(HOST_KEY_MAX);
    if (reader.remaining < 3 * 4) throw new MalformedBytes('the exchange has no values');
    const hash = createHash(digest).update(bytes).digest();
    return { clientVersion, cookie: serverInit.subarray(1, 1 + COOKIE_BYTES), hostKey, hash };
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause;
    throw new WaybillError('request-invalid', 'this is no key exchange', { cause });
  }
}

function versionLine(reader: ByteReader): string {
  const line = reader.string(VERSION_MAX).toString('latin1');
  if (!line.startsWith('SSH-')) throw new MalformedBytes('a version line does not begin with SSH-');
  return line;
}

function kexInit(reader: ByteReader): Buffer {
  const payload = reader.string(KEXINIT_MAX);
  if (payload.length < 1 + COOKIE_BYTES || payload[0] !== KEXINIT) throw new MalformedBytes('not a KEXINIT');
  return payload;
}
