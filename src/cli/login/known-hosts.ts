/**
 * The lines of known_hosts for the server that somebody has logged in to. Pure. Only keys are taken from the server's
 * answer, never names: a server that could say for which hosts its authority is good could be any host to this machine.
 */
import { parsePublicKey, publicKeyLine } from '../../sshkeys/public-key.ts';
import { KeyRefused } from '../../sshkeys/refusal.ts';

export interface SftpPlace {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

const COMMENT = 'waybill login';

/** `hostCa`, `hostKeys`: as the server answers them. */
export function knownHostsLines(
  place: SftpPlace,
  { hostCa, hostKeys }: { readonly hostCa: string | null; readonly hostKeys: readonly string[] },
): string[] {
  const name = knownName(place);
  const [marker = '', patterns = '', ...key] = (hostCa ?? '').split(' ');
  // Its host certificates are for these names; for another one clients would not take them.
  const authority =
    marker === '@cert-authority' && patterns.split(',').includes(place.host) ? plain(key.join(' ')) : null;
  if (authority !== null) return [`@cert-authority ${name} ${authority}`];
  return hostKeys.flatMap((line) => {
    const known = plain(line);
    return known === null ? [] : [`${name} ${known}`];
  });
}

export function knownName({ host, port }: SftpPlace): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** The key alone, written anew: nothing else of a line of somebody else's gets into the file. */
function plain(line: string): string | null {
  try {
    return publicKeyLine(parsePublicKey(Buffer.from(line.split(' ')[1] ?? '', 'base64')), COMMENT);
  } catch (error) {
    if (error instanceof KeyRefused) return null;
    throw error;
  }
}
