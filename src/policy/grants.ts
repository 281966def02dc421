/**
 * Which account may do what in which folder. A grant mounts its folder under one name in the account's view. Grants of
 * an account are kept in memory once read; every change goes through here, and takes effect with the next call.
 */
import { WaybillError } from '../base/errors.ts';
import { checkName, composed } from '../base/names.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { fromBits, has, toBits } from './rights.ts';
import type { Right, RightBits } from './rights.ts';

export interface Grant {
  readonly account: string;
  readonly folder: string;
  readonly tenant: string;
  /** The folder's name in the account's "/". */
  readonly mount: string;
  readonly rights: RightBits;
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
}

interface Owned {
  readonly id: string;
  readonly tenant: string;
}

export interface GrantRequest {
  readonly account: Owned;
  readonly folder: Owned & { readonly name: string };
  readonly rights: readonly Right[];
  /** The folder's own name when left out. */
  readonly mount?: string;
}

/** What an account sees: by mount, and by folder. */
interface View {
  readonly mounts: ReadonlyMap<string, Grant>;
  readonly folders: ReadonlyMap<string, Grant>;
}

export class Grants {
  private readonly store: GrantStore;
  private readonly ledger: Ledger;
  private readonly views = new Map<string, View>();

  constructor(store: GrantStore, ledger: Ledger) {
    this.store = store;
    this.ledger = ledger;
  }

  /** Gives, or replaces, the rights of the account on the folder. */
  async grant(request: GrantRequest): Promise<Grant> {
    const { account, folder } = request;
    if (account.tenant !== folder.tenant)
      throw new WaybillError('permission-denied', 'the account and the folder belong to different tenants');
    if (request.rights.length === 0) throw new WaybillError('request-invalid', 'a grant needs at least one right');
    const mount = request.mount ?? folder.name;
    checkName(mount);
    const grant: Grant = {
      account: account.id,
      folder: folder.id,
      tenant: folder.tenant,
      mount,
      rights: toBits(request.rights),
    };
    await this.store.write(() => {
      this.refuseTakenMount(grant);
      this.store.put(grant);
      this.views.delete(account.id);
      this.record('grant.add', grant);
    });
    this.views.delete(account.id);
    return grant;
  }

  async revoke(account: string, folder: string): Promise<void> {
    await this.store.write(() => {
      const grant = this.store.ofAccount(account).find((one) => one.folder === folder);
      if (grant === undefined) throw new WaybillError('not-found', 'the account has no grant on this folder');
      this.store.remove(account, folder);
      this.views.delete(account);
      this.record('grant.remove', grant);
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

  /** Throws `permission-denied` that names the right. */
  require(account: string, folder: string, right: Right): void {
    if (!has(this.rights(account, folder), right))
      throw new WaybillError('permission-denied', `the account has no right "${right}" here`);
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

  private record(action: string, grant: Grant): void {
    const { account, folder, mount } = grant;
    const detail = { mount, rights: fromBits(grant.rights) };
    this.ledger.append(grant.tenant, changed(action, { account, folder, detail }));
  }
}
