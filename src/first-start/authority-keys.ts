/**
 * The keys of our own certificate authorities: keys/user_ca and keys/host_ca, in OpenSSH form. Each is made when it is
 * first needed. One that has signed something must be there at every later start, and be the same: without it nothing
 * that it signed would hold, and another in its place would be a new authority that nobody decided on.
 */
import path from 'node:path';
import type { AuthorityKey } from '../accounts/authority-own.ts';
import type { AuthorityRole } from '../accounts/certificate-store.ts';
import { writeDurableFile } from '../base/durable-file.ts';
import { generateHostKey } from '../sshkeys/host-key.ts';
import type { CertificateAuthority } from '../sshkeys/certificate-sign.ts';
import { formatPrivateKey, parsePrivateKey } from '../sshkeys/private-key.ts';
import { publicKeyLine } from '../sshkeys/public-key.ts';
import { parsed, readPrivate, unusable } from './key-files.ts';

/** `used`: the public key with which it has signed before, if it has. */
export async function openAuthorityKey(
  folder: string,
  role: AuthorityRole,
  used: Buffer | null,
): Promise<AuthorityKey> {
  const file = path.join(folder, `${role}_ca`);
  const text = await readPrivate(file);
  if (text === null && used !== null)
    throw unusable(file, 'it is gone, and certificates were signed with it. Put it back from its safe copy');
  const key = text === null ? null : parsed(file, () => parsePrivateKey(text));
  if (key !== null && key.public.type !== 'ssh-ed25519')
    throw unusable(file, `it holds a key of type ${key.public.type}; an authority is of type ssh-ed25519`);
  if (key !== null && used?.equals(key.public.blob) === false)
    throw unusable(file, 'it is another key than the one that certificates were signed with. Put that one back');
  return new KeyFile(file, role, key);
}

class KeyFile implements AuthorityKey {
  current: CertificateAuthority | null;
  private readonly file: string;
  private readonly role: AuthorityRole;
  private making: Promise<CertificateAuthority> | null = null;

  constructor(file: string, role: AuthorityRole, current: CertificateAuthority | null) {
    this.file = file;
    this.role = role;
    this.current = current;
  }

  async take(): Promise<CertificateAuthority> {
    if (this.current !== null) return this.current;
    // Two who ask at once get one key; a failure (a full disk) is tried again by the next.
    this.making ??= this.make().finally(() => {
      this.making = null;
    });
    return await this.making;
  }

  private async make(): Promise<CertificateAuthority> {
    const comment = `waybill ${this.role} certificate authority`;
    const written = formatPrivateKey(await generateHostKey('ed25519'), comment);
    const key = parsePrivateKey(written);
    await writeDurableFile(`${this.file}.pub`, `${publicKeyLine(key.public, comment)}\n`, 0o644);
    await writeDurableFile(this.file, written);
    this.current = key;
    return key;
  }
}
