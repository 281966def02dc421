/**
 * The hierarchy root -> tenant -> file -> segment. Keys live in the memory of the broker only: those of tenants are
 * unwrapped when the server starts (or the tenant is unlocked) and stay until it ends, so that a transfer never waits for
 * a provider of root keys. Every wrapped key is bound to its owner, so that swapping rows in the metadata opens nothing;
 * every wrapped key names the key above it, so that the one above can be changed without touching stored bytes.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { BoundedMap } from '../base/bounded-map.ts';
import { WaybillError } from '../base/errors.ts';
import type { RootKeyProvider } from './root-key-provider.ts';
import { RootKeys } from './root-keys.ts';
import type { Sealer } from './sealer.ts';
import { openWith, sealWith } from './sealing.ts';
import { Secrets } from './secrets.ts';
import type { FileKey, KeyStore, TenantKeyRow, TenantStateRow } from './store.ts';

export type { FileKey, KeyStore, TenantKeyRow } from './store.ts';

const FILE_KEYS_CACHED = 20_000;
const LOADED_TOGETHER = 1000;
const SEGMENT_INFO = Buffer.from('waybill segment');
const NO_SALT = Buffer.alloc(32);

interface TenantKey {
  readonly tenant: string;
  readonly key: KeyObject;
}

export class Keys implements Sealer {
  readonly roots: RootKeys;
  readonly secrets = new Secrets();
  private readonly store: KeyStore;
  /**
   * By id. One that a younger key has replaced stays until the process ends, although no row needs it any more: an upload
   * that began before may still come with a file key that it wraps (see `renewed`).
   */
  private readonly tenantKeys = new Map<string, TenantKey>();
  private readonly currentIds = new Map<string, string>();
  /** Tenants that are out of service; of these no key is in memory. */
  private readonly states = new Map<string, TenantStateRow['state']>();
  /** HKDF's pseudorandom key per file: the first half of every segment key's derivation. */
  private readonly fileKeys = new BoundedMap<string, Buffer>(FILE_KEYS_CACHED, (key) => key.fill(0));

  private constructor(store: KeyStore, roots: RootKeys) {
    this.store = store;
    this.roots = roots;
  }

  /** Opens the hierarchy, or makes one when the data folder has none. The first provider is where new root keys are made. */
  static async open(
    store: KeyStore,
    providers: RootKeyProvider | readonly RootKeyProvider[],
    options: { create?: boolean } = {},
  ): Promise<Keys> {
    const create = options.create !== false;
    const keys = new Keys(store, new RootKeys(store, Array.isArray(providers) ? providers : [providers]));
    const found = await keys.roots.open(create);
    await keys.secrets.load(store, keys.roots, create ? found : null);
    for (const { tenant, state } of store.tenantStates()) keys.states.set(tenant, state);
    await keys.loadTenantKeys();
    return keys;
  }

  seal(purpose: string, plaintext: Uint8Array): Buffer {
    return this.secrets.seal(purpose, plaintext);
  }

  open(purpose: string, sealed: Uint8Array): Buffer {
    return this.secrets.open(purpose, sealed);
  }

  /** Wrapped, and in memory; it counts once its row is inserted and `currentChanged` is called. */
  async newTenantKey(tenant: string): Promise<TenantKeyRow> {
    const id = randomBytes(16).toString('hex');
    const key = randomBytes(32);
    try {
      const [wrapped] = await this.roots.wrap([{ purpose: tenantPurpose(tenant, id), key }]);
      if (wrapped === undefined) throw new WaybillError('internal', 'the key was not wrapped');
      this.tenantKeys.set(id, { tenant, key: createSecretKey(key) });
      return { id, tenant, ...wrapped };
    } finally {
      key.fill(0);
    }
  }

  /** Inside the write that creates the tenant, or gives it a younger key. */
  insertTenantKey(row: TenantKeyRow): void {
    this.roots.refuseRetired(row.root);
    this.store.insertTenantKey(row);
  }

  /** After a write that gave the tenant a younger key, never before: a key that no row holds must not wrap anything. */
  currentChanged(tenant: string): void {
    this.currentIds.delete(tenant);
  }

  /** Inside the write that removes the tenant. */
  removeTenantKeys(tenant: string): void {
    this.store.removeTenantKeys(tenant);
    this.store.clearTenantState(tenant);
  }

  /** After that write. */
  forgetTenant(tenant: string): void {
    this.states.delete(tenant);
    this.wipe(tenant);
  }

  newFileKey(tenant: string, file: string): FileKey {
    this.requireUsable(tenant);
    const tenantKey = this.currentTenantKey(tenant);
    const key = randomBytes(32);
    const wrapped = sealWith(this.tenantKey(tenantKey, tenant), filePurpose(file), key);
    this.fileKeys.set(file, extract(key));
    key.fill(0);
    return { file, tenant, tenantKey, wrapped };
  }

  /** Wrapped by the tenant's youngest key: for a row that is about to be written. Mostly it is what came in. */
  renewed(fileKey: FileKey): FileKey {
    const { file, tenant } = fileKey;
    this.requireUsable(tenant);
    const tenantKey = this.currentTenantKey(tenant);
    if (fileKey.tenantKey === tenantKey) return fileKey;
    const key = this.bareFileKey(fileKey);
    const wrapped = sealWith(this.tenantKey(tenantKey, tenant), filePurpose(file), key);
    key.fill(0);
    return { file, tenant, tenantKey, wrapped };
  }

  /** `blob`: 32 hexadecimal digits. The buffer is the caller's. */
  segmentKey(fileKey: FileKey, blob: string, segment: number): Buffer {
    const tail = Buffer.allocUnsafe(21);
    tail.write(blob, 0, 16, 'hex');
    tail.writeUInt32BE(segment, 16);
    tail[20] = 1;
    return createHmac('sha256', this.fileKey(fileKey)).update(SEGMENT_INFO).update(tail).digest();
  }

  stateOf(tenant: string): 'in-use' | TenantStateRow['state'] {
    return this.states.get(tenant) ?? 'in-use';
  }

  /** Throws `tenant-locked` or `tenant-shredded`. */
  requireUsable(tenant: string): void {
    // Nearly always there is none.
    if (this.states.size === 0) return;
    const state = this.states.get(tenant);
    if (state === 'locked')
      throw new WaybillError('tenant-locked', 'the keys of the tenant are taken out of service for now');
    if (state === 'shredded') throw new WaybillError('tenant-shredded', 'the keys of the tenant were destroyed');
  }

  /** At once: from here on nothing of the tenant is opened, and no key of it is in memory. */
  takeOut(tenant: string, state: TenantStateRow['state']): void {
    this.states.set(tenant, state);
    this.wipe(tenant);
  }

  /** After `takeOut`. Throws when a key does not open; then the tenant stays as it is. */
  async takeBack(tenant: string): Promise<void> {
    const rows = this.store.tenantKeysOf(tenant);
    const failed = await this.load(rows);
    if (failed > 0 || rows.length === 0) {
      this.wipe(tenant);
      throw new WaybillError('key-unavailable', 'the keys of the tenant cannot be unwrapped');
    }
  }

  /** The end of taking back, after its record is durable. */
  putInUse(tenant: string): void {
    this.states.delete(tenant);
  }

  private wipe(tenant: string): void {
    this.currentIds.delete(tenant);
    for (const [id, one] of this.tenantKeys) if (one.tenant === tenant) this.tenantKeys.delete(id);
    // Not kept by tenant; the others come back with their next use.
    this.fileKeys.clear();
  }

  private fileKey(fileKey: FileKey): Buffer {
    this.requireUsable(fileKey.tenant);
    const cached = this.fileKeys.get(fileKey.file);
    if (cached !== undefined) return cached;
    const key = this.bareFileKey(fileKey);
    const extracted = extract(key);
    key.fill(0);
    this.fileKeys.set(fileKey.file, extracted);
    return extracted;
  }

  private bareFileKey(fileKey: FileKey): Buffer {
    // Held since before a rotation, and the tenant was locked since: the row has it wrapped by the younger key.
    const stale = !this.tenantKeys.has(fileKey.tenantKey);
    const { file, tenant, tenantKey, wrapped } = (stale ? this.store.fileKeyOf(fileKey.file) : null) ?? fileKey;
    if (tenant !== fileKey.tenant) throw new WaybillError('key-unavailable', `file ${file} is of another tenant`);
    return openWith(this.tenantKey(tenantKey, tenant), filePurpose(file), wrapped);
  }

  private currentTenantKey(tenant: string): string {
    const known = this.currentIds.get(tenant);
    if (known !== undefined) return known;
    const row = this.store.currentTenantKey(tenant);
    if (row === null) throw new WaybillError('key-unavailable', `tenant ${tenant} has no key`);
    this.currentIds.set(tenant, row.id);
    return row.id;
  }

  private tenantKey(id: string, tenant: string): KeyObject {
    const found = this.tenantKeys.get(id);
    if (found?.tenant !== tenant)
      throw new WaybillError('key-unavailable', `key ${id} of tenant ${tenant} is gone, or does not open`);
    return found.key;
  }

  private async loadTenantKeys(): Promise<void> {
    let after = 0;
    for (;;) {
      const rows = this.store.tenantKeys(after, LOADED_TOGETHER);
      const last = rows.at(-1);
      if (last === undefined) return;
      // One that does not open is one tenant's damage: it says so when it is used, the others work.
      await this.load(rows.filter(({ tenant }) => !this.states.has(tenant)));
      after = last.serial;
    }
  }

  /** Answers how many did not open. */
  private async load(rows: readonly TenantKeyRow[]): Promise<number> {
    const bare = await this.roots.unwrap(rows.map((row) => ({ ...row, purpose: tenantPurpose(row.tenant, row.id) })));
    let failed = 0;
    rows.forEach(({ id, tenant }, at) => {
      const key = bare[at] ?? null;
      if (key === null) failed++;
      else this.tenantKeys.set(id, { tenant, key: createSecretKey(key) });
      key?.fill(0);
    });
    return failed;
  }
}

/** HKDF-Extract of RFC 5869 with no salt; segmentKey is its Expand for one block. */
function extract(key: Buffer): Buffer {
  return createHmac('sha256', NO_SALT).update(key).digest();
}

export function tenantPurpose(tenant: string, id: string): string {
  return `tenant key ${tenant} ${id}`;
}

function filePurpose(file: string): string {
  return `file key ${file}`;
}
