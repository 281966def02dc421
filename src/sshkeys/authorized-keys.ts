/** One line of an authorized_keys or .pub file (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). */
import { parseAddressList } from './addresses.ts';
import { CERTIFICATE_TYPES, isKeyType } from './algorithms.ts';
import { parsePublicKey } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { KeyRefused } from './refusal.ts';

export interface KeyRestrictions {
  /** Addresses and networks as `from=` has them; null = from anywhere. */
  readonly from: string | null;
  /** Milliseconds since 1970; null = never expires. */
  readonly expires: number | null;
  readonly verifyRequired: boolean;
  readonly touchRequired: boolean;
}

export interface AuthorizedKey {
  readonly key: PublicKey;
  readonly comment: string;
  readonly certAuthority: boolean;
  readonly restrictions: KeyRestrictions;
}

type Draft = { -readonly [K in keyof KeyRestrictions]: KeyRestrictions[K] } & { certAuthority: boolean };

const LINE_MAX = 32 * 1024;

/** Options that restrict what this server never offers: obeyed by doing nothing. */
const ALREADY_SO = [
  'restrict',
  'no-agent-forwarding',
  'no-port-forwarding',
  'no-pty',
  'no-user-rc',
  'no-x11-forwarding',
];

const FLAGS: Readonly<Record<string, (draft: Draft) => void>> = {
  'cert-authority': (draft) => (draft.certAuthority = true),
  'verify-required': (draft) => (draft.verifyRequired = true),
  'no-touch-required': (draft) => (draft.touchRequired = false),
  ...Object.fromEntries(ALREADY_SO.map((name) => [name, () => undefined])),
};

const VALUES: Readonly<Record<string, (draft: Draft, value: string) => void>> = {
  from: (draft, value) => {
    parseAddressList(value);
    draft.from = value;
  },
  'expiry-time': (draft, value) => (draft.expires = parseExpiry(value)),
};

/** Throws KeyRefused. An option that is not obeyed is refused, never skipped: it was written to restrict. */
export function parseAuthorizedKey(line: string): AuthorizedKey {
  const text = line.trim();
  if (text.length > LINE_MAX) throw new KeyRefused('the key line is too long');
  if (/[\r\n\0]/.test(text)) throw new KeyRefused('a key is one line');
  const draft: Draft = { from: null, expires: null, verifyRequired: false, touchRequired: true, certAuthority: false };
  let rest = text;
  if (!startsWithType(rest)) {
    const end = endOfOptions(rest);
    applyOptions(draft, rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  const { certAuthority, ...restrictions } = draft;
  return { ...parseKeyText(rest), certAuthority, restrictions };
}

function startsWithType(text: string): boolean {
  const word = text.split(/[ \t]/, 1)[0] ?? '';
  return isKeyType(word) || Object.hasOwn(CERTIFICATE_TYPES, word);
}

function parseKeyText(text: string): { key: PublicKey; comment: string } {
  const [, type, base64, comment] = /^(\S+)[ \t]+(\S+)(?:[ \t]+(.*))?$/.exec(text) ?? [];
  if (type === undefined || base64 === undefined) throw new KeyRefused('not a key line: "<type> <base64> <comment>"');
  if (Object.hasOwn(CERTIFICATE_TYPES, type))
    throw new KeyRefused('this is a certificate; add the key itself, or the authority that signed it');
  if (!isKeyType(type)) throw new KeyRefused('the key line names a type that is not supported');
  const blob = Buffer.from(base64, 'base64');
  // Buffer skips what is not base64; comparing finds it.
  if (blob.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, ''))
    throw new KeyRefused('the key line is not valid base64');
  const key = parsePublicKey(blob);
  if (key.type !== type) throw new KeyRefused('the key is of another type than its line says');
  return { key, comment: (comment ?? '').trim().slice(0, 200) };
}

/** Index of the first blank outside double quotes. */
function endOfOptions(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\' && text[at + 1] === '"') at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === ' ' || character === '\t')) return at;
  }
  throw new KeyRefused(quoted ? 'an option has an unclosed quote' : 'not a key line: "<type> <base64> <comment>"');
}

const OPTION = /([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(,|$)/y;

function applyOptions(draft: Draft, text: string): void {
  const seen = new Set<string>();
  OPTION.lastIndex = 0;
  for (let more = true; more;) {
    const [, rawName, value, separator] = OPTION.exec(text) ?? [];
    if (rawName === undefined) throw new KeyRefused('the options before the key are malformed');
    const name = rawName.toLowerCase();
    if (seen.has(name)) throw new KeyRefused(`the option ${name} stands there twice`);
    seen.add(name);
    applyOption(draft, name, value?.replaceAll('\\"', '"'));
    more = separator === ',';
  }
}

function applyOption(draft: Draft, name: string, value: string | undefined): void {
  const handler =
    value === undefined
      ? Object.hasOwn(FLAGS, name) && FLAGS[name]
      : Object.hasOwn(VALUES, name) && ((to: Draft) => VALUES[name]?.(to, value));
  if (handler === false || handler === undefined)
    throw new KeyRefused(
      `the option ${name.slice(0, 40)}${value === undefined ? '' : '="..."'} is not supported; supported are from="...", expiry-time="...", ` +
        'verify-required, no-touch-required, cert-authority, restrict and the no-... options for what is never offered',
    );
  handler(draft);
}

const EXPIRY = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?Z?$/;

/** YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]. Always UTC, so that a key does not live longer on a machine elsewhere. */
function parseExpiry(text: string): number {
  const fields = EXPIRY.exec(text)
    ?.slice(1)
    .map((field: string | undefined) => Number(field ?? '0'));
  if (fields === undefined) throw new KeyRefused('expiry-time must be YYYYMMDD or YYYYMMDDHHMM[SS], in UTC');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  const iso = new Date(time).toISOString().replace(/\D/g, '').slice(0, 14);
  if (iso !== fields.map((field, index) => String(field).padStart(index === 0 ? 4 : 2, '0')).join(''))
    throw new KeyRefused('expiry-time is not a date');
  return time;
}

/** The restrictions in the words of an authorized_keys line, for listings. */
export function restrictionOptions(restrictions: KeyRestrictions): string[] {
  const { from, expires, verifyRequired, touchRequired } = restrictions;
  return [
    ...(from === null ? [] : [`from="${from}"`]),
    ...(expires === null ? [] : [`expiry-time="${compact(expires)}"`]),
    ...(verifyRequired ? ['verify-required'] : []),
    ...(touchRequired ? [] : ['no-touch-required']),
  ];
}

function compact(time: number): string {
  return `${new Date(time).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
}
