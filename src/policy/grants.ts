/**
 * Which account may do what in which folder. A grant mounts its folder under one name in the account's view. Grants of
 * an account are kept in memory once read; every change goes through here, and takes effect with the next call.
 */
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { checkName, composed } from '../base/names.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FlowStore } from './flow-store.ts';
import { checkPolicy, flow, isWider } from './flow.ts';
import type { FlowPolicy } from './flow.ts';
import { LegalHolds } from './legal-holds.ts';
import { Pickups } from './pickups.ts';
import { fromBits, has, toBits } from './rights.ts';
import type { Right, RightBits } from './rights.ts';

export interface Grant {
  readonly account: string;
  readonly folder: string;
  readonly tenant: string;
  /** The folder's name in the account's "/". */
  readonly mount: string;
  readonly rights: RightBits;
  /** Null asks nothing beside the rights. */
  readonly policy: FlowPolicy | null;
}

/** Promise of the store: changes join the transaction under way. */
export interface GrantStore {
  write<T>(action: () => T): Promise<T>;
  put(grant: Grant): void;
  remove(account: string, folder: string): boolean;
  removeFolder(folder: string): void;
  removeAccount(account: string): void;
  ofAccount(account: string): Grant[];
  ofFolder(folder: string): Grant[];
  /** Pick-ups of a grant go with it. */
  readonly flow: FlowStore;
}

/** Who uses a grant, from where: the broker's own knowledge. */
export interface User {
  readonly account: string;
  readonly address: string;
}

interface Owned {
  readonly id: string;
  readonly tenant: string;
}

export interface GrantRequest {
  readonly account: Owned;
  readonly folder: Owned & { readonly name: string };
  readonly rights: readonly Right[];
  readonly policy?: FlowPolicy | null;
  /** The folder's own name when left out. */
  readonly mount?: string;
}

/** What an account sees: by mount, and by folder. */
interface View {
  readonly mounts: ReadonlyMap<string, Grant>;
  readonly folders: ReadonlyMap<string, Grant>;
}

export class Grants {
  readonly pickups: Pickups;
  readonly legalHolds: LegalHolds;
  private readonly store: GrantStore;
  private readonly ledger: Ledger;
  private readonly now: () => number;
  private readonly views = new Map<string, View>();

  constructor(store: GrantStore, ledger: Ledger, now: () => number = Date.now) {
    this.store = store;
    this.ledger = ledger;
    this.now = now;
    this.pickups = new Pickups(store.flow, now);
    this.legalHolds = new LegalHolds(store.flow, ledger, (action) => store.write(action), now);
  }

  /** Gives, or replaces, the rights of the account on the folder. */
  async grant(request: GrantRequest, by: Acting = LOCAL_OPERATOR): Promise<Grant> {
    const { account, folder } = request;
    if (account.tenant !== folder.tenant)
      throw new WaybillError('permission-denied', 'the account and the folder belong to different tenants');
    if (request.rights.length === 0) throw new WaybillError('request-invalid', 'a grant needs at least one right');
    const mount = request.mount ?? folder.name;
    checkName(mount);
    const policy = request.policy == null ? null : checkPolicy(request.policy);
    const grant: Grant = {
      account: account.id,
      folder: folder.id,
      tenant: folder.tenant,
      mount,
      rights: toBits(request.rights),
      policy,
    };
    await this.store.write(() => {
      by.within?.();
      this.refuseTakenMount(grant);
      this.store.put(grant);
      this.views.delete(account.id);
      this.record('grant.add', grant, by);
    });
    this.views.delete(account.id);
    return grant;
  }

  async revoke(account: string, folder: string, by: Acting = LOCAL_OPERATOR): Promise<void> {
    await this.store.write(() => {
      by.within?.();
      const grant = this.store.ofAccount(account).find((one) => one.folder === folder);
      if (grant === undefined) throw new WaybillError('not-found', 'the account has no grant on this folder');
      this.store.remove(account, folder);
      this.views.delete(account);
      this.record('grant.remove', grant, by);
    });
    this.views.delete(account);
  }

  ofAccount(account: string): Grant[] {
    return [...this.view(account).mounts.values()];
  }

  ofFolder(folder: string): Grant[] {
    return this.store.ofFolder(folder);
  }

  mounted(account: string, mount: string): Grant | undefined {
    return this.view(account).mounts.get(mount);
  }

  /** The rights that the account has on the folder now; 0 when it has none. */
  rights(account: string, folder: string): RightBits {
    return this.view(account).folders.get(folder)?.rights ?? 0;
  }

  /** As it is now. */
  find(account: string, folder: string): Grant | undefined {
    return this.view(account).folders.get(folder);
  }

  /** Throws `permission-denied` that names the right. */
  require(account: string, folder: string, right: Right): void {
    if (!has(this.rights(account, folder), right))
      throw new WaybillError('permission-denied', `the account has no right "${right}" here`);
  }

  /** The same, and `flow-refused` when the grant does not hold from there or at this time. */
  requireFrom(who: User, folder: string, right: Right): Grant {
    this.require(who.account, folder, right);
    const grant = this.find(who.account, folder);
    // What has rights is there.
    if (grant === undefined) throw new WaybillError('permission-denied', 'the account has no grant here');
    this.admit(grant, who);
    return grant;
  }

  /** Throws `flow-refused`. */
  admit(grant: Grant, { address }: User): void {
    if (grant.policy === null) return;
    const refusal = flow.check(grant.policy, { now: this.now(), address });
    if (refusal !== null) throw new WaybillError('flow-refused', refusal);
  }

  holdsFor(grant: Grant, { address }: User): boolean {
    return flow.check(grant.policy, { now: this.now(), address }) === null;
  }

  /** Whether the request gives anything that the account does not have on the folder now. */
  isWidening(account: string, folder: string, rights: readonly Right[], policy: FlowPolicy | null): boolean {
    const before = this.find(account, folder);
    return before === undefined || (toBits(rights) & ~before.rights) !== 0 || isWider(before.policy, policy);
  }

  /** Inside the write that removes the folder. */
  forgetFolder(folder: string): void {
    for (const grant of this.store.ofFolder(folder)) this.views.delete(grant.account);
    this.store.removeFolder(folder);
  }

  /** Inside the write that removes the account. */
  forgetAccount(account: string): void {
    this.views.delete(account);
    this.store.removeAccount(account);
  }

  private view(account: string): View {
    const known = this.views.get(account);
    if (known !== undefined) return known;
    const grants = this.store.ofAccount(account);
    const view = {
      mounts: new Map(grants.map((grant) => [grant.mount, grant])),
      folders: new Map(grants.map((grant) => [grant.folder, grant])),
    };
    this.views.set(account, view);
    return view;
  }

  private refuseTakenMount(wanted: Grant): void {
    for (const other of this.store.ofAccount(wanted.account))
      if (other.folder !== wanted.folder && composed(other.mount) === composed(wanted.mount))
        throw new WaybillError('already-exists', `the account already has a folder mounted as "${wanted.mount}"`);
  }

  private record(action: string, grant: Grant, { actor, approvedBy }: Acting): void {
    const { account, folder, mount, policy } = grant;
    const detail = { mount, rights: fromBits(grant.rights), ...(policy === null ? {} : { policy: { ...policy } }) };
    this.ledger.append(grant.tenant, changed(action, { actor, approvedBy, account, folder, detail }));
  }
}
