import path from 'node:path';
import { writeDurableFile } from '../base/durable-file.ts';

export interface HostKeyLine {
  /** "ssh-ed25519 AAAA..." */
  readonly line: string;
}

/**
 * first/known_hosts: the host keys under the address where this machine reaches the server, so that trying it out needs
 * no question whose answer nobody can check. Written anew with each start, because port and keys may have changed.
 */
export async function writeKnownHosts(
  dataFolder: string,
  at: { readonly host: string; readonly port: number },
  keys: readonly HostKeyLine[],
): Promise<string> {
  const file = path.join(dataFolder, 'first', 'known_hosts');
  await writeDurableFile(file, keys.map(({ line }) => `[${at.host}]:${at.port} ${line}\n`).join(''), 0o644);
  return file;
}
