/** What the handlers of administrator calls work with; startup/ fills it once. */
import type { Accounts } from '../accounts/accounts.ts';
import type { OwnAuthority } from '../accounts/authority-own.ts';
import type { Administrator, Administrators } from '../accounts/administrators.ts';
import type { KeyLife } from '../accounts/key-life.ts';
import type { Acting } from '../base/acting.ts';
import type { Events } from '../events/events.ts';
import type { CheckStep } from '../files/check.ts';
import type { Folders } from '../files/folders.ts';
import type { Tenants } from '../files/tenants.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { OpenLedger } from '../ledger/open-ledger.ts';
import type { LedgerFiles } from '../ledger/verify/ledger-files.ts';
import type { Approvals } from '../policy/approvals.ts';
import type { Acquaintances } from '../policy/budgets/acquaintances.ts';
import type { Budgets } from '../policy/budgets/budgets.ts';
import type { Grants } from '../policy/grants.ts';
import type { KeyActs } from '../keys/key-acts.ts';
import type { Keys } from '../keys/keys.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import type { AdminCalls, AdminResponse } from './admin-calls.ts';
import type { Caller } from './calls.ts';
import type { Connections } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { SingleSignOn } from '../sso/single-sign-on.ts';
import type { WebRooms } from './web-rooms.ts';

/**
 * Who calls: an administrator, by his token, or whoever could open the socket: the operator on the machine itself, who is
 * then nobody by name. Everything behind sees only the Acting of it.
 */
export interface AdminActing extends Acting {
  readonly administrator: Administrator | null;
}
export type AdminCallers = Readonly<Record<Caller, AdminActing>>;
export type AdminHandlers = Handlers<AdminCalls, AdminCallers>;

export interface AdministrationParts {
  readonly tenants: Tenants;
  readonly folders: Folders;
  readonly accounts: Accounts;
  readonly grants: Grants;
  readonly administrators: Administrators;
  readonly approvals: Approvals;
  readonly budgets: Budgets;
  readonly acquaintances: Acquaintances;
  readonly ledger: Ledger;
  readonly events: Events;
  readonly ledgerKey: Pick<OpenLedger, 'vkey' | 'waiting' | 'witnesses' | 'signPack'>;
  readonly ledgerFiles: LedgerFiles;
  readonly connections: Pick<Connections, 'list' | 'end'>;
  readonly keys: Pick<Keys, 'stateOf'>;
  readonly keyActs: KeyActs;
  readonly hostKeys: readonly PublicKey[];
  /** Of our own; `hostLine` is null where the host keys have none. */
  readonly certificates: { readonly authority: OwnAuthority; readonly hostLine: () => string | null };
  readonly keyLife: KeyLife;
  readonly web: Pick<WebRooms, 'parts' | 'origins' | 'tokens' | 'enrolments'>;
  readonly sso: SingleSignOn;
  /** Quota of tenants that are added without one. */
  readonly defaultQuota: number | null;
  /** One write of the metadata store. */
  readonly write: (action: () => void) => Promise<void>;
  /** Bytes used by a tenant, by id. */
  readonly usage: (tenant: string) => { readonly limit: number | null; readonly used: number };
  readonly status: () => AdminResponse<'server.status'>;
  /** checkNext of files/check.ts. */
  readonly check: (after: string) => Promise<CheckStep>;
}

export function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
