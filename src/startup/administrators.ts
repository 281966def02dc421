/** Opens what administrators act through over HTTPS: who they are, tokens and accounts of the operator's tenant alike. */
import { Administrators, sameName } from '../accounts/administrators.ts';
import type { OperatorAccounts } from '../accounts/administrators.ts';
import type { AccountStore } from '../accounts/store.ts';
import type { WebStore } from '../accounts/web/store.ts';
import { Networks } from '../base/addresses.ts';
import type { Network } from '../base/addresses.ts';
import type { Log } from '../base/log.ts';
import { RemoteAdministration } from '../broker/remote-administration.ts';
import type { Tenants } from '../files/tenants.ts';
import { OPERATOR_TENANT } from '../first-start/first-account.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { SqliteAdministrators } from '../store/sqlite/administrators.ts';
import type { Database } from '../store/sqlite/database.ts';

export interface RemoteAdministrationRooms {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly accountStore: AccountStore;
  readonly tenants: Pick<Tenants, 'list'>;
  readonly web: { readonly parts: { readonly store: WebStore } };
  readonly log: Log;
  /** Where administrators may be; null stands for "none", and an empty list for everywhere. */
  readonly from?: readonly (Network | null)[];
}

export function openRemoteAdministration(rooms: RemoteAdministrationRooms): RemoteAdministration {
  const { database, ledger, accountStore, tenants, web, log, from = [] } = rooms;
  const accounts = operatorAccounts(accountStore, tenants);
  const administrators = new Administrators(new SqliteAdministrators(database), ledger, Date.now, accounts);
  const networks = new Networks(from.filter((network) => network !== null));
  return new RemoteAdministration({
    ...{ administrators, accounts: accountStore, web: web.parts.store, now: Date.now, log },
    takenFrom: (address) => from.length === 0 || networks.contains(address),
  });
}

export function operatorAccounts(store: AccountStore, tenants: Pick<Tenants, 'list'>): OperatorAccounts {
  return {
    byLogin: (login) => {
      const operator = tenants.list().find(({ name }) => name === OPERATOR_TENANT);
      if (operator === undefined) return null;
      const named = store.accounts(operator.id).find((one) => sameName(one.login, login));
      return named?.administrator === true ? named : null;
    },
    demote: ({ id }) => {
      store.setAdministrator(id, false);
    },
  };
}
