/** Keys and certificates made by the real ssh-keygen, in a folder that goes with the test. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Keygen {
  readonly folder: string;
  /** Runs ssh-keygen; returns what it prints. */
  run(...args: string[]): string;
  /** Makes a key; returns the private key's path. */
  key(name: string, type: string, bits?: number): string;
  /** Signs a key with an authority; returns the certificate's line. */
  certify(authority: string, key: string, ...args: string[]): string;
  read(file: string): string;
  write(name: string, text: string, mode?: number): string;
  remove(): void;
}

export function keygen(): Keygen {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-keys-'));
  const run = (...args: string[]) => execFileSync('ssh-keygen', args, { encoding: 'utf8', stdio: 'pipe' });
  return {
    folder,
    run,
    key(name, type, bits) {
      const file = path.join(folder, name);
      run('-q', '-t', type, ...(bits === undefined ? [] : ['-b', String(bits)]), '-N', '', '-C', name, '-f', file);
      return file;
    },
    certify(authority, key, ...args) {
      run('-q', '-s', authority, ...args, `${key}.pub`);
      return readFileSync(`${key}-cert.pub`, 'utf8');
    },
    read: (file) => readFileSync(file, 'utf8'),
    write(name, text, mode = 0o600) {
      const file = path.join(folder, name);
      writeFileSync(file, text, { mode });
      return file;
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
