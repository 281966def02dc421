/**
 * A certificate from an authority that speaks ACME (RFC 8555): account, order, proof for each name, certificate. It signs
 * here and sends through `carry`; what comes back is bounded JSON, checked before it is used, and every address in it has
 * to be https.
 */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { WaybillError } from '../base/errors.ts';
import type { Carry, CarryAnswer } from './calls.ts';
import { certificateRequest } from './certificate-request.ts';
import { externalBinding, signedRequest, thumbprint } from './jws.ts';
import type { ExternalAccount } from './jws.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01';

export interface Challenge {
  readonly name: string;
  readonly token: string;
  /** Token and thumbprint of the account key (section 8.1). */
  readonly authorization: string;
}

export interface AcmeParts {
  readonly carry: Carry;
  readonly directory: string;
  readonly accountKey: KeyObject;
  /** Mail addresses. */
  readonly contacts: readonly string[];
  readonly external: ExternalAccount | null;
  readonly type: ChallengeType;
  /** Makes these provable from outside, instead of those before; none takes them away. Resolves when they can be seen. */
  readonly show: (challenges: readonly Challenge[]) => Promise<void>;
  readonly wait?: (milliseconds: number) => Promise<unknown>;
}

const address = z
  .string()
  .max(2048)
  .regex(/^https:\/\//);
const DIRECTORY = z.object({ newNonce: address, newAccount: address, newOrder: address });
type Directory = z.infer<typeof DIRECTORY>;
const ORDER = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(address).max(100),
  finalize: address,
  certificate: address.optional(),
});
const STATES = ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'] as const;
const AUTHORIZATION = z.object({
  status: z.enum(STATES),
  identifier: z.object({ value: z.string().max(255) }),
  challenges: z
    .array(
      z.object({
        type: z.string(),
        url: address,
        token: z.string().max(500).optional(),
        error: z.unknown().optional(),
      }),
    )
    .max(20),
});
const PROBLEM = z.object({ type: z.string().max(200), detail: z.string().optional() });
/** RFC 8555 section 8.3: base64url, at least 128 bits. */
const TOKEN = /^[A-Za-z0-9_-]{22,256}$/;

const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce';
const NONCE_TRIES = 10;
const POLLS = 60;
const POLL_FIRST = 500;
const POLL_MOST = 5000;

export class AcmeClient {
  private readonly parts: AcmeParts;
  private nonce: string | null = null;
  private kid: string | null = null;

  constructor(parts: AcmeParts) {
    this.parts = parts;
  }

  /** PEM, the server's own first. `key`: the server's. Throws `acme-failed` with what the authority said. */
  async obtain(names: readonly string[], key: KeyObject): Promise<string> {
    this.kid = null;
    const directory = parsed(DIRECTORY, await this.carried('GET', this.parts.directory, null));
    await this.signIn(directory);
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    const made = await this.post(directory, directory.newOrder, { identifiers });
    const { location } = made;
    if (location === null) throw failed('the order has no address');
    const { authorizations, finalize } = parsed(ORDER, made);
    try {
      for (const authorization of authorizations) await this.prove(directory, authorization, names);
    } finally {
      await this.parts.show([]);
    }
    const csr = certificateRequest(names, key).toString('base64url');
    await this.until(directory, location, 'ready');
    await this.post(directory, finalize, { csr });
    const { certificate } = await this.until(directory, location, 'valid');
    if (certificate === undefined) throw failed('the order has no certificate');
    return (await this.post(directory, certificate, null)).body;
  }

  /** The same key has the same account, however often it is asked for. */
  private async signIn(directory: Directory): Promise<void> {
    const { accountKey, contacts, external } = this.parts;
    const contact = contacts.map((mail) => `mailto:${mail}`);
    const binding =
      external === null ? {} : { externalAccountBinding: externalBinding(accountKey, external, directory.newAccount) };
    const wish = { termsOfServiceAgreed: true, ...(contact.length > 0 ? { contact } : {}), ...binding };
    const { location } = await this.post(directory, directory.newAccount, wish);
    if (location === null) throw failed('the account has no address');
    this.kid = location;
  }

  private async prove(directory: Directory, url: string, names: readonly string[]): Promise<void> {
    const { type, show, accountKey } = this.parts;
    const { status, identifier, challenges } = parsed(AUTHORIZATION, await this.post(directory, url, null));
    if (status === 'valid') return;
    const name = identifier.value.toLowerCase();
    // It may ask for what it was asked for, and not have us vouch for anything else.
    if (!names.includes(name)) throw failed('it asks for a name that was not ordered');
    const challenge = challenges.find((one) => one.type === type);
    const token = challenge?.token ?? '';
    if (challenge === undefined || !TOKEN.test(token)) throw failed(`${name} cannot be proven by ${type} there`);
    await show([{ name, token, authorization: `${token}.${thumbprint(accountKey)}` }]);
    await this.post(directory, challenge.url, {});
    await this.polled(async () => {
      const answer = await this.post(directory, url, null);
      const now = parsed(AUTHORIZATION, answer);
      if (now.status === 'valid') return { done: true, answer };
      if (now.status === 'pending') return { done: false, answer };
      const why = now.challenges
        .map(({ error }) => PROBLEM.safeParse(error).data?.detail)
        .find((text) => text !== undefined);
      throw failed(`${name} was not proven: ${why ?? now.status}`);
    });
  }

  private async until(directory: Directory, url: string, wanted: 'ready' | 'valid'): Promise<z.infer<typeof ORDER>> {
    const found = await this.polled(async () => {
      const answer = await this.post(directory, url, null);
      const { status } = parsed(ORDER, answer);
      if (status === 'invalid') throw failed('the order was refused');
      return { done: status === wanted || status === 'valid', answer };
    });
    return parsed(ORDER, found);
  }

  private async polled(look: () => Promise<{ done: boolean; answer: CarryAnswer }>): Promise<CarryAnswer> {
    for (let at = 0; at < POLLS; at++) {
      const { done, answer } = await look();
      if (done) return answer;
      const usual = Math.min(POLL_FIRST * 2 ** at, POLL_MOST);
      await (this.parts.wait ?? pause)(Math.min(answer.retryAfter ?? usual, 4 * POLL_MOST));
    }
    throw failed('it took too long');
  }

  private async post(directory: Directory, url: string, payload: object | null): Promise<CarryAnswer> {
    const { accountKey } = this.parts;
    for (let at = 0; at < NONCE_TRIES; at++) {
      const nonce = this.nonce ?? (await this.newNonce(directory));
      this.nonce = null;
      const body = signedRequest(accountKey, { url, nonce, kid: this.kid }, payload);
      const answer = await this.parts.carry({ method: 'POST', url, body });
      this.nonce = answer.nonce;
      if (answer.status >= 200 && answer.status <= 299) return answer;
      const problem = problemIn(answer);
      if (problem.type !== BAD_NONCE) throw refused(answer, problem);
    }
    throw failed('it takes none of its own nonces');
  }

  private async newNonce({ newNonce }: Directory): Promise<string> {
    const { nonce } = await this.carried('HEAD', newNonce, null);
    if (nonce === null) throw failed('it gives no nonces');
    return nonce;
  }

  private async carried(method: 'GET' | 'HEAD', url: string, body: null): Promise<CarryAnswer> {
    const answer = await this.parts.carry({ method, url, body });
    if (answer.status < 200 || answer.status > 299) throw refused(answer, problemIn(answer));
    return answer;
  }
}

/** The value that a TLS server shows in its certificate (RFC 8737 section 3). */
export function tlsAlpnDigest({ authorization }: Challenge): Buffer {
  return createHash('sha256').update(authorization).digest();
}

function parsed<T extends z.ZodType>(schema: T, { body }: CarryAnswer): z.output<T> {
  let content: unknown = null;
  try {
    content = JSON.parse(body);
  } catch {
    // It is judged below.
  }
  const found = schema.safeParse(content);
  if (!found.success)
    throw failed(`it answers what ACME does not have (${found.error.issues[0]?.path.join('.') ?? ''})`);
  return found.data;
}

function problemIn({ body }: CarryAnswer): z.infer<typeof PROBLEM> {
  try {
    return PROBLEM.parse(JSON.parse(body));
  } catch {
    return { type: 'about:blank' };
  }
}

function refused({ status }: CarryAnswer, { type, detail }: z.infer<typeof PROBLEM>): WaybillError {
  return failed(`HTTP status ${status}, ${type}${detail === undefined ? '' : `: ${detail}`}`);
}

/** Words of the authority are cut and cleaned: they go to logs and terminals. */
function failed(why: string): WaybillError {
  const text = why.replaceAll(/\p{C}+/gu, ' ').slice(0, 400);
  return new WaybillError('acme-failed', `the certificate authority: ${text}`);
}
