import type { AdminCaller, KeyRow } from '../broker/admin-calls.ts';
import { WaybillError } from '../base/errors.ts';

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
