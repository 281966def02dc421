/**
 * Root keys in HashiCorp Vault's Transit engine: Vault wraps and unwraps, and the root key never leaves it. The key has to
 * be there; Waybill makes none, and asks for it before anything is encrypted, because encrypting under a name that does
 * not exist may make a key of that name.
 */
import { z } from 'zod';
import { WaybillError } from '../base/errors.ts';
import type { RootKeyProvider, RootReference, Wrapped } from './root-key-provider.ts';
import { VaultClient } from './vault-client.ts';
import type { VaultClientOptions } from './vault-client.ts';

export interface VaultTransitOptions extends VaultClientOptions {
  /** Path of the engine, without slashes at its ends. */
  readonly mount: string;
  readonly key: string;
}

const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/]{16,4096}={0,2}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const NAME = 'vault';

const keyAnswer = z.object({
  data: z.object({
    latest_version: z.number().int().min(1),
    supports_encryption: z.boolean(),
    supports_decryption: z.boolean(),
    derived: z.boolean().optional(),
  }),
});
const failed = z.object({ error: z.string().min(1) });
const ciphertexts = z.object({
  data: z.object({ batch_results: z.array(z.union([failed, z.object({ ciphertext: z.string() })])) }),
});
const plaintexts = z.object({
  data: z.object({ batch_results: z.array(z.union([failed, z.object({ plaintext: z.string() })])) }),
});

export class VaultTransit implements RootKeyProvider {
  readonly name = NAME;
  readonly place: string;
  private readonly client: VaultClient;
  private readonly mount: string;
  private readonly key: string;
  private latestVersion: number | null = null;

  constructor(options: VaultTransitOptions) {
    this.client = new VaultClient(options);
    this.mount = options.mount;
    this.key = options.key;
    this.place = `HashiCorp Vault at ${options.address}, key ${options.mount}/${options.key}`;
  }

  /** Rejects when there is no such key: making one is the work of whoever runs Vault. */
  async latest(): Promise<RootReference> {
    const answer = await this.client.request('GET', this.path('keys')).catch((error: unknown) => {
      if (!(error instanceof WaybillError) || error.code !== 'root-key-missing') throw error;
      const make = `vault write -f ${this.path('keys')}`;
      throw new WaybillError(
        'root-key-missing',
        `${this.place}: there is no such key. If it never was there, run: ${make}`,
      );
    });
    const { latest_version: version, ...can } = this.client.parse(keyAnswer, answer).data;
    if (!can.supports_encryption || !can.supports_decryption || can.derived === true)
      throw new WaybillError('root-key-wrong', `${this.place}: the key must encrypt and decrypt without derivation`);
    this.latestVersion = version;
    return this.reference(version);
  }

  create(): Promise<RootReference> {
    return this.latest();
  }

  async rotate(): Promise<RootReference> {
    await this.client.request('POST', `${this.path('keys')}/rotate`, {});
    return this.latest();
  }

  async wrap(secrets: readonly Buffer[]): Promise<Wrapped[]> {
    if (this.latestVersion === null) await this.latest();
    const input = secrets.map((secret) => ({ plaintext: secret.toString('base64') }));
    const results = await this.batch('encrypt', ciphertexts, input);
    return results.map((one) => {
      const wrapped = this.wrapped(one);
      if (wrapped === null) throw this.odd('did not encrypt');
      return wrapped;
    });
  }

  async unwrap(wrapped: readonly Wrapped[]): Promise<(Buffer | null)[]> {
    const input = wrapped.map(({ payload }) => ({ ciphertext: payload.toString('latin1') }));
    const results = await this.batch('decrypt', plaintexts, input);
    return results.map((one) => {
      if ('error' in one) return null;
      if (!BASE64.test(one.plaintext)) throw this.odd('did not answer in base64');
      return Buffer.from(one.plaintext, 'base64');
    });
  }

  async rewrap(wrapped: readonly Wrapped[]): Promise<(Wrapped | null)[]> {
    const input = wrapped.map(({ payload }) => ({ ciphertext: payload.toString('latin1') }));
    const results = await this.batch('rewrap', ciphertexts, input);
    return results.map((one) => this.wrapped(one));
  }

  owns(root: RootReference): boolean {
    return this.versionOf(root) !== null;
  }

  /** Only opening something shows whether it is the same key. */
  checkValue(): null {
    return null;
  }

  /**
   * Vault keeps old versions until they are trimmed, which nothing brings back. That takes rights that an installation
   * may well withhold (docs/keys.md): then they stay, and false says so.
   */
  async retire(roots: readonly RootReference[], keep: readonly RootReference[], thorough: boolean): Promise<boolean> {
    if (!thorough) return false;
    const versions = (of: readonly RootReference[]): number[] => of.flatMap((root) => this.versionOf(root) ?? []);
    const least = Math.min(...versions(keep));
    if (!Number.isFinite(least) || versions(roots).some((version) => version >= least)) return false;
    try {
      const limits = { min_decryption_version: least, min_encryption_version: least };
      await this.client.request('POST', `${this.path('keys')}/config`, limits);
      await this.client.request('POST', `${this.path('keys')}/trim`, { min_available_version: least });
      return true;
    } catch (error) {
      if (error instanceof WaybillError && error.code === 'root-key-denied') return false;
      throw error;
    }
  }

  close(): void {
    this.client.close();
  }

  private async batch<T>(
    action: 'encrypt' | 'decrypt' | 'rewrap',
    schema: z.ZodType<{ data: { batch_results: T[] } }>,
    input: readonly object[],
  ): Promise<T[]> {
    if (input.length === 0) return [];
    const answer = await this.client.request('POST', this.path(action), { batch_input: input });
    const results = this.client.parse(schema, answer).data.batch_results;
    if (results.length !== input.length) throw this.odd('lost a part of the question');
    return results;
  }

  private wrapped(one: { error: string } | { ciphertext: string }): Wrapped | null {
    if ('error' in one) return null;
    const version = CIPHERTEXT.exec(one.ciphertext)?.[1];
    if (version === undefined) throw this.odd('did not answer with a ciphertext of Vault');
    return { root: this.reference(Number(version)), payload: Buffer.from(one.ciphertext, 'latin1') };
  }

  private path(part: 'keys' | 'encrypt' | 'decrypt' | 'rewrap'): string {
    return `${this.mount}/${part}/${this.key}`;
  }

  private reference(version: number): RootReference {
    return `${NAME}:${this.mount}/${this.key}:${version}`;
  }

  private versionOf(root: RootReference): number | null {
    const start = `${NAME}:${this.mount}/${this.key}:`;
    const version = root.startsWith(start) ? root.slice(start.length) : '';
    return /^[1-9]\d{0,8}$/.test(version) ? Number(version) : null;
  }

  private odd(what: string): WaybillError {
    return new WaybillError('root-key-answer-invalid', `${this.place}: ${what}`);
  }
}
