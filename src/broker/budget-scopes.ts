/** Scopes of budgets as administrators write them: names in place of ids. */
import { WaybillError } from '../base/errors.ts';
import type { Scope } from '../policy/budgets/scopes.ts';
import type { AdministrationParts } from './administration-parts.ts';

type Parts = Pick<AdministrationParts, 'accounts' | 'tenants'>;

const FORMS = 'installation, tenant/NAME, account/LOGIN, credential/LOGIN/FINGERPRINT, unconfirmed/LOGIN';

export interface NamedScope {
  readonly scope: Scope;
  /** Whose log a change of it is recorded in; null is the operator's. */
  readonly tenant: string | null;
}

/** Throws `option-invalid` or `not-found`. */
export function scopeNamed({ accounts, tenants }: Parts, text: string): NamedScope {
  const [kind, name = '', ...rest] = text.split('/');
  const more = rest.join('/');
  const alone = name !== '' && rest.length === 0;
  if (text === 'installation') return { scope: { kind: text, id: '' }, tenant: null };
  if (kind === 'tenant' && alone) {
    const { id } = tenants.byName(name);
    return { scope: { kind, id }, tenant: id };
  }
  if ((kind === 'account' || kind === 'unconfirmed') && alone) {
    const { id, tenant } = accounts.get(name);
    return { scope: { kind, id }, tenant };
  }
  if (kind === 'credential' && name !== '' && more !== '') {
    const { id, tenant } = accounts.get(name);
    return { scope: { kind, id: `${id}/${credentialOf({ accounts }, name, more)}` }, tenant };
  }
  throw new WaybillError('option-invalid', `SCOPE is ${JSON.stringify(text)}; allowed: ${FORMS}`);
}

/** By id or fingerprint. */
export function credentialOf({ accounts }: Pick<Parts, 'accounts'>, login: string, named: string): string {
  const found = accounts
    .credentials(login)
    .find((one) => one.id === named || (one.kind === 'key' && one.fingerprint === named));
  const authority = accounts.authorities(null).find((one) => one.id === named || one.fingerprint === named);
  const id = found?.id ?? authority?.id;
  if (id === undefined) throw new WaybillError('not-found', `${login} has no credential ${named}`);
  return id;
}

/** What is gone since keeps its id. */
export function scopeText({ accounts, tenants }: Parts, { kind, id }: Scope): string {
  if (kind === 'installation') return kind;
  if (kind === 'tenant') return `${kind}/${tenants.list().find((tenant) => tenant.id === id)?.name ?? id}`;
  const [account = '', ...rest] = id.split('/');
  const login = accounts.list(null).find((one) => one.id === account)?.login ?? account;
  return [kind, login, ...rest].join('/');
}
