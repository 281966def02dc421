/**
 * Legal holds: nothing in the folder is removed, replaced, expired or shredded, whatever anything else allows. Kept in
 * memory; a hold acts with the next call.
 */
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FlowStore, LegalHold } from './flow-store.ts';

interface HeldFolder {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
}

export class LegalHolds {
  private readonly store: FlowStore;
  private readonly ledger: Ledger;
  private readonly write: <T>(action: () => T) => Promise<T>;
  private readonly now: () => number;
  private held: ReadonlyMap<string, LegalHold>;

  constructor(store: FlowStore, ledger: Ledger, write: <T>(action: () => T) => Promise<T>, now: () => number) {
    this.store = store;
    this.ledger = ledger;
    this.write = write;
    this.now = now;
    this.held = this.read();
  }

  of(folder: string): LegalHold | null {
    return this.held.get(folder) ?? null;
  }

  ofTenant(tenant: string): LegalHold[] {
    return [...this.held.values()].filter((hold) => hold.tenant === tenant);
  }

  /** Throws `legal-hold`. `what` is a path or a name that the caller knows anyway. */
  refuse(folder: string, what: string): void {
    if (this.held.has(folder)) throw new WaybillError('legal-hold', `${what} lies in a folder under legal hold`);
  }

  /** For who destroys what a tenant has. Throws `legal-hold`. */
  refuseTenant(tenant: string): void {
    const { length } = this.ofTenant(tenant);
    if (length > 0) throw new WaybillError('legal-hold', `${length} of the tenant's folders are under legal hold`);
  }

  async hold(folder: HeldFolder, reason: string, by: Acting): Promise<LegalHold> {
    const { actor } = by;
    const hold: LegalHold = { folder: folder.id, tenant: folder.tenant, reason, since: this.now(), actor };
    await this.change(folder, 'folder.hold', reason, by, () => {
      if (this.held.has(folder.id)) throw new WaybillError('already-exists', 'the folder is under legal hold already');
      this.store.putLegalHold(hold);
    });
    return hold;
  }

  async lift(folder: HeldFolder, reason: string, by: Acting): Promise<void> {
    await this.change(folder, 'folder.unhold', reason, by, () => {
      if (!this.store.removeLegalHold(folder.id))
        throw new WaybillError('not-found', 'the folder is under no legal hold');
    });
  }

  private async change(folder: HeldFolder, action: string, reason: string, by: Acting, apply: () => void) {
    try {
      await this.write(() => {
        by.within?.();
        apply();
        this.held = this.read();
        const { actor, approvedBy } = by;
        const detail = { name: folder.name, reason };
        this.ledger.append(folder.tenant, changed(action, { actor, approvedBy, folder: folder.id, detail }));
      });
    } finally {
      // What memory says is what is durable, also after a write that failed.
      this.held = this.read();
    }
  }

  private read(): ReadonlyMap<string, LegalHold> {
    return new Map(this.store.legalHolds().map((hold) => [hold.folder, hold]));
  }
}
