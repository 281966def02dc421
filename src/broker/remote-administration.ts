/**
 * Administration over HTTPS: `admin.call`. Who calls is derived here from the broker's own record of the session, with
 * each call and once more inside the transaction that makes the change; what the front says names the session, the call
 * and its request, and nothing else. Behind it are the same dispatch and the same four eyes as behind the local socket.
 */
import type { Account } from '../accounts/account.ts';
import type { Administrator, Administrators } from '../accounts/administrators.ts';
import type { WebStore } from '../accounts/web/store.ts';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { ADMIN_CALLS, STEP_UP_CALLS } from './admin-calls.ts';
import type { AdminCallName, AdminCalls } from './admin-calls.ts';
import type { AdminActing, AdminCallers, AdminHandlers } from './administration-parts.ts';
import type { LiveSession, WebIdentity } from './connections.ts';
import { createDispatch } from './dispatch.ts';
import { isStrong } from './web-handlers.ts';

export interface RemoteAdministrationParts {
  readonly administrators: Administrators;
  readonly accounts: { account(id: string): Account | null };
  readonly web: Pick<WebStore, 'token' | 'session'>;
  readonly now: () => number;
  /** Whether administrators may be at this address. */
  readonly takenFrom: (address: string) => boolean;
  readonly log: Log;
}

export class RemoteAdministration {
  readonly administrators: Administrators;
  private readonly parts: RemoteAdministrationParts;
  private handlers: AdminHandlers | null = null;

  constructor(parts: RemoteAdministrationParts) {
    this.parts = parts;
    this.administrators = parts.administrators;
  }

  /** Fronts are there before administration is: until then its calls are refused. */
  open(handlers: AdminHandlers): void {
    this.handlers = handlers;
  }

  async call(session: LiveSession, call: string, request: unknown): Promise<unknown> {
    const { handlers } = this;
    if (handlers === null) throw new WaybillError('broker-unavailable', 'the server is starting');
    const web = identityOf(session);
    if (!this.parts.takenFrom(session.address))
      throw new WaybillError('permission-denied', 'administration is not taken from this address (--admin-from)');
    // Before anything is looked at: who is no administrator is told nothing, not even which calls there are.
    const account = web.administrator === undefined ? this.account(session) : null;
    this.requireShown(web, call);
    const caller = await this.callerOf(session, account);
    const dispatch = createDispatch<AdminCalls, AdminCallers>(ADMIN_CALLS, handlers, () => caller, this.parts.log);
    return dispatch(call, request);
  }

  private async callerOf(session: LiveSession, account: Account | null): Promise<AdminActing> {
    const known = this.standing(session);
    const within = (): void => {
      this.requireSame(session, caller.administrator);
    };
    const administrator =
      known ??
      (account === null
        ? null
        : await this.administrators.register(account, () => {
            this.account(session);
          }));
    if (administrator === null) throw over();
    const caller = { actor: administrator.name, approvedBy: '', administrator, within };
    return caller;
  }

  /** The administrator that the session acts as now; null for an account that is none by name yet. */
  private standing(session: LiveSession): Administrator | null {
    const web = identityOf(session);
    if (web.administrator === undefined) return this.administrators.byAccount(this.account(session));
    const { id, tokenHash } = web.administrator;
    const found = this.administrators.find(id);
    if (found === null || !found.tokenHash.equals(tokenHash)) throw over();
    return found;
  }

  private requireSame(session: LiveSession, administrator: Administrator | null): void {
    if (session.ended !== null || administrator === null) throw over();
    if (this.standing(session)?.id !== administrator.id) throw over();
  }

  /** Throws unless it is an active account of the operator's administrators, and what signed it in still stands. */
  private account({ account: id, ended, proofs, web }: LiveSession): Account {
    const { accounts, web: store } = this.parts;
    const account = accounts.account(id);
    if (ended !== null || account?.status !== 'active' || web === undefined) throw over();
    const { webSession } = web;
    const stands =
      webSession === null ? proofs.every((proof) => store.token(proof) !== null) : store.session(webSession) !== null;
    if (!stands) throw over();
    if (this.administrators.accountOf(account.login)?.id !== id)
      throw new WaybillError(
        'permission-denied',
        "this is for administrators of the operator's tenant; those of other tenants have no calls of it",
      );
    return account;
  }

  private requireShown({ webSession, strong, factors }: WebIdentity, call: string): void {
    if (webSession === null || !needsStepUp(call)) return;
    if (!isStrong({ strong }, this.parts.now()))
      throw new WaybillError('step-up-needed', 'show a passkey or a code again, then try again');
    // It is for getting in once more and enrolling again.
    if (factors.includes('recovery'))
      throw new WaybillError('permission-denied', 'a session that a recovery code began does not do this');
  }
}

/** Whatever may weaken a control, and whatever changes how somebody signs in. */
function needsStepUp(call: string): boolean {
  if (!Object.hasOwn(ADMIN_CALLS, call)) return false;
  const name = call as AdminCallName;
  const row: { readonly eyes: 'one' | 'two' } = ADMIN_CALLS[name];
  return row.eyes === 'two' || STEP_UP_CALLS.has(name);
}

function identityOf({ web, connection }: LiveSession): WebIdentity {
  if (web === undefined || connection.profile !== 'https')
    throw new WaybillError('call-forbidden', 'administration is over HTTPS or on the machine itself');
  if (!web.scopes.includes('admin')) throw new WaybillError('scope-missing', 'this needs the scope admin');
  return web;
}

function over(): WaybillError {
  return new WaybillError('session-ended', 'the session was ended');
}
