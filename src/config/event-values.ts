/** Option values of what goes out: mail servers, host names, where metrics are served. Same rule as values.ts. */
import { isIP } from 'node:net';
import { isMailAddress } from '../base/mail-address.ts';
import { address, NotAllowed } from './values.ts';
import type { Address } from './values.ts';

/** "smtps://user@mail.example:465". A password in it would be seen in the list of processes. */
export function mailServer(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const known = url?.protocol === 'smtp:' || url?.protocol === 'smtps:';
  const plain = url !== null && ['', '/'].includes(url.pathname) && url.search === '' && url.hash === '';
  if (!known || !plain || url.hostname === '' || url.password !== '')
    throw new NotAllowed(
      'smtps://[USER@]HOST[:PORT] or smtp://... (with STARTTLS), the password in --smtp-password-file',
    );
  return text;
}

export function mailAddress(text: string): string {
  if (!isMailAddress(text)) throw new NotAllowed('one plain mail address, as waybill@example.com');
  return text;
}

/** A name as it stands in an address, or an address itself. No wildcards. */
export function hostName(text: string): string {
  const name = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text) && !/^[\d.]+$/.test(text);
  if (!name && isIP(text) === 0) throw new NotAllowed('the name of one host, or one address');
  return text.toLowerCase();
}

export function acmeDirectory(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.hash !== '')
    throw new NotAllowed('the https:// address of an ACME directory');
  return text;
}

/** For a certificate: no address, no wildcard (those cannot be proven by HTTP or TLS). */
export function dnsName(text: string): string {
  const labels = text.split('.');
  const good = labels.every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
  if (!good || labels.length < 2 || text.length > 253 || /^[\d.]+$/.test(text))
    throw new NotAllowed('a host name, as files.example.com');
  return text.toLowerCase();
}

/** Where spans are posted; without TLS on this machine only. A password in it would be seen in the list of processes. */
export function traceCollectorUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const local = url?.protocol === 'http:' && /^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/.test(url.hostname);
  const plain = url !== null && url.username === '' && url.password === '' && url.hash === '';
  if (!plain || (url.protocol !== 'https:' && !local))
    throw new NotAllowed('https://HOST[:PORT]/v1/traces, or http:// on this machine, headers in --otlp-headers-file');
  return text;
}

/** A share of all: 1 is every one. */
export function share(text: string): number {
  const value = /^(0|1|0?\.\d{1,6}|1\.0{1,6})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value)) throw new NotAllowed('a number from 0 to 1, as 0.05');
  return value;
}

/** On this machine: nobody signs in to read them. */
export function localAddress(text: string): Address {
  const found = address(text);
  if (!/^(127(\.\d{1,3}){3}|::1|localhost)$/.test(found.host))
    throw new NotAllowed('ADDRESS:PORT on this machine, as 127.0.0.1:9464');
  return found;
}
