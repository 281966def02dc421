/**
 * HashiCorp Vault's HTTP API, as far as root keys need it: signing in, keeping the token alive, requests with retries.
 * What Vault (or whatever answers at its address) says in words is never passed on: it could repeat a key that it was sent.
 */
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { WaybillError } from '../base/errors.ts';
import { exchange } from './vault-http.ts';
import type { VaultAnswer } from './vault-http.ts';

export type VaultCredential =
  | { readonly kind: 'token'; readonly file: string }
  | { readonly kind: 'approle'; readonly mount: string; readonly roleIdFile: string; readonly secretIdFile: string };

export interface VaultClientOptions {
  /** "https://vault.example:8200" */
  readonly address: string;
  readonly namespace: string | null;
  readonly credential: VaultCredential;
  /** PEM of the authorities that its certificate is checked with; the system's when null. */
  readonly ca: string | null;
  readonly timeoutMs?: number;
  /** Before each further try, in milliseconds. */
  readonly backOff?: readonly number[];
  /** Hears of a token that could not be renewed; the next request signs in again. */
  readonly report?: (error: unknown) => void;
}

const TIMEOUT_MS = 10_000;
const BACK_OFF_MS = [200, 600, 1500] as const;
const SECRET_MAX = 8192;
const LEASE_MAX_SECONDS = 7 * 86_400;
/** Part of its life after which a token is renewed. */
const RENEW_AFTER = 2 / 3;
/** Vault's own for "try again": standby nodes, rate limits, failures inside, being unsealed just now. */
const TRANSIENT: ReadonlySet<number> = new Set([412, 429, 472, 473, 500, 502, 503, 504]);

const auth = z.object({
  auth: z.object({
    client_token: z.string(),
    lease_duration: z.number().int().min(0),
    renewable: z.boolean(),
  }),
});
const self = z.object({ data: z.object({ ttl: z.number().int().min(0), renewable: z.boolean() }) });

export class VaultClient {
  private readonly options: VaultClientOptions;
  private token: string | null = null;
  private renewal: NodeJS.Timeout | null = null;
  private signingIn: Promise<string> | null = null;
  private closed = false;

  constructor(options: VaultClientOptions) {
    this.options = options;
  }

  get address(): string {
    return this.options.address;
  }

  /** The parsed body of a 200 or 204 (then {}); of a 400 as well when it holds results of a batch. */
  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const token = this.token ?? (await this.signIn());
    let answer = await this.send(method, path, token, body);
    if (answer.status === 403 && this.mayHaveExpired(token))
      answer = await this.send(method, path, await this.signIn(), body);
    return this.accept(answer, path);
  }

  close(): void {
    this.closed = true;
    if (this.renewal !== null) clearTimeout(this.renewal);
    this.renewal = null;
    this.token = null;
  }

  /** Several requests at once share one sign-in. */
  private signIn(): Promise<string> {
    this.signingIn ??= this.newToken().finally(() => {
      this.signingIn = null;
    });
    return this.signingIn;
  }

  private async newToken(): Promise<string> {
    const { credential } = this.options;
    if (credential.kind === 'token') {
      const token = readSecretFile(credential.file);
      this.token = token;
      await this.watchToken(token);
      return token;
    }
    const path = `auth/${credential.mount}/login`;
    const login = {
      role_id: readSecretFile(credential.roleIdFile),
      secret_id: readSecretFile(credential.secretIdFile),
    };
    const answer = await this.send('POST', path, null, login);
    // Vault answers 400 to a role or secret id that it does not know.
    if (answer.status === 400) throw denied(this.options.address, path);
    const {
      client_token: token,
      lease_duration: seconds,
      renewable,
    } = this.parse(auth, this.accept(answer, path)).auth;
    this.token = checkSecret(token, 'the token that it gave');
    this.renewLater(seconds, renewable);
    return token;
  }

  /** How long a token from a file lives only Vault knows; one that may not ask is not renewed. Trying once will do. */
  private async watchToken(token: string): Promise<void> {
    const answer = await this.send('GET', 'auth/token/lookup-self', token, undefined, []);
    if (answer.status !== 200) return;
    const { ttl, renewable } = this.parse(self, answer.body).data;
    this.renewLater(ttl, renewable);
  }

  private renewLater(seconds: number, renewable: boolean): void {
    if (this.renewal !== null) clearTimeout(this.renewal);
    this.renewal = null;
    // 0: it lives for ever.
    if (seconds === 0 || this.closed) return;
    const ms = Math.min(seconds, LEASE_MAX_SECONDS) * 1000 * RENEW_AFTER;
    this.renewal = setTimeout(() => {
      void this.renew(renewable);
    }, ms);
    this.renewal.unref();
  }

  private async renew(renewable: boolean): Promise<void> {
    const { token } = this;
    if (this.closed) return;
    try {
      const answer = renewable && token !== null ? await this.send('POST', 'auth/token/renew-self', token, {}) : null;
      if (answer?.status === 200) {
        const { lease_duration: seconds, renewable: again } = this.parse(auth, answer.body).auth;
        this.renewLater(seconds, again);
        return;
      }
      // At the end of its longest life, or taken away: a new one.
      this.token = null;
      if (this.options.credential.kind === 'approle') await this.signIn();
    } catch (error) {
      this.token = null;
      this.options.report?.(error);
    }
  }

  private mayHaveExpired(token: string): boolean {
    const { credential } = this.options;
    if (this.token === token) this.token = null;
    // Vault Agent, or the operator, may have put another one there.
    return credential.kind === 'approle' || readSecretFile(credential.file) !== token;
  }

  private async send(
    method: string,
    path: string,
    token: string | null,
    body?: unknown,
    waits: readonly number[] = this.options.backOff ?? BACK_OFF_MS,
  ): Promise<VaultAnswer> {
    for (let tries = 0; ; tries++) {
      const wait = waits[tries];
      try {
        const answer = await exchange({
          url: `${this.options.address}/v1/${path}`,
          method,
          token,
          namespace: this.options.namespace,
          ca: this.options.ca,
          body,
          timeoutMs: this.options.timeoutMs ?? TIMEOUT_MS,
        });
        if (wait === undefined || !TRANSIENT.has(answer.status)) return answer;
      } catch (error) {
        if (wait === undefined || !(error instanceof WaybillError) || error.code !== 'root-key-unreachable')
          throw error;
      }
      await pause(wait);
    }
  }

  private accept({ status, body }: VaultAnswer, path: string): unknown {
    const { address } = this.options;
    if (status === 200 || status === 204) return body ?? {};
    if (status === 400 && hasBatchResults(body)) return body;
    if (status === 403) throw denied(address, path);
    if (status === 404) throw new WaybillError('root-key-missing', `Vault at ${address} knows no ${path}`);
    if (status === 503 || status === 501)
      throw new WaybillError('root-key-sealed', `Vault at ${address} is sealed, or not initialised (${status})`);
    if (TRANSIENT.has(status))
      throw new WaybillError('root-key-unreachable', `Vault at ${address} answers ${status} to ${path}`);
    throw new WaybillError('root-key-answer-invalid', `Vault at ${address} answers ${status} to ${path}`);
  }

  parse<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
    const found = schema.safeParse(body);
    if (found.success) return found.data;
    // Which field is wrong may be said; what it holds may not.
    const where = found.error.issues[0]?.path.join('.') ?? '';
    throw new WaybillError(
      'root-key-answer-invalid',
      `Vault at ${this.options.address} answers in an unknown form (${where === '' ? 'the whole' : where})`,
    );
  }
}

function hasBatchResults(body: unknown): boolean {
  return z.object({ data: z.object({ batch_results: z.array(z.unknown()) }) }).safeParse(body).success;
}

function denied(address: string, path: string): WaybillError {
  return new WaybillError('root-key-denied', `Vault at ${address} does not allow ${path}`);
}

/** One line that only its owner, and perhaps a group, can read. */
function readSecretFile(file: string): string {
  let text: string;
  try {
    const { mode, size } = statSync(file);
    if ((mode & 0o007) !== 0)
      throw new WaybillError('option-invalid', `${file} can be read by everybody; run: chmod o= ${file}`);
    if (size > SECRET_MAX) throw new WaybillError('option-invalid', `${file} is too long for a token or an id`);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `${file} cannot be read (${why})`, { cause });
  }
  return checkSecret(text.trim(), file);
}

/** It becomes a header: no line ends, nothing that is not a visible character. */
function checkSecret(text: string, what: string): string {
  if (!/^[\x21-\x7e]{1,8192}$/.test(text))
    throw new WaybillError('option-invalid', `${what} is not one line of visible characters`);
  return text;
}
