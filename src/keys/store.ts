/** What keys/ needs of the metadata store. All methods but `write` are synchronous; those that change join its transaction. */
import type { RootReference } from './root-key-provider.ts';

export interface TenantKeyRow {
  readonly id: string;
  readonly tenant: string;
  readonly root: RootReference;
  readonly wrapped: Uint8Array;
}

/** Encrypts the small secrets of the installation (sealer.ts). */
export interface SecretsKeyRow {
  readonly id: string;
  readonly root: RootReference;
  readonly wrapped: Uint8Array;
}

/** A file's wrapped key and what it is bound to. */
export interface FileKey {
  readonly file: string;
  readonly tenant: string;
  /** The tenant key it is wrapped with. */
  readonly tenantKey: string;
  readonly wrapped: Uint8Array;
}

/**
 * `current` wraps what is new, keys are moved away from `old` ones, and of a `retiring` one none is left: its provider is
 * told to forget it, then its row goes. A retiring version need not be there any more.
 */
export type RootState = 'current' | 'old' | 'retiring';

export interface RootRow {
  readonly root: RootReference;
  /** RootKeyProvider.checkValue when the version was taken into use. */
  readonly check: Uint8Array | null;
  readonly state: RootState;
}

export interface WrappedRow {
  readonly kind: 'tenant' | 'secrets';
  readonly serial: number;
  readonly id: string;
  readonly tenant: string | null;
  readonly root: RootReference;
  readonly wrapped: Uint8Array;
}

/** A tenant without a row is in use. What is left to do after a shredding stands beside it, so that a crash forgets none of it. */
export interface TenantStateRow {
  readonly tenant: string;
  readonly state: 'locked' | 'shredded';
  readonly left: 'nothing' | 'traces' | 'contents';
}

/** Where wrapped file keys lie: of stored files, and of uploads in progress. */
export const FILE_KEY_PLACES = ['files', 'uploads'] as const;
export type FileKeyPlace = (typeof FILE_KEY_PLACES)[number];

export interface KeyStore {
  write<T>(action: () => T): Promise<T>;

  roots(): RootRow[];
  /** The one that was current becomes old. */
  addRoot(root: RootReference, check: Uint8Array | null): void;
  setRootState(root: RootReference, state: RootState): void;
  removeRoot(root: RootReference): void;
  /** Keys that this version wraps. */
  countWrapped(root: RootReference): number;
  /** Of tenants and of secrets together, by `root` other than the one named, after `serial` of the kind. */
  wrappedByOthers(kind: WrappedRow['kind'], root: RootReference, after: number, limit: number): WrappedRow[];
  /** False when the row is not any more what it was. */
  replaceWrapped(row: WrappedRow, root: RootReference, wrapped: Uint8Array): boolean;

  insertSecretsKey(row: SecretsKeyRow): void;
  /** Oldest first. */
  secretsKeys(): SecretsKeyRow[];

  insertTenantKey(row: TenantKeyRow): void;
  /** Written over, then removed, so that no page of the database keeps them. */
  removeTenantKeys(tenant: string): number;
  removeTenantKey(id: string): void;
  tenantKeys(after: number, limit: number): (TenantKeyRow & { readonly serial: number })[];
  tenantKeysOf(tenant: string): TenantKeyRow[];
  tenantKey(id: string): TenantKeyRow | null;
  /** The key that new files of the tenant are wrapped with. */
  currentTenantKey(tenant: string): TenantKeyRow | null;
  /** Keys of tenants that have a younger one. */
  olderTenantKeys(): TenantKeyRow[];

  tenantStates(): TenantStateRow[];
  setTenantState(row: TenantStateRow): void;
  clearTenantState(tenant: string): void;

  fileKeysAfter(place: FileKeyPlace, id: string, limit: number): (FileKey & { readonly id: string })[];
  /** As the rows have it now; null when it has none. */
  fileKeyOf(file: string): FileKey | null;
  replaceFileKey(place: FileKeyPlace, id: string, old: FileKey, fresh: FileKey): boolean;

  /**
   * Outside a transaction: copies the log back and cuts it off, so that no old page of it keeps what was removed. False
   * when a reader is in the way; to be tried again.
   */
  cutLog(): boolean;
}
