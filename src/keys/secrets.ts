/**
 * The keys that small secrets are sealed with (TOTP secrets). They are wrapped by the root key as tenant keys are; a
 * rotation of the root key adds a younger one for what is sealed from then on. Older ones stay and are wrapped again with
 * the rest, so that nothing that is sealed anywhere has to be found and rewritten.
 */
import { createSecretKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import type { RootKeys } from './root-keys.ts';
import type { Sealer } from './sealer.ts';
import { openWith, sealWith } from './sealing.ts';
import type { KeyStore, SecretsKeyRow } from './store.ts';

const FORM = 3;
const OLD_FORM = 1;
const ID_BYTES = 16;
/** The one that older data folders derived from their root key; what it sealed names no key. */
const OLD_ID = '00'.repeat(ID_BYTES);

export class Secrets implements Sealer {
  private readonly keys = new Map<string, KeyObject>();
  private youngest: string | null = null;

  /** `make`: those of a data folder that has none; null for a reader. One that cannot be opened stops the start: what it sealed lets people sign in. */
  async load(store: KeyStore, roots: RootKeys, make: 'new' | 'known' | null): Promise<void> {
    const rows = store.secretsKeys();
    const bare = await roots.unwrap(rows.map((row) => ({ ...row, purpose: purposeOf(row.id) })));
    rows.forEach((row, at) => {
      const key = bare[at] ?? null;
      if (key === null)
        throw new WaybillError(
          'root-key-wrong',
          `the root key ${row.root} does not open the keys of this data folder: it is another one, or its version was removed or is not allowed to decrypt`,
        );
      this.add(row.id, key);
    });
    if (rows.length > 0 || make === null) return;
    const made = await prepareFirst(roots, make === 'known');
    await store.write(() => {
      for (const { row } of made) store.insertSecretsKey(row);
    });
    for (const { row, key } of made) this.add(row.id, key);
  }

  /** Wrapped and ready; in use once `add` is called, after the write that inserts its row. */
  static async prepare(
    roots: RootKeys,
    id = randomBytes(ID_BYTES).toString('hex'),
    key: Buffer = randomBytes(32),
  ): Promise<{ row: SecretsKeyRow; key: Buffer }> {
    const [wrapped] = await roots.wrap([{ purpose: purposeOf(id), key }]);
    if (wrapped === undefined) throw new WaybillError('internal', 'the key was not wrapped');
    return { row: { id, ...wrapped }, key };
  }

  /** The bare key is wiped. */
  add(id: string, key: Buffer): void {
    this.keys.set(id, createSecretKey(key));
    key.fill(0);
    this.youngest = id;
  }

  seal(purpose: string, plaintext: Uint8Array): Buffer {
    const id = this.youngest;
    const key = id === null ? undefined : this.keys.get(id);
    if (id === null || key === undefined) throw new WaybillError('key-unavailable', 'there is no key for secrets');
    const head = Buffer.concat([Buffer.of(FORM), Buffer.from(id, 'hex')]);
    return Buffer.concat([head, sealWith(key, `seal ${purpose}`, plaintext)]);
  }

  open(purpose: string, sealed: Uint8Array): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const named = bytes[0] === FORM;
    const id = named ? bytes.toString('hex', 1, 1 + ID_BYTES) : OLD_ID;
    const key = this.keys.get(id);
    if (key === undefined || (!named && bytes[0] !== OLD_FORM))
      throw new WaybillError('key-unavailable', `what was sealed for "${purpose}" was altered, or its key is gone`);
    return openWith(key, `seal ${purpose}`, named ? bytes.subarray(1 + ID_BYTES) : bytes);
  }
}

export function purposeOf(id: string): string {
  return `secrets key ${id}`;
}

/** In a data folder from before there were such keys, the derived one is taken over under its own name. */
async function prepareFirst(roots: RootKeys, before: boolean): Promise<{ row: SecretsKeyRow; key: Buffer }[]> {
  const { root } = roots.current;
  const derived = !before ? null : (roots.providerOf(root).old?.secretsKey(root) ?? null);
  const old = derived === null ? [] : [await Secrets.prepare(roots, OLD_ID, derived)];
  return [...old, await Secrets.prepare(roots)];
}
