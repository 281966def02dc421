/**
 * The pages for people: files of src/portal as they are, read once. Nothing of a request gets into a page, so there is
 * nothing to escape; scripts come from here alone, and run without the sinks that make markup of text (Trusted Types).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PAGE_OPERATIONS } from '../../api/page-operations.ts';
import { WaybillError } from '../../base/errors.ts';
import { matches } from './conditions.ts';
import type { Exchange } from './exchange.ts';

const FOLDER = path.join(import.meta.dirname, '..', '..', 'portal');
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
/** A page is for its own origin, and so are the passkeys that it asks for. */
const PERMISSIONS = [
  'publickey-credentials-get=(self), publickey-credentials-create=(self), clipboard-write=(self)',
  ...['camera', 'microphone', 'geolocation', 'payment', 'usb', 'serial', 'hid', 'display-capture'].map(
    (name) => `${name}=()`,
  ),
].join(', ');
const CACHED = { 'Cache-Control': 'no-cache' };

interface Part {
  readonly bytes: Buffer;
  readonly type: string;
  readonly tag: string;
}

function read(name: string, type: string): Part {
  const bytes = readFileSync(path.join(FOLDER, name));
  return { bytes, type, tag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

export function portalHandlers() {
  // By name, so that what a request names can never become a path.
  const parts = new Map(
    readdirSync(FOLDER).flatMap((name): [string, Part][] => {
      const type = TYPES[path.extname(name)];
      return type === undefined ? [] : [[name, read(name, type)]];
    }),
  );
  const pageOf = (at: string) => {
    const { bytes, type } = read(`${at.slice(1)}.html`, 'text/html; charset=utf-8');
    const headers = { ...CACHED, 'Content-Security-Policy': POLICY, 'Permissions-Policy': PERMISSIONS };
    return (exchange: Exchange): void => {
      exchange.sendBytes(200, type, bytes, headers);
    };
  };
  return {
    'page.home': (exchange: Exchange): void => {
      exchange.sendEmpty(303, { Location: PAGE_OPERATIONS['page.sign-in'].path });
    },
    'page.sign-in': pageOf(PAGE_OPERATIONS['page.sign-in'].path),
    'page.sign-in-at': pageOf(PAGE_OPERATIONS['page.sign-in'].path),
    'page.sso-callback': pageOf('/sso-callback'),
    'page.enrol': pageOf(PAGE_OPERATIONS['page.enrol'].path),
    'page.account': pageOf(PAGE_OPERATIONS['page.account'].path),
    'page.device': pageOf(PAGE_OPERATIONS['page.device'].path),
    'page.part': (exchange: Exchange): void => {
      const part = parts.get(exchange.rest);
      if (part === undefined) throw new WaybillError('not-found', 'there is nothing at this address');
      const headers = { ...CACHED, ETag: part.tag };
      const known = exchange.header('if-none-match');
      if (known !== undefined && matches(known, part.tag, 'weak')) exchange.sendEmpty(304, headers);
      else exchange.sendBytes(200, part.type, part.bytes, headers);
    },
  };
}
