/**
 * What a tenant uses: the plaintext bytes stored for committed versions (durable) and what its uploads in progress may
 * still store (in memory, rebuilt from them at start). Stored content counts, not file sizes: zeros that are stored
 * nowhere are free, and content that only a reading holds still counts.
 */
import { WaybillError } from '../base/errors.ts';
import type { FileStore, Tenant } from './store.ts';

export class Quota {
  private readonly store: FileStore;
  private readonly reserved = new Map<string, number>();

  constructor(store: FileStore) {
    this.store = store;
  }

  usage(tenant: string): { limit: number | null; used: number } {
    const row = this.row(tenant);
    return { limit: row.quota, used: row.used + this.reservedOf(tenant) };
  }

  /** Reserves bytes for an upload, if they fit. */
  reserve(tenant: string, more: number): void {
    if (more > 0) this.requireRoom(tenant, more);
    this.shift(tenant, more);
  }

  /** Changes what is reserved, whether it fits or not: for what has already happened, and for giving back. */
  shift(tenant: string, change: number): void {
    if (change === 0) return;
    const total = this.reservedOf(tenant) + change;
    if (total === 0) this.reserved.delete(tenant);
    else this.reserved.set(tenant, total);
  }

  /**
   * Inside the write that has added `stored` bytes to the used ones, for an upload with `released` reserved bytes that
   * end with it. What takes no more than it gave back passes even where the quota was lowered below what is used.
   */
  confirm(tenant: string, usedBefore: number, released: number): void {
    const row = this.row(tenant);
    const total = row.used + this.reservedOf(tenant) - released;
    if (row.quota !== null && total > row.quota && row.used > usedBefore) throw exceeded(row);
  }

  used(tenant: string): number {
    return this.row(tenant).used;
  }

  private requireRoom(tenant: string, more: number): void {
    const row = this.row(tenant);
    if (row.quota !== null && row.used + this.reservedOf(tenant) + more > row.quota) throw exceeded(row);
  }

  private reservedOf(tenant: string): number {
    return this.reserved.get(tenant) ?? 0;
  }

  private row(tenant: string): Tenant {
    const row = this.store.tenant(tenant);
    if (row === null) throw new WaybillError('not-found', 'the tenant does not exist');
    return row;
  }
}

function exceeded(tenant: Tenant): WaybillError {
  return new WaybillError('quota-exceeded', `the quota of ${tenant.quota ?? 0} bytes is used up`);
}
