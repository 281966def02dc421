/**
 * How a command knows that it talks to the right server: authorities that this machine trusts, authorities (or the server's
 * own certificate) in a file, or the key of the server by its fingerprint, whatever its certificate says.
 */
import { timingSafeEqual, X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { WaybillError } from '../base/errors.ts';
import { keyDigest } from '../base/key-pin.ts';
import type { OptionSpec } from './command.ts';

export type Trust =
  | { readonly kind: 'system' }
  | { readonly kind: 'file'; readonly authorities: string }
  /** SHA-256 of the SubjectPublicKeyInfo: it stays when the certificate is renewed with the same key. */
  | { readonly kind: 'pin'; readonly digest: Buffer };

export const TRUST_OPTION = {
  value: 'FILE|sha256/KEY',
  doc: 'What its certificate is checked with: a file of certificates (PEM), or the SHA-256 of its public key in base64.',
  fallback: 'the authorities that this machine trusts',
} as const satisfies OptionSpec;

/** One slash as Chrome and HPKP write it, two as curl does. */
const PIN = /^sha256\/\/?([A-Za-z0-9+/]{43}=)$/;

export async function readTrust(text: string | null, readTextFile: (file: string) => Promise<string>): Promise<Trust> {
  if (text === null) return { kind: 'system' };
  const pin = PIN.exec(text)?.[1];
  if (pin !== undefined) return { kind: 'pin', digest: Buffer.from(pin, 'base64') };
  if (/^sha256\//.test(text))
    throw new WaybillError('option-invalid', '--trust sha256/ is followed by 32 bytes in base64 (44 characters)');
  const authorities = await readTextFile(text);
  try {
    // Only a look: what is no certificate would be left out silently.
    new X509Certificate(authorities);
  } catch (cause) {
    throw new WaybillError('option-invalid', `${text} holds no certificate (PEM)`, { cause });
  }
  return { kind: 'file', authorities };
}

/** For tls.connect; undefined means what Node brings along. */
export function authoritiesOf(trust: Trust): string | string[] | undefined {
  if (trust.kind === 'file') return trust.authorities;
  // Those of Node, and those that the administrator of this machine has added.
  return trust.kind === 'system' ? [...getCACertificates('default'), ...getCACertificates('system')] : undefined;
}

/** Why this socket, whose handshake is done and of which nothing was asked yet, is not our server's; null when it is. */
export function distrust(socket: TLSSocket, trust: Trust, name: string): WaybillError | null {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return new WaybillError('server-untrusted', `${name} shows no certificate`);
  const digest = keyDigest(shown);
  const key = `its key is sha256/${digest.toString('base64')}`;
  if (trust.kind === 'pin') {
    if (timingSafeEqual(digest, trust.digest)) return null;
    return new WaybillError('server-untrusted', `${name} has another key than the one that was given; ${key}`);
  }
  if (socket.authorized) return null;
  // A code in fact, whatever its type says.
  const why = String(socket.authorizationError);
  return new WaybillError('server-untrusted', `the certificate of ${name} cannot be trusted (${why}); ${key}`);
}
