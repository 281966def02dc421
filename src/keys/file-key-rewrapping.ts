/**
 * After a tenant got a younger key: its file keys are wrapped again, in batches beside the traffic, and the older tenant
 * keys go once no row needs them. Files are not touched. A crash leaves some rows with the older key, which is there until
 * the last of them has been replaced; the next start walks again.
 *
 * No row can come to need an older key behind the walk's back: what is written while it goes on is `Keys.renewed`.
 */
import { setImmediate } from 'node:timers/promises';
import { WaybillError } from '../base/errors.ts';
import type { Keys } from './keys.ts';
import { BY_ITSELF } from './records.ts';
import type { RecordKeyAct } from './records.ts';
import { FILE_KEY_PLACES } from './store.ts';
import type { FileKey, FileKeyPlace, KeyStore, TenantKeyRow } from './store.ts';

const BATCH = 400;

export interface FileKeyRewrappingParts {
  readonly keys: Keys;
  readonly store: KeyStore;
  readonly record: RecordKeyAct;
  readonly stopped: () => boolean;
}

interface Walk {
  /** By id: the keys to be emptied, and how many file keys were taken from each. */
  readonly older: ReadonlyMap<string, { readonly row: TenantKeyRow; count: number; stuck: number }>;
}

export class FileKeyRewrapping {
  private readonly parts: FileKeyRewrappingParts;

  constructor(parts: FileKeyRewrappingParts) {
    this.parts = parts;
  }

  get left(): boolean {
    return this.olderKeys().length > 0;
  }

  async finish(): Promise<{ rewrapped: number; stuck: number }> {
    const walk: Walk = { older: new Map(this.olderKeys().map((row) => [row.id, { row, count: 0, stuck: 0 }])) };
    if (walk.older.size === 0) return { rewrapped: 0, stuck: 0 };
    for (const place of FILE_KEY_PLACES) await this.walk(place, walk);
    if (!this.parts.stopped()) await this.retire(walk);
    const all = [...walk.older.values()];
    return { rewrapped: sum(all.map(({ count }) => count)), stuck: sum(all.map(({ stuck }) => stuck)) };
  }

  /** Locked tenants wait until they are unlocked. */
  private olderKeys(): TenantKeyRow[] {
    const { keys, store } = this.parts;
    return store.olderTenantKeys().filter(({ tenant }) => keys.stateOf(tenant) === 'in-use');
  }

  private async walk(place: FileKeyPlace, { older }: Walk): Promise<void> {
    const { store, stopped } = this.parts;
    for (let after = ''; !stopped();) {
      const rows = store.fileKeysAfter(place, after, BATCH);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
      const old = rows.filter(({ tenantKey }) => older.has(tenantKey));
      const fresh = old.map((row) => this.renewed(row));
      // Nothing to write, but others want their turn.
      if (old.length === 0) await setImmediate();
      else
        await store.write(() => {
          old.forEach((row, at) => {
            const key = fresh[at] ?? null;
            if (key !== null) store.replaceFileKey(place, row.id, row, key);
          });
        });
      old.forEach(({ tenantKey }, at) => {
        const counts = older.get(tenantKey);
        if (counts === undefined) return;
        if ((fresh[at] ?? null) === null) counts.stuck++;
        else counts.count++;
      });
    }
  }

  /** Null when it does not open: the tenant was locked meanwhile, or the row is damaged. Its tenant key stays. */
  private renewed({ file, tenant, tenantKey, wrapped }: FileKey): FileKey | null {
    try {
      return this.parts.keys.renewed({ file, tenant, tenantKey, wrapped });
    } catch (error) {
      if (error instanceof WaybillError) return null;
      throw error;
    }
  }

  private async retire({ older }: Walk): Promise<void> {
    const { store, record, keys } = this.parts;
    await store.write(() => {
      for (const { row, count, stuck } of older.values()) {
        if (stuck > 0 || keys.stateOf(row.tenant) !== 'in-use') continue;
        store.removeTenantKey(row.id);
        const detail = { files: count };
        record({ ...BY_ITSELF, action: 'tenant.key-retire', tenant: row.tenant, what: row.id, detail });
      }
    });
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
