/** What the rooms of sign-in over HTTPS are built of. */
import type { Acting } from '../../base/acting.ts';
import type { Clock } from '../../base/clock.ts';
import { changed } from '../../ledger/changed.ts';
import type { Json } from '../../ledger/core/fields.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Account } from '../account.ts';
import type { AccountStore } from '../store.ts';
import type { SsoStanding } from './sso.ts';
import type { WebStore } from './store.ts';

export interface WebParts {
  readonly store: WebStore;
  readonly accounts: Pick<AccountStore, 'account' | 'accountByLogin' | 'credential'>;
  /** Null where no record is wanted (tests). */
  readonly ledger: Ledger | null;
  readonly clock: Clock;
  /** Left out where there is no single sign-on. */
  readonly sso?: SsoStanding;
}

/** One administrative change with its entry, in one transaction. */
export function change<T>(
  { store, ledger }: Pick<WebParts, 'store' | 'ledger'>,
  { id, tenant }: Pick<Account, 'id' | 'tenant'>,
  by: Acting,
  action: string,
  about: { readonly credential?: string; readonly detail?: Readonly<Record<string, Json>> },
  apply: () => T,
): Promise<T> {
  return store.write(() => {
    by.within?.();
    const answer = apply();
    const { actor, approvedBy } = by;
    ledger?.append(tenant, changed(action, { actor, approvedBy, account: id, ...about }));
    return answer;
  });
}

/** What somebody does to his own account: he acts by his login. */
export function oneself({ login }: Pick<Account, 'login'>): Acting {
  return { actor: login, approvedBy: '' };
}
