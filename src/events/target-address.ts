/** The address of a receiver, from what somebody typed: checked before anything is kept. Pure. */
import { isIP } from 'node:net';
import { WaybillError } from '../base/errors.ts';
import { isMailAddress } from '../base/mail-address.ts';
import { isAllowedByName, isPublicAddress, plainHost } from './public-addresses.ts';
import type { TargetKind } from './target-kinds.ts';

const ADDRESS_MAX = 2048;
const SYSLOG_PORT = 6514;
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?))(?::(\d{1,5}))?$/;
export interface TargetAddress {
  /** In full: the path of a webhook is often as good as a password. */
  readonly full: string;
  /** For lists and the ledger. */
  readonly shown: string;
}

export function checkTargetAddress(kind: TargetKind, text: string, allow: readonly string[]): TargetAddress {
  if (text.length > ADDRESS_MAX) throw refused('it is longer than 2,048 characters');
  if (kind === 'mail') {
    if (!isMailAddress(text)) throw refused('allowed is one plain mail address, as soc@example.com');
    return { full: text, shown: text };
  }
  const found = kind === 'webhook' ? webhook(text) : syslog(text);
  checkHost(found.host, allow);
  return found;
}

function webhook(text: string): TargetAddress & { host: string } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.hash !== '')
    throw refused('allowed is https://HOST[:PORT]/PATH, without a name or password in it');
  const rest = url.pathname === '/' && url.search === '' ? '' : '…';
  return { full: url.href, shown: `${url.origin}/${rest}`, host: url.hostname };
}

function syslog(text: string): TargetAddress & { host: string } {
  const { host, port } = parseHostPort(text);
  const full = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { full, shown: full, host };
}

export function parseHostPort(text: string): { host: string; port: number } {
  const [, six, name, digits] = HOST.exec(text) ?? [];
  const host = six ?? name ?? '';
  const port = digits === undefined ? SYSLOG_PORT : Number(digits);
  const good = six === undefined ? isIP(host) === 4 || (host !== '' && !/^[\d.]+$/.test(host)) : isIP(host) === 6;
  if (!good || port < 1 || port > 65535) throw refused('allowed is HOST:PORT, IPv6 in brackets');
  return { host, port };
}

/** Names are looked up when something is sent, and judged then: what they lead to changes. */
function checkHost(host: string, allow: readonly string[]): void {
  const plain = plainHost(host);
  if (isAllowedByName(plain, allow)) return;
  if (plain === 'localhost' || plain.endsWith('.localhost') || (isIP(plain) !== 0 && !isPublicAddress(plain)))
    throw refused(`${plain} is on a private network; the server has to allow it by name: --outbound-allow ${plain}`);
}

function refused(why: string): WaybillError {
  return new WaybillError('option-invalid', `the address cannot be used: ${why}`);
}
