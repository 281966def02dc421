/**
 * A younger root key for everything, without touching stored bytes. Crash order:
 *
 *   1. the provider makes the new version, durably; a crash leaves it unused, and the next start takes it into use
 *   2. one transaction: it is current, the one before is old; the record. What is wrapped from now on is wrapped by it
 *   3. batches of wrapped keys, each wrapped again and replaced in one transaction
 *   4. an old version that wraps nothing any more: retiring, in one transaction that looks once more
 *   5. its provider forgets it
 *   6. one transaction: its row goes; the record
 *
 * Whatever a crash leaves in 3 to 6 stands in the rows, and `finish` goes on from there.
 */
import { WaybillError } from '../base/errors.ts';
import { tenantPurpose } from './keys.ts';
import type { Keys } from './keys.ts';
import { BY_ITSELF } from './records.ts';
import type { Act, RecordKeyAct } from './records.ts';
import type { RootReference } from './root-key-provider.ts';
import { purposeOf, Secrets } from './secrets.ts';
import type { KeyStore, WrappedRow } from './store.ts';

const BATCH = 128;

export interface RootRotationParts {
  readonly keys: Keys;
  readonly store: KeyStore;
  readonly record: RecordKeyAct;
  /** True once the server is to stop: what is left waits for the next start. */
  readonly stopped: () => boolean;
}

export interface Rewrapped {
  readonly rewrapped: number;
  /** Keys that do not open, so that the version that wraps them has to stay. */
  readonly stuck: number;
  readonly retired: readonly RootReference[];
  /** False when a provider keeps a retired version all the same. */
  readonly destroyed: boolean;
}

export class RootRotation {
  private readonly parts: RootRotationParts;

  constructor(parts: RootRotationParts) {
    this.parts = parts;
  }

  /** Also the way from one provider to another: the new version is made where the options say. */
  async begin(act: Act, reason: string): Promise<{ from: RootReference; to: RootReference }> {
    const { keys, store, record } = this.parts;
    const { roots, secrets } = keys;
    await this.takeAhead();
    const from = roots.current.root;
    const { wanted } = roots;
    const known = await wanted.latest();
    if (known === null && wanted.owns(from)) throw new WaybillError('root-key-missing', `${wanted.place} is missing`);
    const to = known === null ? await wanted.create() : await wanted.rotate();
    await store.write(() => {
      act.within?.();
      store.addRoot(to, wanted.checkValue(to));
      record({ ...act, action: 'rootkey.rotate', tenant: null, what: to, detail: { from, to, reason } });
    });
    const fresh = await Secrets.prepare(roots);
    await store.write(() => {
      store.insertSecretsKey(fresh.row);
    });
    secrets.add(fresh.row.id, fresh.key);
    return { from, to };
  }

  get left(): boolean {
    return this.parts.keys.roots.ahead !== null || this.parts.store.roots().length > 1;
  }

  /** A version that was found at the start. */
  private async takeAhead(): Promise<void> {
    const { keys, store, record } = this.parts;
    const { roots } = keys;
    const { ahead: to } = roots;
    if (to === null) return;
    await store.write(() => {
      const from = roots.current.root;
      if (store.roots().some(({ root }) => root === to)) return;
      store.addRoot(to, roots.providerOf(to).checkValue(to));
      const detail = { from, to, reason: 'found at the start' };
      record({ ...BY_ITSELF, action: 'rootkey.rotate', tenant: null, what: to, detail });
    });
    roots.ahead = null;
  }

  /** `thorough`: providers do what they can so that old copies of the database open with nothing that is kept. */
  async finish(thorough = false): Promise<Rewrapped> {
    await this.takeAhead();
    const done = { rewrapped: 0, stuck: 0 };
    if (this.left) for (const kind of ['secrets', 'tenant'] as const) await this.rewrapAll(kind, done);
    return { ...done, ...(await this.retireEmpty(thorough, done)) };
  }

  private async rewrapAll(kind: WrappedRow['kind'], done: { rewrapped: number; stuck: number }): Promise<void> {
    const { keys, store, stopped } = this.parts;
    const current = keys.roots.current.root;
    for (let after = 0; !stopped();) {
      const rows = store.wrappedByOthers(kind, current, after, BATCH);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.serial;
      const fresh = await keys.roots.rewrap(rows.map((row) => ({ ...row, purpose: purposeOfRow(row) })));
      await store.write(() => {
        rows.forEach((row, at) => {
          const wrapped = fresh[at] ?? null;
          if (wrapped !== null) store.replaceWrapped(row, wrapped.root, wrapped.wrapped);
        });
      });
      const stuck = rows.filter((_, at) => (fresh[at] ?? null) === null).length;
      done.stuck += stuck;
      done.rewrapped += rows.length - stuck;
    }
  }

  private async retireEmpty(
    thorough: boolean,
    counts: { rewrapped: number; stuck: number },
  ): Promise<Pick<Rewrapped, 'retired' | 'destroyed'>> {
    const { keys, store, record, stopped } = this.parts;
    if (stopped()) return { retired: [], destroyed: false };
    const retired = await store.write(() => {
      const empty = store.roots().filter(({ root, state }) => state !== 'current' && store.countWrapped(root) === 0);
      for (const { root } of empty) store.setRootState(root, 'retiring');
      return empty.map(({ root }) => root);
    });
    if (retired.length === 0) return { retired, destroyed: counts.stuck === 0 };
    const destroyed = await keys.roots.retire(retired, thorough);
    await store.write(() => {
      for (const root of retired) {
        store.removeRoot(root);
        const detail = { ...counts, destroyed };
        record({ ...BY_ITSELF, action: 'rootkey.retire', tenant: null, what: root, detail });
      }
    });
    return { retired, destroyed: destroyed && counts.stuck === 0 };
  }
}

function purposeOfRow({ kind, id, tenant }: WrappedRow): string {
  return kind === 'secrets' ? purposeOf(id) : tenantPurpose(tenant ?? '', id);
}
