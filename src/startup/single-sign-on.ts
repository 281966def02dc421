/** Opens single sign-on: providers as they are kept, and the processes that speak with them. */
import { SYSTEM_CLOCK } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { IdentityProcesses } from '../broker/identity-process.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { Providers } from '../sso/providers.ts';
import { SingleSignOn } from '../sso/single-sign-on.ts';
import type { SqliteAccounts } from '../store/sqlite/accounts.ts';
import type { Database } from '../store/sqlite/database.ts';
import { SqliteSso } from '../store/sqlite/sso.ts';
import type { Undo } from './undo.ts';

export interface SingleSignOnStart {
  readonly database: Database;
  readonly accountStore: SqliteAccounts;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly log: Log;
  /** --outbound-allow. */
  readonly allow: readonly string[];
}

export function openSingleSignOn(start: SingleSignOnStart, undo: Undo[]): SingleSignOn {
  const { database, accountStore, sealer, ledger, log, allow } = start;
  const processes = new IdentityProcesses(log, allow);
  undo.push(() => {
    processes.stop();
  });
  const store = new SqliteSso(database);
  const providers = new Providers({ store, sealer, ledger, clock: SYSTEM_CLOCK, allow });
  const sso = new SingleSignOn({
    ...{ providers, ledger, clock: SYSTEM_CLOCK, log, allow },
    identity: (provider) => processes.of(provider),
    account: (id) => accountStore.account(id),
  });
  providers.onChanged = (id) => {
    processes.forget(id);
    sso.forget(id);
  };
  return sso;
}
