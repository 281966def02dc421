/** The forms that option values have; pure. A check takes the text of a value and throws NotAllowed that says what is. */
import { isIP } from 'node:net';
import { parseNetwork } from '../base/addresses.ts';
import type { Network } from '../base/addresses.ts';
import { parseOrigin } from '../base/web-origin.ts';
import type { Origin } from '../base/web-origin.ts';

export class NotAllowed extends Error {
  /** What is allowed, as it follows "allowed is". */
  readonly allowed: string;

  constructor(allowed: string) {
    super(allowed);
    this.allowed = allowed;
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

const IPV6 = /^\[([0-9A-Fa-f:.]+)\]:(\d{1,5})$/;
const OTHER = /^([^:[\]\s]*):(\d{1,5})$/;
const NAME = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** "127.0.0.1:2022", "[::1]:0", "localhost:2022", ":2022" (all addresses). */
export function address(text: string): Address {
  const six = IPV6.exec(text);
  const found = six ?? OTHER.exec(text);
  const host = found?.[1] === '' ? '::' : (found?.[1] ?? '');
  const port = Number(found?.[2] ?? -1);
  const hostIsGood = six === null ? isIP(host) === 4 || host === '::' || isName(host) : isIP(host) === 6;
  if (!hostIsGood || port < 0 || port > 65535) {
    throw new NotAllowed(
      'ADDRESS:PORT with a port from 0 to 65535 and IPv6 in brackets, as 127.0.0.1:2022 or [::1]:2022',
    );
  }
  return { host, port };
}

/** Null is nowhere. */
export function httpsAddress(text: string): Address | null {
  return text === 'none' ? null : address(text);
}

/** "1.2.3.400" is a mistyped address, not a name. */
function isName(host: string): boolean {
  return NAME.test(host) && !/^[\d.]+$/.test(host);
}

/** As clients write it: a name or an address, without a port. Wildcards certify whoever can choose a name. */
export function certifiedName(text: string): string {
  if (isIP(text) === 0 && !isName(text)) throw new NotAllowed('a host name or an address, as files.example.com');
  return text.toLowerCase();
}

/** "https://files.example.com", "https://localhost:8443": as browsers name where a page is from. */
export function httpsOrigin(text: string): Origin {
  const origin = parseOrigin(text);
  if (origin === null) throw new NotAllowed('https://HOST or https://HOST:PORT, with nothing after it');
  return origin;
}

/** Null is "none". */
export function networkOrNone(text: string): Network | null {
  return text === 'none' ? null : network(text);
}

export function network(text: string): Network {
  const found = parseNetwork(text);
  if (found === null) throw new NotAllowed('an address or a network, as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32');
  return found;
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function whole(least: number, most: number, unit = ''): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) {
      throw new NotAllowed(`a whole number${unit === '' ? '' : ` of ${unit}`} from ${least} to ${most}`);
    }
    return value;
  };
}

/** Null: there are none. */
export function fastAddress(text: string): Address | 'same' | null {
  return text === 'same' ? text : httpsAddress(text);
}

export function oneOf<const T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new NotAllowed(`one of ${choices.join(', ')}`);
    return found;
  };
}

/** A name of the kernel's, of 15 characters at the most; `auto` and `system` are words of ours. */
export function congestionControl(text: string): string {
  if (!/^[a-z0-9_-]{1,15}$/.test(text)) throw new NotAllowed('auto, system, or a name as bbr or cubic');
  return text;
}

export function yesOrNo(text: string): boolean {
  if (text === 'true' || text === 'yes' || text === '1') return true;
  if (text === 'false' || text === 'no' || text === '0') return false;
  throw new NotAllowed('true or false');
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** "500", "64M", "10GiB". */
export function byteCount(least: number, most: number): (text: string) => number {
  return (text) => {
    const found = /^(\d{1,15})([KMGT]?)(?:i?B)?$/i.exec(text);
    const value = Number(found?.[1] ?? NaN) * (UNITS[(found?.[2] ?? '').toUpperCase()] ?? NaN);
    if (!(value >= least && value <= most)) {
      throw new NotAllowed(`a number of bytes from ${least} to ${most}, as 500M or 10GiB`);
    }
    return value;
  };
}

/** "https://vault.example:8200". Without TLS only on this machine: keys travel there. */
export function serviceAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const local = url !== null && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  const plain = url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (!plain || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    throw new NotAllowed('https://HOST:PORT, or http://127.0.0.1:PORT for a service on this machine');
  }
  return url.origin;
}

const WITNESS = /^([^+]+)\+([^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*)$/;

/** "https://witness.example/waybill+name+01234567+base64". What goes there and comes back is public, and signed. */
export function witness(text: string): { url: string; vkey: string } {
  const [, url = '', vkey = ''] = WITNESS.exec(text) ?? [];
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const plain = parsed !== null && parsed.search === '' && parsed.hash === '' && parsed.username === '';
  if (!plain || !(parsed.protocol === 'https:' || parsed.protocol === 'http:'))
    throw new NotAllowed('URL+VKEY, as https://witness.example+NAME+ID+KEY');
  return { url: parsed.href.replace(/\/+$/, ''), vkey };
}

/** Names in the paths of a service, "team/transit". */
export function servicePath(text: string): string {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/.test(text) || text.length > 100) {
    throw new NotAllowed('letters, digits, "-", "_", "." and "/" between names, at most 100');
  }
  return text;
}

/** One of them. */
export function serviceName(text: string): string {
  if (text.includes('/')) throw new NotAllowed('letters, digits, "-", "_" and ".", at most 100');
  return servicePath(text);
}

const AMOUNTS = /^([^,]+),(\d{1,12}),(\d{1,12})$/;

/** "64G,100000,10000": bytes, files, listings. */
export function budgetAmounts(text: string): [bytes: number, files: number, listings: number] {
  const found = AMOUNTS.exec(text);
  try {
    return [byteCount(1, 2 ** 52)(found?.[1] ?? ''), Number(found?.[2]), Number(found?.[3])];
  } catch {
    throw new NotAllowed('SIZE,FILES,LISTINGS, as 64G,100000,10000');
  }
}

export function filePath(text: string): string {
  if (text === '' || text.includes('\0')) throw new NotAllowed('the path of a file or folder');
  return text;
}
