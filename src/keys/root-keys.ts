/**
 * The versions of the root key that this data folder uses, over the providers they are of. The wanted provider is the one
 * that the options name; the keys stay with the one they are wrapped by until a rotation moves them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { packWrapped, unpackWrapped } from './root-key-provider.ts';
import type { RootKeyProvider, RootReference } from './root-key-provider.ts';
import type { KeyStore, RootRow } from './store.ts';

const BINDING_BYTES = 32;
const KEY_BYTES = 32;
/** Asked of a provider at once. */
const TOGETHER = 128;

export interface WrappedKey {
  readonly root: RootReference;
  readonly wrapped: Buffer;
}

/** A stored key and what it must be bound to. */
export interface StoredKey {
  readonly purpose: string;
  readonly root: RootReference;
  readonly wrapped: Uint8Array;
}

export class RootKeys {
  readonly wanted: RootKeyProvider;
  private readonly providers: readonly RootKeyProvider[];
  private readonly store: KeyStore;
  /**
   * A version that the current provider has and the data folder does not know: rotated by somebody else (Vault does that
   * by itself when it is told to), or by a rotation that a crash cut off. To be taken into use, with a record.
   */
  ahead: RootReference | null = null;
  /** By this process. What was wrapped a moment before must not be stored a moment after. */
  private readonly retired = new Set<RootReference>();

  /** The first provider is the wanted one. */
  constructor(store: KeyStore, providers: readonly RootKeyProvider[]) {
    const [wanted] = providers;
    if (wanted === undefined) throw new RangeError('no provider of root keys');
    this.wanted = wanted;
    this.providers = providers;
    this.store = store;
  }

  /** The version that wraps what is new. */
  get current(): RootRow {
    const row = this.store.roots().find(({ state }) => state === 'current');
    if (row === undefined) throw new WaybillError('data-folder-invalid', 'the data folder names no root key');
    return row;
  }

  /**
   * Looks that every version in use is there and is the one it was. A missing or other root key over existing content is
   * refused: a new one would make that content unreadable for ever while looking healthy. Answers whether the data
   * folder has had none; a reader makes none.
   */
  async open(create: boolean): Promise<'new' | 'known'> {
    const known = this.store.roots().filter(({ state }) => state !== 'retiring');
    if (known.length > 0) {
      for (const provider of new Set(known.map((row) => this.providerOf(row.root))))
        await this.confirm(provider, known);
      return 'known';
    }
    if (!create)
      throw new WaybillError('data-folder-invalid', 'the data folder has no keys yet. Start the server on it once');
    // The key is durable before the data folder remembers it; a crash between the two finds it again here.
    const root = (await this.wanted.latest()) ?? (await this.wanted.create());
    await this.store.write(() => {
      this.store.addRoot(root, this.wanted.checkValue(root));
    });
    return 'new';
  }

  /** Inside the write that stores a key that was wrapped before it. */
  refuseRetired(root: RootReference): void {
    const retiring = this.store.roots().some((row) => row.root === root && row.state === 'retiring');
    if (retiring || this.retired.has(root))
      throw new WaybillError('in-use', 'the root key was rotated meanwhile; try again');
  }

  /** Of versions in state `retiring`. False when the provider keeps one of them. */
  async retire(roots: readonly RootReference[], thorough: boolean): Promise<boolean> {
    for (const root of roots) this.retired.add(root);
    const keep = this.store.roots().flatMap(({ root, state }) => (state === 'retiring' ? [] : [root]));
    // The options of a provider that nothing is wrapped by any more may have been taken away meanwhile.
    let gone = roots.every((root) => this.providers.some((provider) => provider.owns(root)));
    for (const provider of this.providers.filter((one) => roots.some((root) => one.owns(root)))) {
      const own = (all: readonly RootReference[]): RootReference[] => all.filter((root) => provider.owns(root));
      gone = (await provider.retire(own(roots), own(keep), thorough)) && gone;
    }
    return gone;
  }

  providerOf(root: RootReference): RootKeyProvider {
    const provider = this.providers.find((one) => one.owns(root));
    if (provider !== undefined) return provider;
    const [name = ''] = root.split(':');
    const known = this.providers.find((one) => one.name === name);
    throw known === undefined
      ? new WaybillError(
          'root-key-missing',
          `the root key ${root} of this data folder is not in ${this.wanted.place}: give the options of the provider "${name}" too`,
        )
      : new WaybillError('root-key-wrong', `the root key of this data folder is ${root}, not one of ${known.place}`);
  }

  async wrap(keys: readonly { readonly purpose: string; readonly key: Buffer }[]): Promise<WrappedKey[]> {
    const provider = this.providerOf(this.current.root);
    const bound = keys.map(({ purpose, key }) => Buffer.concat([binding(purpose), key]));
    try {
      const answer: WrappedKey[] = [];
      for (const part of parts(bound))
        for (const wrapped of await provider.wrap(part))
          answer.push({ root: wrapped.root, wrapped: packWrapped(wrapped) });
      await this.verify(answer.map((one, at) => ({ ...one, purpose: must(keys[at]).purpose })));
      return answer;
    } finally {
      for (const one of bound) one.fill(0);
    }
  }

  /** Null for what was altered, is bound to something else, or is wrapped by a version that is gone. */
  async unwrap(stored: readonly StoredKey[]): Promise<(Buffer | null)[]> {
    const answer = new Array<Buffer | null>(stored.length).fill(null);
    const groups = new Map<RootKeyProvider, number[]>();
    stored.forEach((one, at) => {
      const wrapped = unpackWrapped(one.wrapped);
      // What the bytes say counts; the column beside them only finds rows.
      if (wrapped === null) answer[at] = this.unwrapOld(one);
      else if (this.providers.some((provider) => provider.owns(wrapped.root))) {
        const provider = this.providerOf(wrapped.root);
        const group = groups.get(provider);
        if (group === undefined) groups.set(provider, [at]);
        else group.push(at);
      }
    });
    for (const [provider, places] of groups) await unwrapInto(answer, provider, stored, places);
    return answer;
  }

  /** To the current version. Through the provider's own rewrapping where it stays the same: then no key is shown. */
  async rewrap(stored: readonly StoredKey[]): Promise<(WrappedKey | null)[]> {
    const to = this.providerOf(this.current.root);
    const answer = new Array<WrappedKey | null>(stored.length).fill(null);
    const inside: number[] = [];
    const across: number[] = [];
    stored.forEach(({ wrapped }, at) => {
      const root = unpackWrapped(wrapped)?.root;
      (root !== undefined && to.owns(root) ? inside : across).push(at);
    });
    for (const part of parts(inside)) {
      const found = await to.rewrap(part.map((at) => must(unpackWrapped(must(stored[at]).wrapped))));
      part.forEach((at, index) => {
        const wrapped = found[index] ?? null;
        if (wrapped !== null) answer[at] = { root: wrapped.root, wrapped: packWrapped(wrapped) };
      });
    }
    await this.verify(
      inside.flatMap((at) => {
        const one = answer[at] ?? null;
        return one === null ? [] : [{ ...one, purpose: must(stored[at]).purpose }];
      }),
    );
    await this.moveAcross(answer, stored, across);
    return answer;
  }

  /** Before anything relies on it, or takes the place of what did open. */
  private async verify(made: readonly StoredKey[]): Promise<void> {
    const keys = await this.unwrap(made);
    for (const key of keys) key?.fill(0);
    const at = keys.indexOf(null);
    if (at >= 0)
      throw new WaybillError(
        'root-key-answer-invalid',
        `what ${this.providerOf(must(made[at]).root).place} wrapped does not open again; nothing was changed`,
      );
  }

  close(): void {
    for (const provider of this.providers) provider.close?.();
  }

  private async moveAcross(
    answer: (WrappedKey | null)[],
    stored: readonly StoredKey[],
    places: number[],
  ): Promise<void> {
    const keys = await this.unwrap(places.map((at) => must(stored[at])));
    const opened = places.flatMap((at, index) => {
      const key = keys[index] ?? null;
      return key === null ? [] : [{ at, key, purpose: must(stored[at]).purpose }];
    });
    const wrapped = await this.wrap(opened);
    opened.forEach(({ at, key }, index) => {
      key.fill(0);
      answer[at] = wrapped[index] ?? null;
    });
  }

  private unwrapOld({ purpose, root, wrapped }: StoredKey): Buffer | null {
    for (const provider of this.providers) {
      const key = provider.old?.unwrap(root, purpose, wrapped) ?? null;
      if (key !== null) return key;
    }
    return null;
  }

  private async confirm(provider: RootKeyProvider, known: readonly RootRow[]): Promise<void> {
    const latest = await provider.latest();
    const own = known.filter(({ root }) => provider.owns(root));
    for (const row of own) refuseOther(provider, row, latest);
    const isCurrent = own.some(({ state }) => state === 'current');
    if (isCurrent && !own.some(({ root }) => root === latest)) this.ahead = latest;
  }
}

function refuseOther(provider: RootKeyProvider, { root, check }: RootRow, latest: RootReference | null): void {
  const { place } = provider;
  if (latest === null)
    throw new WaybillError(
      'root-key-missing',
      `${place} is missing (root key ${root}). Put it back from its safe copy; without it the content cannot be read`,
    );
  if (check === null) return;
  const found = provider.checkValue(root);
  if (found === null || found.length !== check.length || !timingSafeEqual(found, check))
    throw new WaybillError(
      'root-key-wrong',
      `${place} holds another root key than ${root}, or was altered. Put the right one back from its safe copy`,
    );
}

async function unwrapInto(
  answer: (Buffer | null)[],
  provider: RootKeyProvider,
  stored: readonly StoredKey[],
  places: readonly number[],
): Promise<void> {
  for (const part of parts(places)) {
    const found = await provider.unwrap(part.map((at) => must(unpackWrapped(must(stored[at]).wrapped))));
    part.forEach((at, index) => {
      answer[at] = unbind(must(stored[at]).purpose, found[index] ?? null);
    });
  }
}

/**
 * A wrapped key is bound to its owner by what is wrapped, so that swapped rows open nothing whatever the provider is, and
 * so that a service can rewrap it without knowing to whom it belongs.
 */
function binding(purpose: string): Buffer {
  return createHash('sha256').update('waybill wrapped key\0').update(purpose).digest();
}

function unbind(purpose: string, bound: Buffer | null): Buffer | null {
  if (bound === null) return null;
  const fits =
    bound.length === BINDING_BYTES + KEY_BYTES && timingSafeEqual(bound.subarray(0, BINDING_BYTES), binding(purpose));
  const key = fits ? Buffer.from(bound.subarray(BINDING_BYTES)) : null;
  bound.fill(0);
  return key;
}

function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += TOGETHER) yield all.slice(at, at + TOGETHER);
}

function must<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new WaybillError('internal', 'a list of keys lost one');
  return value;
}
