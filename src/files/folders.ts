/** Folders of a tenant, for the operator. */
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { checkName, composed } from '../base/names.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Grants } from '../policy/grants.ts';
import type { FileStore, Folder } from './store.ts';

export interface FoldersOptions {
  readonly store: FileStore;
  readonly grants: Grants;
  readonly ledger: Ledger;
  readonly now?: () => number;
  /** Files.hasUploads. */
  readonly hasUploads: (directory: number) => boolean;
}

export class Folders {
  private readonly options: FoldersOptions;

  constructor(options: FoldersOptions) {
    this.options = options;
  }

  async create(tenant: string, name: string, by: Acting = LOCAL_OPERATOR): Promise<Folder> {
    checkName(name);
    const { store } = this.options;
    const now = Math.floor((this.options.now ?? Date.now)() / 1000);
    return store.write(() => {
      by.within?.();
      if (store.tenant(tenant) === null) throw new WaybillError('not-found', 'the tenant does not exist');
      if (store.folders(tenant).some((other) => composed(other.name) === composed(name)))
        throw new WaybillError('already-exists', `folder "${name}" exists`);
      const folder = store.insertFolder(newId(), tenant, name, now);
      this.record(folder, 'folder.create', by);
      return folder;
    });
  }

  list(tenant: string): Folder[] {
    return this.options.store.folders(tenant);
  }

  byName(tenant: string, name: string): Folder {
    const folder = this.options.store.folders(tenant).find((one) => one.name === name);
    if (folder === undefined) throw new WaybillError('not-found', `folder "${name}" does not exist`);
    return folder;
  }

  totals(folder: Folder): { files: number; bytes: number } {
    return this.options.store.totals(folder.root);
  }

  /** Refused while it holds anything. The grants on it end. */
  async remove(id: string, by: Acting = LOCAL_OPERATOR): Promise<void> {
    const { store, grants, hasUploads } = this.options;
    await store.write(() => {
      by.within?.();
      const folder = store.folder(id);
      if (folder === null) throw new WaybillError('not-found', 'the folder does not exist');
      if (store.hasChildren(folder.root) || hasUploads(folder.root))
        throw new WaybillError('directory-not-empty', `folder "${folder.name}" still holds files`);
      grants.legalHolds.refuse(id, `folder "${folder.name}"`);
      grants.forgetFolder(id);
      store.removeFolder(folder);
      this.record(folder, 'folder.remove', by);
    });
  }

  private record(folder: Folder, action: string, { actor, approvedBy }: Acting): void {
    const { id, tenant, name } = folder;
    this.options.ledger.append(tenant, changed(action, { actor, approvedBy, folder: id, detail: { name } }));
  }
}
