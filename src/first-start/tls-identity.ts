/**
 * Key and certificate of the HTTPS door: the operator's files, or keys/tls.key and keys/tls.crt, which are made when
 * they are missing and made again before they end. Files that change are taken over while the server runs.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { writeDurableFile } from '../base/durable-file.ts';
import { asWaybillError, WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { TlsIdentity } from '../broker/calls.ts';
import { makeCertificate } from './self-signed.ts';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** The operator's own; they are never written. */
  readonly given: boolean;
}

const FILE_MAX = 64 * 1024;
const POLL_MILLISECONDS = 2000;
const RENEW_MILLISECONDS = 30 * 86_400_000;

/** Throws `option-invalid` when only one of the two is given. */
export function tlsFiles(folder: string, certificate: string | null, key: string | null): TlsFiles {
  if ((certificate === null) !== (key === null))
    throw new WaybillError('option-invalid', '--tls-cert and --tls-key are given together or not at all');
  if (certificate !== null && key !== null) return { certificate, key, given: true };
  return { certificate: path.join(folder, 'tls.crt'), key: path.join(folder, 'tls.key'), given: false };
}

export async function openTlsIdentity(files: TlsFiles, names: readonly string[], now: number): Promise<TlsIdentity> {
  const present = await read(files);
  if (files.given) {
    if (present === null) throw unusable(files, 'it is not there');
    return present;
  }
  if (present !== null && Date.parse(new X509Certificate(present.certificate).validTo) - now > RENEW_MILLISECONDS)
    return present;
  // The key stays over renewals, so that the two files fit together whenever a crash comes between.
  const key = (await readBounded(files, files.key, true)) ?? newKey();
  await writeDurableFile(files.key, key);
  const all = [...new Set(['localhost', asHostName(hostname()), ...names])];
  const certificate = makeCertificate(all, createPrivateKey(key), now);
  await writeDurableFile(files.certificate, certificate, 0o644);
  return { certificate, key, trusted: false };
}

/** Calls `changed` with what the files hold now, when both fit together. Returns how to stop. */
export function watchTlsFiles(files: TlsFiles, log: Log, changed: (identity: TlsIdentity) => void): () => void {
  const look = (): void => {
    read(files)
      .then((identity) => {
        if (identity === null) return;
        changed(identity);
        log.info({ certificate: files.certificate }, 'the certificate of HTTPS was read again');
      })
      .catch((err: unknown) => {
        log.error({ err }, 'the changed certificate of HTTPS cannot be used; the one before stays in use');
      });
  };
  for (const file of [files.certificate, files.key]) watchFile(file, { interval: POLL_MILLISECONDS }, look);
  return () => {
    for (const file of [files.certificate, files.key]) unwatchFile(file, look);
  };
}

/** Null when a file is missing. Throws when they cannot be used, or not together. */
async function read(files: TlsFiles): Promise<TlsIdentity | null> {
  const certificate = await readBounded(files, files.certificate, false);
  const key = await readBounded(files, files.key, true);
  if (certificate === null || key === null) return null;
  try {
    createSecureContext({ cert: certificate, key });
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
      throw new Error('the key belongs to another certificate');
  } catch (error) {
    throw unusable(files, error instanceof Error ? error.message : 'it is malformed', error);
  }
  return { certificate, key, trusted: files.given };
}

async function readBounded(files: TlsFiles, file: string, secret: boolean): Promise<string | null> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw unusable(files, asWaybillError(error).message, error);
  }
  try {
    const { mode, size } = await handle.stat();
    if (size > FILE_MAX) throw unusable(files, `${file} is too long`);
    if (secret && (mode & 0o007) !== 0) throw unusable(files, `everybody can read ${file}; run: chmod 600 ${file}`);
    return await readFile(handle, 'utf8');
  } finally {
    await handle.close();
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** Names of machines may hold what no certificate may. */
function asHostName(name: string): string {
  return /^[A-Za-z0-9.-]{1,253}$/.test(name) ? name : 'localhost';
}

function unusable({ certificate, given }: TlsFiles, why: string, cause?: unknown): WaybillError {
  const code = given ? 'option-invalid' : 'data-folder-invalid';
  return new WaybillError(code, `the certificate ${certificate} cannot be used: ${why}`, { cause });
}
