/**
 * What a new data folder gets, so that somebody can transfer a file one minute after unpacking: the operator's tenant, a
 * first tenant with a folder, an account with rights on it, and a private key for the account in first/. Each step looks
 * first whether it is done, and meta/first-start.json is written last: a start that was killed midway is completed by
 * the next, and a tenant that the operator has removed later does not come back.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Accounts } from '../accounts/accounts.ts';
import { writeDurableFile } from '../base/durable-file.ts';
import { WaybillError } from '../base/errors.ts';
import type { Folders } from '../files/folders.ts';
import type { Folder, Tenant } from '../files/store.ts';
import type { Tenants } from '../files/tenants.ts';
import { ensureFirstAdministrator } from './first-administrator.ts';
import type { Grants } from '../policy/grants.ts';
import type { Right } from '../policy/rights.ts';
import { formatPrivateKey, parsePrivateKey } from '../sshkeys/private-key.ts';
import { fingerprint, publicKeyLine } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import { KeyRefused } from '../sshkeys/refusal.ts';

export interface FirstAccountParts {
  readonly dataFolder: string;
  readonly tenants: Tenants;
  readonly folders: Folders;
  readonly accounts: Accounts;
  readonly grants: Grants;
  readonly defaultQuota: number | null;
}

const stored = z.object({ tenant: z.string(), login: z.string(), folder: z.string() });

/** `key`: file of the private key. `folder`: its path over SFTP. */
export type FirstAccount = z.infer<typeof stored> & { readonly key: string };

export interface FirstStart {
  /** Null when the key file has been taken away: then there is nobody that could try it. */
  readonly first: FirstAccount | null;
  readonly created: boolean;
}

export const OPERATOR_TENANT = 'operator';
const NAMES = { tenant: 'first', login: 'first', folder: 'exchange' } as const;
const RIGHTS: readonly Right[] = ['list', 'read', 'write', 'delete', 'rename'];

export async function completeFirstStart(parts: FirstAccountParts): Promise<FirstStart> {
  const key = path.join(parts.dataFolder, 'first', 'id_ed25519');
  const marker = path.join(parts.dataFolder, 'meta', 'first-start.json');
  const done = await readMarker(marker);
  if (done !== null) return { first: (await readOptional(key)) === null ? null : { ...done, key }, created: false };
  await mkdir(path.dirname(key), { recursive: true, mode: 0o700 });
  await mkdir(path.dirname(marker), { recursive: true, mode: 0o700 });
  const publicKey = await ensureKey(key);
  const operator =
    findTenant(parts, OPERATOR_TENANT) ??
    (await parts.tenants.create({ name: OPERATOR_TENANT, displayName: 'Operator', quota: null }));
  await ensureFirstAdministrator(parts.accounts, operator.id);
  const tenant = findTenant(parts, NAMES.tenant) ?? (await createTenant(parts));
  await ensureAccount(parts, tenant, publicKey);
  const exchange = findFolder(parts, tenant) ?? (await parts.folders.create(tenant.id, NAMES.folder));
  const account = parts.accounts.get(NAMES.login);
  await parts.grants.grant({ account, folder: exchange, rights: RIGHTS });
  const first = { tenant: NAMES.tenant, login: NAMES.login, folder: `/${NAMES.folder}` };
  await writeDurableFile(marker, `${JSON.stringify(first)}\n`);
  return { first: { ...first, key }, created: true };
}

async function ensureKey(file: string): Promise<PublicKey> {
  const text = await readOptional(file);
  if (text !== null) return parseOwnKey(file, text);
  const made = formatPrivateKey(generateKeyPairSync('ed25519').privateKey, NAMES.login);
  const publicKey = parsePrivateKey(made).public;
  await writeDurableFile(`${file}.pub`, `${publicKeyLine(publicKey, NAMES.login)}\n`, 0o644);
  await writeDurableFile(file, made);
  return publicKey;
}

function parseOwnKey(file: string, text: string): PublicKey {
  try {
    return parsePrivateKey(text).public;
  } catch (cause) {
    if (!(cause instanceof KeyRefused)) throw cause;
    const message = `the first start was not completed and cannot be, because ${file} is no key any more; remove it`;
    throw new WaybillError('data-folder-invalid', message, { cause });
  }
}

function createTenant({ tenants, defaultQuota }: FirstAccountParts): Promise<Tenant> {
  return tenants.create({ name: NAMES.tenant, displayName: 'First tenant', quota: defaultQuota });
}

function findTenant({ tenants }: FirstAccountParts, name: string): Tenant | null {
  return tenants.list().find((tenant) => tenant.name === name) ?? null;
}

function findFolder({ folders }: FirstAccountParts, tenant: Tenant): Folder | null {
  return folders.list(tenant.id).find((folder) => folder.name === NAMES.folder) ?? null;
}

async function ensureAccount({ accounts }: FirstAccountParts, tenant: Tenant, key: PublicKey): Promise<void> {
  const { login } = NAMES;
  if (!accounts.list(tenant.id).some((account) => account.login === login)) {
    // Nobody's own: who tries the server has the key alone.
    const names = { login, displayName: 'First account' };
    await accounts.create({ tenant: tenant.id, ...names, administrator: false, kind: 'service' });
  }
  const print = fingerprint(key.blob);
  const has = accounts.credentials(login).some((one) => one.kind === 'key' && one.fingerprint === print);
  if (!has) await accounts.addKey(login, publicKeyLine(key, login));
}

async function readMarker(file: string): Promise<z.infer<typeof stored> | null> {
  const text = await readOptional(file);
  if (text === null) return null;
  try {
    return stored.parse(JSON.parse(text));
  } catch (cause) {
    const message = `${file} was altered; put it back from a backup`;
    throw new WaybillError('data-folder-invalid', message, { cause });
  }
}

async function readOptional(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new WaybillError('data-folder-invalid', `${file} cannot be read`, { cause: error });
  }
}
