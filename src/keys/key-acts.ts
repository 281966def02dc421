/**
 * What an operator does to keys: rotate, take out of service, shred. Each act is durable, with its record, before it is
 * answered; what follows from it (wrapping again, removing traces and content) goes on in the background, one thing at a
 * time, and after a crash with the next start.
 */
import { WaybillError } from '../base/errors.ts';
import { FileKeyRewrapping } from './file-key-rewrapping.ts';
import type { Keys } from './keys.ts';
import { BY_ITSELF } from './records.ts';
import type { Act, RecordKeyAct } from './records.ts';
import type { RootReference } from './root-key-provider.ts';
import { RootRotation } from './root-rotation.ts';
import type { Rewrapped } from './root-rotation.ts';
import type { KeyStore, TenantStateRow } from './store.ts';

export interface KeyActsParts {
  readonly keys: Keys;
  readonly store: KeyStore;
  readonly record: RecordKeyAct;
  /** Ends the tenant's sessions, at once; answers how many. */
  readonly endSessions: (tenant: string, reason: string) => number;
  /** Files.removeContents; `done` is false when it was stopped. */
  readonly removeContents: (
    tenant: string,
    stopped: () => boolean,
  ) => Promise<{ readonly files: number; readonly done: boolean }>;
  /** Hears of failures of work in the background. */
  readonly report: (error: unknown) => void;
}

export interface Shredded {
  /** Tenant keys that were destroyed. */
  readonly keys: number;
  readonly ended: number;
  /**
   * `gone`: neither this data folder nor the root key that is kept now opens a copy of the keys. `kept`: the provider
   * keeps old versions of the root key, so that an old copy of the database opens with it. `pending`: not done yet.
   */
  readonly traces: 'gone' | 'kept' | 'pending';
}

export interface KeyOverview {
  readonly provider: string;
  readonly place: string;
  readonly current: RootReference;
  readonly versions: readonly { readonly root: RootReference; readonly state: string; readonly keys: number }[];
  /** Tenants whose files are being moved to a younger tenant key. */
  readonly rotating: readonly string[];
}

const AGAIN_MS = 60_000;
const CUT_TRIES = 50;
const CUT_WAIT_MS = 100;

export class KeyActs {
  private readonly parts: KeyActsParts;
  private readonly rotation: RootRotation;
  private readonly rewrapping: FileKeyRewrapping;
  private stopped = false;
  private timer: NodeJS.Timeout | null = null;
  private line: Promise<unknown> = Promise.resolve();

  constructor(parts: KeyActsParts) {
    this.parts = parts;
    const shared = { ...parts, stopped: () => this.stopped };
    this.rotation = new RootRotation(shared);
    this.rewrapping = new FileKeyRewrapping(shared);
  }

  overview(): KeyOverview {
    const { keys, store } = this.parts;
    const { root } = keys.roots.current;
    const provider = keys.roots.providerOf(root);
    const versions = store.roots().map((row) => ({ ...row, keys: store.countWrapped(row.root) }));
    return {
      provider: provider.name,
      place: provider.place,
      current: root,
      versions: versions.map(({ root: version, state, keys: count }) => ({ root: version, state, keys: count })),
      rotating: [...new Set(store.olderTenantKeys().map(({ tenant }) => tenant))],
    };
  }

  /** Resolves when every key is wrapped by the new version; cut off before that, it goes on by itself. */
  async rotateRoot(act: Act): Promise<{ from: RootReference; to: RootReference } & Rewrapped> {
    return this.inLine(async () => {
      const begun = await this.rotation.begin(act, 'rotation');
      return { ...begun, ...(await this.orLater(() => this.rotation.finish())) };
    });
  }

  /** Resolves when new files use the new key; the older ones follow in the background. */
  async rotateTenant(tenant: string, act: Act): Promise<{ key: string }> {
    const { keys, store, record } = this.parts;
    keys.requireUsable(tenant);
    const row = await keys.newTenantKey(tenant);
    await store.write(() => {
      act.within?.();
      keys.requireUsable(tenant);
      const before = store.currentTenantKey(tenant);
      if (before === null) throw new WaybillError('not-found', 'the tenant has no key');
      keys.insertTenantKey(row);
      record({ ...act, action: 'tenant.rotate-key', tenant, what: row.id, detail: { from: before.id, to: row.id } });
    });
    keys.currentChanged(tenant);
    this.resume();
    return { key: row.id };
  }

  /** Before anything is written: sessions and keys are gone even when it cannot be recorded. */
  async lock(tenant: string, act: Act): Promise<{ ended: number }> {
    const { keys, store, record, endSessions } = this.parts;
    if (keys.stateOf(tenant) === 'shredded') keys.requireUsable(tenant);
    keys.takeOut(tenant, 'locked');
    const ended = endSessions(tenant, 'the keys of the tenant were taken out of service');
    await store.write(() => {
      act.within?.();
      if (keys.stateOf(tenant) === 'shredded') keys.requireUsable(tenant);
      store.setTenantState({ tenant, state: 'locked', left: 'nothing' });
      record({ ...act, action: 'tenant.lock', tenant, what: tenant, detail: { ended } });
    });
    return { ended };
  }

  async unlock(tenant: string, act: Act): Promise<void> {
    const { keys, store, record } = this.parts;
    if (keys.stateOf(tenant) === 'shredded') keys.requireUsable(tenant);
    if (keys.stateOf(tenant) === 'in-use') return;
    await keys.takeBack(tenant);
    try {
      await store.write(() => {
        act.within?.();
        if (keys.stateOf(tenant) === 'shredded') keys.requireUsable(tenant);
        store.clearTenantState(tenant);
        record({ ...act, action: 'tenant.unlock', tenant, what: tenant, detail: {} });
      });
    } catch (error) {
      if (keys.stateOf(tenant) === 'locked') keys.takeOut(tenant, 'locked');
      throw error;
    }
    if (keys.stateOf(tenant) === 'locked') keys.putInUse(tenant);
    this.resume();
  }

  /**
   * For ever. The caller has seen that two people want it. Crash order: 1. one transaction: the keys are written over and
   * removed, the tenant is shredded, the record; 2. the log of the database is cut off; 3. a younger root key, and the
   * older ones are forgotten: what is left anywhere of the wrapped keys opens with nothing; 4. names, versions and blobs
   * go. What a crash leaves of 2 to 4 stands beside the tenant's state.
   */
  async shred(tenant: string, act: Act): Promise<Shredded> {
    const { keys, store, record, endSessions } = this.parts;
    if (keys.stateOf(tenant) === 'shredded') keys.requireUsable(tenant);
    const destroyed = await store.write(() => {
      act.within?.();
      const ids = store.tenantKeysOf(tenant).map(({ id }) => id);
      store.removeTenantKeys(tenant);
      store.setTenantState({ tenant, state: 'shredded', left: 'traces' });
      record({ ...act, action: 'tenant.shred', tenant, what: tenant, detail: { keys: ids } });
      return ids.length;
    });
    keys.takeOut(tenant, 'shredded');
    const ended = endSessions(tenant, 'the keys of the tenant were destroyed');
    const traces = await this.inLine(() =>
      this.removeTraces([tenant], { actor: act.actor, approvedBy: act.approvedBy }),
    ).catch((error: unknown) => {
      this.parts.report(error);
      return 'pending' as const;
    });
    this.resume();
    return { keys: destroyed, ended, traces };
  }

  /** Whatever is left to do is done in the background; to be called at start. */
  resume(): void {
    if (this.stopped || !this.somethingLeft()) return;
    void this.inLine(() => this.catchUp()).catch((error: unknown) => {
      this.parts.report(error);
      this.later();
    });
  }

  /** Resolves when nothing is under way; what is left waits for the next start. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.line;
    this.parts.keys.roots.close();
  }

  /** For tests, and for whoever wants to wait. */
  async settled(): Promise<void> {
    await this.line;
  }

  private somethingLeft(): boolean {
    return this.rotation.left || this.rewrapping.left || this.unfinished().length > 0;
  }

  private async catchUp(): Promise<void> {
    if (this.stopped) return;
    const traced = this.unfinished().filter(({ left }) => left === 'traces');
    if (traced.length > 0) {
      await this.removeTraces(
        traced.map(({ tenant }) => tenant),
        BY_ITSELF,
      );
    }
    if (this.rotation.left) await this.rotation.finish();
    await this.rewrapping.finish();
    for (const { tenant } of this.unfinished()) await this.removeContents(tenant);
    if (this.somethingLeft()) this.later();
  }

  private async removeTraces(tenants: readonly string[], act: Act): Promise<'gone' | 'kept'> {
    const { store } = this.parts;
    await this.cutLog();
    // Again from the beginning when a crash cut it off: one version more is no harm.
    await this.rotation.begin(act, 'shredding');
    const { destroyed } = await this.rotation.finish(true);
    if (this.stopped) throw new WaybillError('not-running', 'the server stops; the rest follows with the next start');
    // The pages of the log hold the wrapped keys of everybody, by the root key that is gone now.
    await this.cutLog();
    await store.write(() => {
      for (const tenant of tenants) store.setTenantState({ tenant, state: 'shredded', left: 'contents' });
    });
    return destroyed ? 'gone' : 'kept';
  }

  private async removeContents(tenant: string): Promise<void> {
    const { store, record, removeContents } = this.parts;
    const { files, done } = await removeContents(tenant, () => this.stopped);
    if (!done) return;
    await store.write(() => {
      // Removed by the operator meanwhile.
      if (!store.tenantStates().some((row) => row.tenant === tenant)) return;
      store.setTenantState({ tenant, state: 'shredded', left: 'nothing' });
      record({ ...BY_ITSELF, action: 'tenant.shred-contents', tenant, what: tenant, detail: { files } });
    });
  }

  private unfinished(): TenantStateRow[] {
    return this.parts.store.tenantStates().filter(({ left }) => left !== 'nothing');
  }

  private async cutLog(): Promise<void> {
    for (let tries = 0; tries < CUT_TRIES; tries++) {
      if (this.parts.store.cutLog()) return;
      await new Promise((resolve) => setTimeout(resolve, CUT_WAIT_MS));
    }
    throw new WaybillError('in-use', 'a reader of the database keeps its log from being cut off');
  }

  /** The act itself stands; what could not be finished now is told, and tried again. */
  private async orLater(work: () => Promise<Rewrapped>): Promise<Rewrapped> {
    try {
      const done = await work();
      if (this.rotation.left) this.later();
      return done;
    } catch (error) {
      this.parts.report(error);
      this.later();
      return { rewrapped: 0, stuck: this.parts.store.roots().length - 1, retired: [], destroyed: false };
    }
  }

  private later(): void {
    if (this.timer !== null || this.stopped) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.resume();
    }, AGAIN_MS);
    this.timer.unref();
  }

  private inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.line.then(work);
    this.line = done.catch(() => undefined);
    return done;
  }
}
