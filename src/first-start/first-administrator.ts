/**
 * The operator's first administrator: an account that nobody can sign in to before he has enrolled, with the secret in
 * first/enrol. It is good for a day; while nobody has used it and the file is there, a later start writes a new one.
 */
import { readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Account } from '../accounts/account.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { Enrolments } from '../accounts/web/enrolments.ts';
import type { WebStore } from '../accounts/web/store.ts';
import { LOCAL_OPERATOR } from '../base/acting.ts';
import { writeDurableFile } from '../base/durable-file.ts';

export const FIRST_ADMINISTRATOR = 'administrator';

export interface FirstAdministratorParts {
  readonly dataFolder: string;
  readonly accounts: Accounts;
  readonly web: { readonly parts: { readonly store: WebStore }; readonly enrolments: Enrolments };
}

/** `tenant`: the operator's. */
export async function ensureFirstAdministrator(accounts: Accounts, tenant: string): Promise<void> {
  if (accounts.list(tenant).some(({ login }) => login === FIRST_ADMINISTRATOR)) return;
  const names = { login: FIRST_ADMINISTRATOR, displayName: 'First administrator' };
  await accounts.create({ tenant, ...names, administrator: true });
}

/** The secret, while it is of use; null once it was used, or its file was taken away. */
export async function firstEnrolment(parts: FirstAdministratorParts, tenant: string): Promise<string | null> {
  const file = path.join(parts.dataFolder, 'first', 'enrol');
  const account = parts.accounts.list(tenant).find(({ login }) => login === FIRST_ADMINISTRATOR);
  const written = await textOf(file);
  if (account === undefined || isEnrolled(parts, account)) {
    if (written !== null) await unlink(file);
    return null;
  }
  const { enrolments, parts: web } = parts.web;
  if (written === null && web.store.hasEnrolment(account.id)) return null;
  if (written !== null && enrolments.find(written)?.account.id === account.id) return written;
  const { secret } = await enrolments.issue(account, LOCAL_OPERATOR);
  await writeDurableFile(file, `${secret}\n`);
  return secret;
}

function isEnrolled({ accounts, web }: FirstAdministratorParts, { id, login }: Account): boolean {
  return web.parts.store.passkeys(id).length > 0 || accounts.credentials(login).length > 0;
}

async function textOf(file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return null;
  }
}
