/** From options to providers of root keys. The wanted one comes first; the other is there for keys that it still wraps. */
import { readFileSync } from 'node:fs';
import { WaybillError } from '../base/errors.ts';
import { RootKeyFile } from './root-key.ts';
import type { RootKeyProvider } from './root-key-provider.ts';
import type { VaultCredential } from './vault-client.ts';
import { VaultTransit } from './vault-transit.ts';

/** The server's options of these names. */
export interface RootKeyOptions {
  readonly 'root-key': 'file' | 'vault';
  readonly 'vault-address': string | null;
  readonly 'vault-mount': string;
  readonly 'vault-key': string;
  readonly 'vault-namespace': string | null;
  readonly 'vault-token-file': string | null;
  readonly 'vault-role-id-file': string | null;
  readonly 'vault-secret-id-file': string | null;
  readonly 'vault-auth-mount': string;
  readonly 'vault-ca': string | null;
}

/** Throws `option-invalid`; asks nobody yet. `file`: of the local root key. */
export function rootKeyProviders(
  options: RootKeyOptions,
  report: (error: unknown) => void,
): (file: string) => readonly RootKeyProvider[] {
  const address = options['vault-address'];
  if (address === null) {
    if (options['root-key'] === 'vault') throw invalid('--root-key vault needs --vault-address');
    return (file) => [new RootKeyFile(file)];
  }
  const vault = new VaultTransit({
    address,
    mount: options['vault-mount'],
    key: options['vault-key'],
    namespace: options['vault-namespace'],
    credential: credentialOf(options),
    ca: options['vault-ca'] === null ? null : readAuthorities(options['vault-ca']),
    report,
  });
  return (file) => {
    const local = new RootKeyFile(file);
    return options['root-key'] === 'vault' ? [vault, local] : [local, vault];
  };
}

function credentialOf(options: RootKeyOptions): VaultCredential {
  const file = options['vault-token-file'];
  const roleIdFile = options['vault-role-id-file'];
  const secretIdFile = options['vault-secret-id-file'];
  if (file !== null && roleIdFile === null && secretIdFile === null) return { kind: 'token', file };
  if (file === null && roleIdFile !== null && secretIdFile !== null)
    return { kind: 'approle', mount: options['vault-auth-mount'], roleIdFile, secretIdFile };
  throw invalid('Vault needs --vault-token-file, or --vault-role-id-file and --vault-secret-id-file');
}

function readAuthorities(file: string): string {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `--vault-ca is ${file}, which cannot be read (${why})`, { cause });
  }
  // An empty list would not mean "the usual ones": it would mean none.
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw invalid(`--vault-ca is ${file}, which holds no certificate`);
  return text;
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
