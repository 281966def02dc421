/**
 * The front side of RFC 4252 and RFC 4256. It turns messages into broker calls and answers into messages, and decides
 * nothing about anybody: who may sign in, which steps are left, how often one may try and how long a refusal takes
 * are the broker's. So there is no early way out here that would depend on who the user is.
 */
import type { BrokerCaller, Session, SignInAnswer } from '../../broker/calls.ts';
import * as messages from './authentication-messages.ts';
import type { AuthenticationRequest, Method, PublicKeyRequest } from './authentication-messages.ts';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';

const { AUTHENTICATION_MESSAGE: MESSAGE } = messages;

/** RFC 4252 section 5.1 lets a client send ahead; we hold this many messages while the broker thinks. */
const MOST_WAITING = 8;
/** Tries are the broker's to count; this only ends a client that asks for ever without ever trying. */
const MOST_REQUESTS = 128;

const SERVER_ONLY: ReadonlySet<number> = new Set([
  MESSAGE.SERVICE_ACCEPT,
  MESSAGE.FAILURE,
  MESSAGE.SUCCESS,
  MESSAGE.BANNER,
  MESSAGE.INFO_REQUEST,
]);

export const isServerOnly = (number: number): boolean => SERVER_ONLY.has(number);

export interface AuthenticationParts {
  readonly connection: string;
  readonly broker: BrokerCaller;
  readonly banner: string | null;
  send(payload: Buffer): void;
  succeeded(session: Session): void;
  /** The broker wants this connection gone. */
  refused(reason: string): void;
  /** A ProtocolViolation or MalformedBytes in a message that had to wait, or the broker's failure. */
  failed(error: unknown): void;
}

/** What a step of the broker comes to: an answer, or "yes, that key would do". */
type Outcome = SignInAnswer | { readonly result: 'key-acceptable'; readonly algorithm: string; readonly blob: Buffer };

export class Authentication {
  private readonly parts: AuthenticationParts;
  private serviceStarted = false;
  private bannerSent = false;
  private over = false;
  private identity: { readonly user: string; readonly service: string } | null = null;
  /** Number of prompts that wait for an INFO_RESPONSE. */
  private prompted: number | null = null;
  private requests = 0;
  /** The one call that is under way at the broker. */
  private pending: Promise<void> | null = null;
  private readonly waiting: Buffer[] = [];

  constructor(parts: AuthenticationParts) {
    this.parts = parts;
  }

  /** Messages 5 and 50 to 79 before sign-in. Throws ProtocolViolation or MalformedBytes. */
  packet(payload: Buffer): void {
    if (this.over) return;
    const number = payload[0] ?? 0;
    if (isServerOnly(number)) throw new ProtocolViolation(`message ${number} is for a server to send`);
    if (this.pending === null) {
      this.handle(Buffer.from(payload));
      return;
    }
    if (this.waiting.length === MOST_WAITING) throw new ProtocolViolation('too many requests sent ahead');
    this.waiting.push(Buffer.from(payload));
  }

  /** The connection is gone; answers that still come are dropped. */
  stop(): void {
    this.over = true;
    this.waiting.length = 0;
  }

  /** Resolves when no call of ours is at the broker any more, so that it hears of the end last. */
  async settled(): Promise<void> {
    await this.pending;
  }

  private handle(payload: Buffer): void {
    const number = payload[0];
    if (number === MESSAGE.SERVICE_REQUEST) {
      this.startService(messages.parseServiceRequest(payload));
      return;
    }
    if (!this.serviceStarted) throw new ProtocolViolation('authentication before its service was requested');
    if (number === MESSAGE.REQUEST) this.request(payload);
    else if (number === MESSAGE.INFO_RESPONSE) this.infoResponse(payload);
    else throw new ProtocolViolation(`message ${number ?? 0} is not expected during authentication`);
  }

  private startService(service: string): void {
    // "ssh-connection" starts by itself with success; to ask for it before is to skip the sign-in.
    if (service !== 'ssh-userauth') {
      throw new ProtocolViolation('service not available before sign-in', DISCONNECT.SERVICE_NOT_AVAILABLE);
    }
    this.serviceStarted = true;
    this.parts.send(messages.serviceAccept(service));
  }

  private request(payload: Buffer): void {
    const request = messages.parseAuthenticationRequest(payload);
    this.requests += 1;
    if (this.requests > MOST_REQUESTS) {
      throw new ProtocolViolation('too many authentication requests', DISCONNECT.NO_MORE_AUTH_METHODS);
    }
    this.holdIdentity(request);
    // RFC 4252 section 5.1: a new request aborts an exchange under way, without an answer of its own.
    this.prompted = null;
    this.ask(this.step(request.user, request.method), payload);
  }

  /** Steps of one sign-in add up, so all of them must be of one user (RFC 4252 section 5; OpenSSH disconnects too). */
  private holdIdentity({ user, service }: AuthenticationRequest): void {
    if (service !== 'ssh-connection') {
      throw new ProtocolViolation('service not available', DISCONNECT.SERVICE_NOT_AVAILABLE);
    }
    this.identity ??= { user, service };
    if (this.identity.user !== user) throw new ProtocolViolation('change of user name not allowed');
  }

  private async step(user: string, method: Method): Promise<Outcome> {
    const { broker, connection } = this.parts;
    switch (method.kind) {
      case 'password':
        return broker.call('signin.password', { connection, user, password: method.password });
      case 'publickey':
        return this.publicKey(user, method);
      case 'keyboard-interactive':
        return broker.call('signin.interactive', { connection, user });
      // Not offered: the answer is the list of what is, which the broker holds.
      case 'none':
      case 'password-change':
      case 'unknown':
        return broker.call('signin.none', { connection, user });
    }
  }

  private async publicKey(user: string, { algorithm, blob, signature, hostKey }: PublicKeyRequest): Promise<Outcome> {
    const { broker, connection } = this.parts;
    if (!messages.algorithmFitsBlob(algorithm, blob)) return broker.call('signin.none', { connection, user });
    if (signature !== null) {
      const signed = { connection, user, algorithm, blob, signature };
      return broker.call('signin.publickey', hostKey === null ? signed : { ...signed, hostKey });
    }
    const { acceptable, answer } = await broker.call('signin.publickey-query', { connection, user, algorithm, blob });
    if (acceptable) return { result: 'key-acceptable', algorithm, blob };
    // A question is never a step: whatever comes back, it cannot sign anybody in.
    if (answer.result === 'success') throw new Error('a key query was answered with success');
    return answer;
  }

  private infoResponse(payload: Buffer): void {
    const answers = messages.parseInfoResponse(payload);
    const { prompted, identity } = this;
    if (prompted === null || identity === null) throw new ProtocolViolation('answers to no question');
    this.prompted = null;
    const { broker, connection } = this.parts;
    // RFC 4256 section 3.4: another number of answers than prompts is a failure; no answer of it is looked at.
    if (answers.length === prompted) this.ask(broker.call('signin.answers', { connection, answers }), payload);
    else this.ask(broker.call('signin.none', { connection, user: identity.user }), payload);
  }

  /** `payload` may hold a password or a code: it is wiped as soon as the broker has answered. */
  private ask(step: Promise<Outcome>, payload: Buffer): void {
    this.pending = this.finish(step, payload);
  }

  private async finish(step: Promise<Outcome>, payload: Buffer): Promise<void> {
    try {
      const outcome = await step;
      if (!this.over) this.answer(outcome);
    } catch (error) {
      if (!this.over) this.parts.failed(error);
    } finally {
      payload.fill(0);
      this.pending = null;
    }
    this.resume();
  }

  private resume(): void {
    try {
      while (!this.over && this.pending === null) {
        const next = this.waiting.shift();
        if (next === undefined) return;
        this.handle(next);
      }
    } catch (error) {
      this.parts.failed(error);
    }
  }

  private answer(outcome: Outcome): void {
    const { parts } = this;
    this.sendBanner();
    switch (outcome.result) {
      case 'failure':
        parts.send(messages.failure(outcome.methods, outcome.partial));
        return;
      case 'key-acceptable':
        parts.send(messages.publicKeyOk(outcome.algorithm, outcome.blob));
        return;
      case 'prompt':
        this.prompted = outcome.prompts.length;
        parts.send(messages.infoRequest(outcome.instruction, outcome.prompts));
        return;
      case 'disconnect':
        this.stop();
        parts.refused(outcome.reason);
        return;
      case 'success':
        // Requests sent ahead of the success are ignored (RFC 4252 section 5.1).
        this.stop();
        parts.send(messages.success());
        parts.succeeded(outcome.session);
    }
  }

  /** RFC 4252 section 5.4: once, and before the first answer. */
  private sendBanner(): void {
    if (this.bannerSent || this.parts.banner === null) return;
    this.bannerSent = true;
    this.parts.send(messages.banner(this.parts.banner));
  }
}
