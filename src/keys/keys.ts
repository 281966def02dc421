/**
 * The hierarchy root -> tenant -> file -> segment. Keys live in the memory of the broker only. Every wrapped key is
 * bound to its owner, so that swapping rows in the metadata opens nothing; every wrapped key names the key above it, so
 * that the one above can be changed without touching stored bytes.
 */
import { createHmac, createSecretKey, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { BoundedMap } from '../base/bounded-map.ts';
import { WaybillError } from '../base/errors.ts';
import { checkValue } from './root-key.ts';
import type { RootKey, RootKeyProvider } from './root-key.ts';
import type { Sealer } from './sealer.ts';
import { openWith, sealWith } from './sealing.ts';

export interface TenantKeyRow {
  readonly id: string;
  readonly tenant: string;
  readonly root: string;
  readonly wrapped: Uint8Array;
}

/** Promise of the store: the inserting methods join the transaction under way, `rememberRoot` is durable by itself. */
export interface KeyStore {
  /** The root key this data folder was made with; null in a new one. */
  root(): { readonly id: string; readonly check: Uint8Array } | null;
  rememberRoot(id: string, check: Uint8Array): Promise<void>;
  insertTenantKey(row: TenantKeyRow): void;
  removeTenantKeys(tenant: string): void;
  tenantKey(id: string): TenantKeyRow | null;
  /** The key that new files of the tenant are wrapped with. */
  currentTenantKey(tenant: string): TenantKeyRow | null;
}

/** A file's wrapped key and what it is bound to. */
export interface FileKey {
  readonly file: string;
  readonly tenant: string;
  /** The tenant key it is wrapped with. */
  readonly tenantKey: string;
  readonly wrapped: Uint8Array;
}

const FILE_KEYS_CACHED = 20_000;
const SEGMENT_INFO = Buffer.from('waybill segment');
const NO_SALT = Buffer.alloc(32);

export class Keys implements Sealer {
  private readonly store: KeyStore;
  private readonly rootId: string;
  private readonly wrapping: KeyObject;
  private readonly sealing: KeyObject;
  /** By purpose, so that a key is found for its own tenant only. */
  private readonly tenantKeys = new Map<string, KeyObject>();
  private readonly currentIds = new Map<string, string>();
  /** HKDF's pseudorandom key per file: the first half of every segment key's derivation. */
  private readonly fileKeys = new BoundedMap<string, Buffer>(FILE_KEYS_CACHED, (key) => key.fill(0));

  private constructor(store: KeyStore, root: RootKey) {
    this.store = store;
    this.rootId = root.id;
    this.wrapping = derive(root, 'waybill root: tenant keys');
    this.sealing = derive(root, 'waybill root: sealed secrets');
    root.key.fill(0);
  }

  /**
   * Opens the hierarchy, or makes one when neither the data folder nor the provider has any. A missing or other root
   * key over existing content is refused: a new one would make that content unreadable for ever while looking healthy.
   */
  static async open(store: KeyStore, provider: RootKeyProvider, options: { create?: boolean } = {}): Promise<Keys> {
    const known = store.root();
    const found = provider.load();
    if (known !== null) return new Keys(store, confirm(known, found, provider.place));
    if (options.create === false)
      throw new WaybillError('data-folder-invalid', 'the data folder has no keys yet. Start the server on it once');
    // The key is durable before the data folder remembers it; a crash between the two finds it again here.
    const root = found ?? provider.create();
    await store.rememberRoot(root.id, checkValue(root));
    return new Keys(store, root);
  }

  seal(purpose: string, plaintext: Uint8Array): Buffer {
    return sealWith(this.sealing, `seal ${purpose}`, plaintext);
  }

  open(purpose: string, sealed: Uint8Array): Buffer {
    return openWith(this.sealing, `seal ${purpose}`, sealed);
  }

  /** Inside the write that creates the tenant. */
  createTenantKey(tenant: string): void {
    const id = randomBytes(16).toString('hex');
    const key = randomBytes(32);
    this.store.insertTenantKey({
      id,
      tenant,
      root: this.rootId,
      wrapped: sealWith(this.wrapping, tenantPurpose(tenant, id), key),
    });
    key.fill(0);
  }

  removeTenantKeys(tenant: string): void {
    this.store.removeTenantKeys(tenant);
    this.currentIds.delete(tenant);
    for (const purpose of this.tenantKeys.keys())
      if (purpose.startsWith(tenantPurpose(tenant, ''))) this.tenantKeys.delete(purpose);
  }

  newFileKey(tenant: string, file: string): FileKey {
    const tenantKey = this.currentTenantKey(tenant);
    const key = randomBytes(32);
    const wrapped = sealWith(this.tenantKey(tenantKey, tenant), filePurpose(file), key);
    this.fileKeys.set(file, extract(key));
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

  private fileKey(fileKey: FileKey): Buffer {
    const cached = this.fileKeys.get(fileKey.file);
    if (cached !== undefined) return cached;
    const key = openWith(this.tenantKey(fileKey.tenantKey, fileKey.tenant), filePurpose(fileKey.file), fileKey.wrapped);
    const extracted = extract(key);
    key.fill(0);
    this.fileKeys.set(fileKey.file, extracted);
    return extracted;
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
    const purpose = tenantPurpose(tenant, id);
    const cached = this.tenantKeys.get(purpose);
    if (cached !== undefined) return cached;
    const row = this.store.tenantKey(id);
    if (row?.tenant !== tenant) throw new WaybillError('key-unavailable', `key ${id} of tenant ${tenant} is gone`);
    const bare = openWith(this.wrapping, purpose, row.wrapped);
    const key = createSecretKey(bare);
    bare.fill(0);
    this.tenantKeys.set(purpose, key);
    return key;
  }
}

function confirm(known: { id: string; check: Uint8Array }, found: RootKey | null, place: string): RootKey {
  if (found === null)
    throw new WaybillError(
      'root-key-missing',
      `${place} is missing (root key ${known.id}). Put it back from its safe copy; without it the content cannot be read`,
    );
  const check = checkValue(found);
  if (check.length !== known.check.length || !timingSafeEqual(check, known.check))
    throw new WaybillError(
      'root-key-wrong',
      `${place} holds another root key than ${known.id}, or was altered. Put the right one back from its safe copy`,
    );
  return found;
}

function derive(root: RootKey, info: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', root.key, '', info, 32)));
}

/** HKDF-Extract of RFC 5869 with no salt; segmentKey is its Expand for one block. */
function extract(key: Buffer): Buffer {
  return createHmac('sha256', NO_SALT).update(key).digest();
}

function tenantPurpose(tenant: string, id: string): string {
  return `tenant key ${tenant} ${id}`;
}

function filePurpose(file: string): string {
  return `file key ${file}`;
}
