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
      for (const row of store.productFolders()) if (row.folder === id) this.leaveProduct(folder, row.product, by);
      grants.forgetFolder(id);
      store.removeFolder(folder);
      this.record(folder, 'folder.remove', by);
    });
  }

  /** A product of the operator, by name, with the folders that it uses now. */
  products(): { product: string; folder: Folder }[] {
    const { store } = this.options;
    return store.productFolders().flatMap(({ product, folder: id }) => {
      const folder = store.folder(id);
      return folder === null ? [] : [{ product, folder }];
    });
  }

  /** From now on the product uses the folder. What it used when is in the ledger. */
  async useIn(product: string, folder: Folder, by: Acting = LOCAL_OPERATOR): Promise<void> {
    const { store } = this.options;
    checkName(product);
    await store.write(() => {
      by.within?.();
      if (store.folder(folder.id) === null) throw new WaybillError('not-found', 'the folder does not exist');
      if (store.productFolders().some((row) => row.product === product && row.folder === folder.id))
        throw new WaybillError('already-exists', `product "${product}" uses the folder already`);
      store.insertProductFolder({ product, folder: folder.id });
      this.recordProduct(folder, 'product.add', product, by);
    });
  }

  async useNoLonger(product: string, folder: Folder, by: Acting = LOCAL_OPERATOR): Promise<void> {
    await this.options.store.write(() => {
      by.within?.();
      this.leaveProduct(folder, product, by);
    });
  }

  private leaveProduct(folder: Folder, product: string, by: Acting): void {
    if (!this.options.store.removeProductFolder({ product, folder: folder.id }))
      throw new WaybillError('not-found', `product "${product}" does not use the folder`);
    this.recordProduct(folder, 'product.remove', product, by);
  }

  private recordProduct({ id, tenant, name }: Folder, action: string, product: string, by: Acting): void {
    const { actor, approvedBy } = by;
    this.options.ledger.append(tenant, changed(action, { actor, approvedBy, folder: id, detail: { name, product } }));
  }

  private record(folder: Folder, action: string, { actor, approvedBy }: Acting): void {
    const { id, tenant, name } = folder;
    this.options.ledger.append(tenant, changed(action, { actor, approvedBy, folder: id, detail: { name } }));
  }
}
