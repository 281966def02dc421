/** Who a budget is for. One release or listing counts in every scope of its session. */
export const SCOPE_KINDS = ['unconfirmed', 'credential', 'account', 'tenant', 'installation'] as const;
export type ScopeKind = (typeof SCOPE_KINDS)[number];

/**
 * `unconfirmed` is one for each account: what all its sessions use that came with an address, credential or client
 * software that nobody has confirmed. A credential is one of an account: an authority signs for many.
 */
export interface Scope {
  readonly kind: ScopeKind;
  /** Id of the account, the tenant, "account/credential"; empty for the installation. */
  readonly id: string;
}

/** How scopes are named in rows and ledger entries. */
export function keyOf({ kind, id }: Scope): string {
  return kind === 'installation' ? kind : `${kind}/${id}`;
}

export function scopeOf(key: string): Scope | null {
  const [head = '', ...rest] = key.split('/');
  const kind = SCOPE_KINDS.find((one) => one === head);
  const id = rest.join('/');
  return kind === undefined || (kind === 'installation') !== (id === '') ? null : { kind, id };
}

/** Who asks; the broker makes it from its own table of sessions. */
export interface Who {
  readonly session: string;
  readonly account: string;
  readonly tenant: string;
  /** Ids of what proved the sign-in. */
  readonly credentials: readonly string[];
  /** The address, credentials and client of the session, as acquaintances.ts names them. */
  readonly marks: readonly string[];
}

/** The narrowest first: it is the one to hold by, and to be asked about. */
export function scopesOf(who: Who, unconfirmed: boolean): Scope[] {
  const { account, tenant, credentials } = who;
  return [
    ...(unconfirmed ? [{ kind: 'unconfirmed', id: account } as const] : []),
    ...credentials.map((credential) => ({ kind: 'credential', id: `${account}/${credential}` }) as const),
    { kind: 'account', id: account },
    { kind: 'tenant', id: tenant },
    { kind: 'installation', id: '' },
  ];
}
