/** Which addresses a provider may have. Pure; names are looked up, and judged again, where something is fetched. */
import { isIP } from 'node:net';
import { WaybillError } from '../base/errors.ts';
import { isAllowedByName, isPublicAddress, plainHost } from '../events/public-addresses.ts';

const ADDRESS_MAX = 2048;

/** As the provider writes its own name: it is compared with the `iss` of tokens, character by character. */
export function checkIssuer(text: string, allow: readonly string[]): string {
  const url = parse(text, allow);
  if (url.search !== '' || url.hash !== '') throw refused('an issuer has no query and no fragment');
  checkFetched(text, allow);
  return text;
}

/** What we fetch ourselves: discovery, keys, tokens. */
export function checkFetched(text: string, allow: readonly string[]): URL {
  const url = parse(text, allow);
  const host = plainHost(url.hostname);
  const known = isIP(host) !== 0 ? !isPublicAddress(host) : host === 'localhost' || host.endsWith('.localhost');
  if (known && !isAllowedByName(host, allow))
    throw refused(`${host} is on a private network; the server has to allow it by name: --outbound-allow ${host}`);
  return url;
}

/** Where browsers are sent. It may be on their own network, which is none of ours. */
export function checkShown(text: string, allow: readonly string[]): URL {
  const url = parse(text, allow);
  if (url.hash !== '') throw refused('an address for browsers has no fragment');
  return url;
}

/** Without TLS only on this machine, and only where the operator allows that by name: for tests. */
function parse(text: string, allow: readonly string[]): URL {
  if (text.length > ADDRESS_MAX) throw refused('it is longer than 2,048 characters');
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || url.hostname === '')
    throw refused('allowed is https://HOST[:PORT][/PATH], without a name or password in it');
  if (url.protocol === 'https:') return url;
  const host = plainHost(url.hostname);
  const here = host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
  if (url.protocol !== 'http:' || !here || !isAllowedByName(host, allow))
    throw refused('it is not https: whoever is on the way could sign in as anybody');
  return url;
}

function refused(why: string): WaybillError {
  return new WaybillError('option-invalid', `the address of the identity provider cannot be used: ${why}`);
}
