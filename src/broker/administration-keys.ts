import type { Account, Authority, KeyCredential, Revocation } from '../accounts/account.ts';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { restrictionOptions } from '../sshkeys/authorized-keys.ts';
import { fingerprint, publicKeyLine } from '../sshkeys/public-key.ts';
import { isFingerprint, readKeyLine } from '../accounts/key-lines.ts';
import type { AdminRequest, KeyRow, RevocationRow } from './admin-calls.ts';
import type { CertificateCall } from './administration-certificates.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

type KeyCalls = Pick<AdminHandlers, Exclude<Extract<keyof AdminHandlers, `key.${string}`>, CertificateCall>>;
type Revoked = AdminRequest<'key.revoke'>['what'];

export interface OwnedKey {
  readonly account: Account;
  readonly key: KeyCredential;
}

export function keyHandlers(parts: AdministrationParts): KeyCalls {
  const { accounts, tenants, connections, hostKeys } = parts;
  return {
    'key.add': async ({ login, line }, by) => {
      const key = await accounts.addKey(login, line, by);
      return keyRow(parts, { account: accounts.get(login), key });
    },
    'key.add-authority': async ({ tenant, line }, by) =>
      authorityRow(parts, await accounts.addCertificateAuthority(tenants.byName(tenant).id, line, by)),
    'key.list': ({ login, tenant }) => {
      const owner = tenant === null ? null : tenants.byName(tenant).id;
      const asked = login === null ? accounts.list(owner) : [accounts.get(login)];
      const own = asked.filter((account) => owner === null || account.tenant === owner);
      const keys = own.flatMap((account) => keysOf(parts, account)).map((key) => keyRow(parts, key));
      const authorities = login === null ? accounts.authorities(owner) : [];
      return { keys: [...keys, ...authorities.map((authority) => authorityRow(parts, authority))] };
    },
    'key.remove': async ({ key }, by) => {
      const id = await removeKey(parts, key, by);
      connections.end(({ proofs }) => proofs.includes(id), 'the key of this session was removed');
      return {};
    },
    'key.revoke': async ({ what }, by) => {
      const revoked = await revoke(parts, what, by);
      // By a key id all sessions of the authority end, good ones come back: the text is the authority's own.
      const print = revoked.kind === 'fingerprint' ? revoked.value : revoked.authority;
      const serial = revoked.kind === 'serial' ? ` serial ${revoked.value} ` : '';
      const ended = connections.end(
        ({ credential }) => credential.includes(print) && credential.includes(serial),
        'the key of this session was revoked',
      );
      return { revoked: revocationRow(revoked), ended };
    },
    'key.revoked': () => ({ revoked: accounts.revocations().map(revocationRow) }),
    'key.host': () => ({
      keys: hostKeys.map((key) => ({
        algorithm: key.type,
        fingerprint: fingerprint(key.blob),
        line: publicKeyLine(key),
      })),
    }),
  };
}

async function revoke({ accounts }: AdministrationParts, what: Revoked, by: Acting): Promise<Revocation> {
  if (what.kind === 'key') {
    return { kind: 'fingerprint', authority: '', value: await accounts.revoke(what.key, by), created: Date.now() };
  }
  const { kind, authority } = what;
  const print = isFingerprint(authority) ? authority : fingerprint(readKeyLine(authority).key.blob);
  return await accounts.revokeCertificates(kind, print, kind === 'serial' ? what.serial : what.keyId, by);
}

function revocationRow({ kind, authority, value, created }: Revocation): RevocationRow {
  return {
    kind: kind === 'fingerprint' ? 'key' : kind,
    authority: authority === '' ? null : authority,
    value,
    revoked: moment(created),
  };
}

/** By id or fingerprint, of an account or an authority; answers the id. */
async function removeKey(parts: AdministrationParts, named: string, by: Acting): Promise<string> {
  const { accounts } = parts;
  const fits = (one: { readonly id: string; readonly fingerprint: string }): boolean =>
    one.id === named || one.fingerprint === named;
  const keys = accounts
    .list(null)
    .flatMap((account) => keysOf(parts, account))
    .filter(({ key }) => fits(key));
  const authorities = accounts.authorities(null).filter(fits);
  if (keys.length + authorities.length > 1) throw ambiguous(keys);
  const [key] = keys;
  if (key !== undefined) return (await accounts.removeCredential(key.key.id, by)).id;
  const [authority] = authorities;
  if (authority === undefined) throw new WaybillError('not-found', 'no key has this fingerprint or id');
  return (await accounts.removeCertificateAuthority(authority.id, by)).id;
}

/** By id or fingerprint. Throws when no account has it, or more than one. */
export function findKey(parts: AdministrationParts, named: string): OwnedKey {
  const keys = parts.accounts
    .list(null)
    .flatMap((account) => keysOf(parts, account))
    .filter(({ key }) => key.id === named || key.fingerprint === named);
  const [only, ...more] = keys;
  if (only === undefined) throw new WaybillError('not-found', 'no account has a key with this fingerprint or id');
  if (more.length > 0) throw ambiguous(keys);
  return only;
}

function ambiguous(keys: readonly OwnedKey[]): WaybillError {
  const owners = keys.map(({ account }) => account.login).join(', ');
  const how = 'name it by id: waybill key list --json';
  return new WaybillError('option-invalid', `more than one has this key (${owners}); ${how}`);
}

function keysOf({ accounts }: AdministrationParts, account: Account): OwnedKey[] {
  return accounts
    .credentials(account.login)
    .filter((credential) => credential.kind === 'key')
    .map((key) => ({ account, key }));
}

export function keyRow({ tenants, keyLife }: AdministrationParts, { account, key }: OwnedKey): KeyRow {
  const since = keyLife.suspendedSince(key.id);
  return {
    id: key.id,
    login: account.login,
    tenant: tenants.get(account.tenant).name,
    kind: 'key',
    algorithm: key.algorithm,
    fingerprint: key.fingerprint,
    comment: key.label,
    options: restrictionOptions(key.restrictions),
    added: moment(key.created),
    lastUsed: key.lastUsed === null ? null : moment(key.lastUsed),
    suspended: since === null ? null : moment(since),
  };
}

function authorityRow({ tenants }: AdministrationParts, authority: Authority): KeyRow {
  const { id, tenant, algorithm, label, created, lastUsed } = authority;
  return {
    id,
    login: null,
    tenant: tenants.get(tenant).name,
    kind: 'certificate-authority',
    algorithm,
    fingerprint: authority.fingerprint,
    comment: label,
    options: [],
    added: moment(created),
    lastUsed: lastUsed === null ? null : moment(lastUsed),
    suspended: null,
  };
}
