/** Where HTTPS is served, and under which addresses people sign in there. */
import { parseOrigin } from '../base/web-origin.ts';
import type { Origin } from '../base/web-origin.ts';
import { addressText } from '../config/values.ts';
import type { Address } from '../config/values.ts';
import type { ServerOptions } from '../config/options.ts';
import { acmeIdentity } from './acme.ts';
import { openTlsIdentity, tlsFiles } from '../first-start/tls-identity.ts';
import type { TlsFiles } from '../first-start/tls-identity.ts';
import type { DataFolder } from '../config/data-folder.ts';
import type { TlsIdentity } from '../broker/calls.ts';

const LOOPBACK = /^(127\.[\d.]+|::1|localhost)$/;
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** "none" beside addresses says nothing. */
export function httpsAddresses({ https }: Pick<ServerOptions, 'https'>): Address[] {
  return https.filter((address) => address !== null);
}

export async function openTls(
  options: ServerOptions,
  folder: DataFolder,
): Promise<{ files: TlsFiles; identity: TlsIdentity }> {
  const files = tlsFiles(folder.keys, options['tls-cert'], options['tls-key']);
  const names = httpsAddresses(options)
    .map(({ host }) => host)
    .filter((host) => !EVERYWHERE.has(host));
  const own = await openTlsIdentity(files, [...names, '127.0.0.1', '::1'], Date.now());
  const identity = options.acme === null ? own : await acmeIdentity(folder.keys, own, options['https-name']);
  return { files, identity };
}

/**
 * Where the operator has named no origin: the addresses themselves, and "localhost" for what this machine reaches, so
 * that the first administrator can have a passkey before there is a name. Other machines' "localhost" is not ours.
 */
export function ownOrigins(listeners: readonly Address[]): Origin[] {
  const texts = listeners.flatMap((listener) => {
    const { host, port } = listener;
    if (EVERYWHERE.has(host)) return [`https://localhost:${port}`, `https://127.0.0.1:${port}`];
    const own = `https://${addressText(listener)}`;
    return LOOPBACK.test(host) ? [`https://localhost:${port}`, own] : [own];
  });
  return texts.map((text) => parseOrigin(new URL(text).origin)).filter((origin) => origin !== null);
}
