/**
 * A key and its certificate in files, for programs that ask no agent: KEY and KEY-cert.pub as OpenSSH and rclone take them,
 * KEY.ppk with both in one for WinSCP and PuTTY; and the line of known_hosts that goes with them.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { access, open, readFile, unlink } from 'node:fs/promises';
import { syncFolder, writeDurableFile } from '../base/durable-file.ts';
import { ByteWriter } from '../base/bytes.ts';
import { WaybillError } from '../base/errors.ts';
import path from 'node:path';
import { certificateLine } from '../sshkeys/certificate-sign.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import { formatPrivateKey, parsePrivateKey } from '../sshkeys/private-key.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';

export interface CertifiedKey {
  readonly key: KeyObject;
  readonly certificate: Certificate;
  /** "waybill anna@files.example.com" */
  readonly comment: string;
}

/** By this, what an earlier login wrote may be replaced, and nothing else. */
const OURS = 'waybill ';
const LINE = 64;

/** Answers the names that were written. */
export async function writeKeyFiles(file: string, { key, certificate, comment }: CertifiedKey): Promise<string[]> {
  if (!comment.startsWith(OURS)) throw new WaybillError('internal', 'a key file without our mark');
  await refuseForeign(file);
  const contents: readonly (readonly [string, string])[] = [
    // The certificate first: a key without one would be offered bare.
    [`${file}-cert.pub`, `${certificateLine(certificate, comment)}\n`],
    [`${file}.ppk`, formatPpk({ key, certificate, comment })],
    [file, formatPrivateKey(key, comment)],
  ];
  for (const [name, text] of contents) await writeDurableFile(name, text, 0o600);
  return contents.map(([name]) => name);
}

/** Answers the names that were removed. What login has not written stays, and is an error. */
export async function removeKeyFiles(file: string): Promise<string[]> {
  // Without the key what lies beside it opens nothing, and may be somebody else's.
  if (!(await refuseForeign(file))) return [];
  const removed: string[] = [];
  // The key first: what is left then opens nothing.
  for (const name of [file, `${file}.ppk`, `${file}-cert.pub`])
    if (await unlink(name).then(() => true, refuseAllButAbsent)) removed.push(name);
  return removed;
}

function refuseAllButAbsent(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
  throw error;
}

/** A private key that login has written: false for everything else. */
export async function isOurKeyFile(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return commentOf(text).startsWith(OURS);
}

/** Answers whether it is there. */
async function refuseForeign(file: string): Promise<boolean> {
  const there = await access(file).then(() => true, refuseAllButAbsent);
  if (!there || (await isOurKeyFile(file))) return there;
  throw new WaybillError(
    'already-exists',
    `${file} is there and was not written by waybill login; choose another name`,
  );
}

function commentOf(text: string): string {
  try {
    return parsePrivateKey(text).comment;
  } catch (error) {
    if (error instanceof KeyRefused) return '';
    throw error;
  }
}

/**
 * PuTTY-User-Key-File-3, unencrypted (PuTTY manual, appendix C): the certificate stands where the public key would. The
 * private part of Ed25519 is the seed. Without a passphrase the MAC has no key: it finds
 * damage, and protects nothing.
 */
export function formatPpk({ key, certificate, comment }: CertifiedKey): string {
  const seed = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  if (certificate.key.type !== 'ssh-ed25519' || seed.length !== 32)
    throw new WaybillError('unsupported', 'only Ed25519 keys are written for PuTTY');
  const secret = new ByteWriter().string(seed).finish();
  const signed = new ByteWriter().string(certificate.type).string('none').string(comment);
  const mac = createHmac('sha256', '').update(signed.string(certificate.blob).string(secret).finish()).digest('hex');
  const [open, closed] = [linesOf(certificate.blob), linesOf(secret)];
  const head = [`PuTTY-User-Key-File-3: ${certificate.type}`, 'Encryption: none', `Comment: ${comment}`];
  const body = [`Public-Lines: ${open.length}`, ...open, `Private-Lines: ${closed.length}`, ...closed];
  return [...head, ...body, `Private-MAC: ${mac}`, ''].join('\n');
}

function linesOf(bytes: Buffer): string[] {
  return bytes.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
}

/** Adds the lines that are not there yet; true when there were any. The file stays its owner's, with what it holds. */
export async function addKnownHosts(file: string, lines: readonly string[]): Promise<boolean> {
  const handle = await open(file, 'a+', 0o600);
  try {
    const text = await readFile(handle, 'utf8');
    const known = new Set(text.split(/\r?\n/).map((line) => line.trim()));
    const fresh = lines.filter((line) => !known.has(line.trim()));
    if (fresh.length === 0) return false;
    const gap = text === '' || text.endsWith('\n') ? '' : '\n';
    await handle.appendFile(`${gap}${fresh.join('\n')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(path.dirname(file));
  return true;
}
