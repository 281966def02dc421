import type { AdminCaller, KeyRow } from '../broker/admin-calls.ts';
import { WaybillError } from '../base/errors.ts';
import type { Context } from './command.ts';
import { parseDuration } from './durations.ts';

const LINES_MAX = 1000;

/** The key lines of a .pub or authorized_keys file: comments and empty lines are not keys. */
export function keyLines(text: string): string[] {
  if (text.includes('PRIVATE KEY-----')) {
    throw new WaybillError('option-invalid', 'this is a private key; give the public one (the file ending in .pub)');
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0) throw new WaybillError('option-invalid', 'there is no key in what was given');
  if (lines.length > LINES_MAX) throw new WaybillError('option-invalid', `more than ${LINES_MAX} keys in one file`);
  return lines;
}

export type KeyOwner = { readonly login: string } | { readonly authorityOf: string };

export async function addKeyLines(server: AdminCaller, owner: KeyOwner, text: string): Promise<KeyRow[]> {
  const rows: KeyRow[] = [];
  for (const line of keyLines(text)) {
    rows.push(
      'login' in owner
        ? await server.call('key.add', { login: owner.login, line })
        : await server.call('key.add-authority', { tenant: owner.authorityOf, line }),
    );
  }
  return rows;
}

/** A key line holds a blank; a file name that does is told apart by not starting like a key line. */
function looksLikeLine(text: string): boolean {
  return /(^|[\s"])(ssh-|ecdsa-|sk-|rsa-sha2-)\S* +AAAA/.test(text);
}

/** A file, a line in quotes, or - for standard input. */
export async function keyText(given: string, context: Pick<Context, 'readTextFile'>): Promise<string> {
  if (looksLikeLine(given)) return given;
  return await context.readTextFile(given);
}

export interface KeyLimits {
  /** "90d", "2027-01-31". */
  readonly expires: string | null;
  readonly address: string | null;
}

/** The same lines with the options that `limits` stand for; the server refuses one that a line has already. */
export function restricted(text: string, { expires, address }: KeyLimits, now: number): string {
  if (address?.includes('"') === true) throw new WaybillError('option-invalid', '--address holds a quote');
  const options = [
    ...(address === null ? [] : [`from="${address}"`]),
    ...(expires === null ? [] : [`expiry-time="${expiry(expires, now)}"`]),
  ].join(',');
  if (options === '') return text;
  const plain = /^(ssh-|ecdsa-|sk-)\S* /;
  return keyLines(text)
    .map((line) => `${options}${plain.test(line) ? ' ' : ','}${line}`)
    .join('\n');
}

function expiry(text: string, now: number): string {
  const day = /^\d{4}-\d\d-\d\d$/.test(text);
  const time = day ? Date.parse(`${text}T00:00:00Z`) : now + parseDuration('--expires', text) * 1000;
  if (!(time > now)) throw new WaybillError('option-invalid', `--expires ${text} is no day to come`);
  return `${new Date(time).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
}
