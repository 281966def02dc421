/**
 * The server's own keys: keys/host_ed25519, host_ecdsa and host_rsa, in OpenSSH form, so that an operator can put keys
 * of an older server there and its customers see no change. A missing one is made, durable before anyone sees it; one
 * that cannot be used stops the start, because serving without it would look like an attack to every client.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { writeDurableFile } from '../base/durable-file.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import { generateHostKey, parseHostCertificate, parseHostKey } from '../sshkeys/host-key.ts';
import type { HostKeyKind } from '../sshkeys/host-key.ts';
import { formatPrivateKey } from '../sshkeys/private-key.ts';
import type { PrivateKey } from '../sshkeys/private-key.ts';
import { publicKeyLine } from '../sshkeys/public-key.ts';
import { parsed, readBounded, readPrivate, unusable } from './key-files.ts';

export interface LoadedHostKey {
  readonly kind: HostKeyKind;
  readonly file: string;
  readonly key: PrivateKey;
  readonly certificate: { readonly line: string; readonly parsed: Certificate } | null;
  /** Made by this start. */
  readonly made: boolean;
}

/** In the order in which they are offered. */
const KINDS: readonly HostKeyKind[] = ['ed25519', 'ecdsa', 'rsa'];

export async function openHostKeys(folder: string, now: number): Promise<LoadedHostKey[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // At once: finding the primes of an RSA key takes longest, in a thread of its own.
  return await Promise.all(KINDS.map((kind) => openHostKey(kind, path.join(folder, `host_${kind}`), now)));
}

async function openHostKey(kind: HostKeyKind, file: string, now: number): Promise<LoadedHostKey> {
  const text = await readPrivate(file);
  if (text !== null) {
    const key = parsed(file, () => parseHostKey(text));
    if (!FITS[kind](key.public.type)) throw unusable(file, `it holds a key of type ${key.public.type}`);
    return { kind, file, key, certificate: await readCertificate(file, key, now), made: false };
  }
  const made = await generateHostKey(kind);
  const written = formatPrivateKey(made, `waybill host key ${kind}`);
  const key = parseHostKey(written);
  await writeDurableFile(`${file}.pub`, `${publicKeyLine(key.public, 'waybill host key')}\n`, 0o644);
  await writeDurableFile(file, written);
  return { kind, file, key, certificate: null, made: true };
}

const FITS: Readonly<Record<HostKeyKind, (type: string) => boolean>> = {
  ed25519: (type) => type === 'ssh-ed25519',
  ecdsa: (type) => type.startsWith('ecdsa-sha2-'),
  rsa: (type) => type === 'ssh-rsa',
};

/** host_ed25519-cert.pub, as `ssh-keygen -h -s` names it. */
async function readCertificate(file: string, key: PrivateKey, now: number): Promise<LoadedHostKey['certificate']> {
  const name = `${file}-cert.pub`;
  const line = await readBounded(name);
  if (line === null) return null;
  return { line: line.text.trim(), parsed: parsed(name, () => parseHostCertificate(line.text, key, now)) };
}
