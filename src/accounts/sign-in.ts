/**
 * One connection's sign-in (RFC 4252, RFC 4256), as the broker sees it. Nothing that a front claims counts here: the
 * address and the session identifier are the broker's own, and every step is verified against the store at that
 * moment. Known, unknown and suspended logins get the same answers after the same work.
 */
import { timingSafeEqual } from 'node:crypto';
import { verifySignature } from '../sshkeys/signature.ts';
import { methodsFor, nextFactors } from './chains.ts';
import type { Account } from './account.ts';
import type { Chain, Factor } from './chains.ts';
import { decoyChains } from './decoy.ts';
import { askedChains, isWhole, mayBegin, satisfies } from './demands.ts';
import type { SignInDemand } from './demands.ts';
import { checkPassword, checkTotp } from './guessable-steps.ts';
import { judgeKey, signedBytes, stillStands } from './publickey-step.ts';
import type { KeyJudgement, UsedCredential } from './publickey-step.ts';
import { SignInCourse } from './sign-in-course.ts';
import type { SignInConnection, SignInFailure, SignInOutcome, SignInParts, SignInSuccess } from './sign-in-parts.ts';

export { SIGN_IN_LIMITS } from './sign-in-parts.ts';
export type * from './sign-in-parts.ts';

type Step = 'none' | 'query' | 'interactive' | Factor;

const PROMPTS = { password: 'Password: ', totp: 'Verification code: ' } as const;

export class SignIn extends SignInCourse<SignInParts, Step, SignInOutcome> {
  private readonly connection: SignInConnection;
  private done: Factor[] = [];
  private used: UsedCredential[] = [];
  private awaiting: 'password' | 'totp' | null = null;

  constructor(parts: SignInParts, connection: SignInConnection) {
    super(parts, connection.address);
    this.connection = connection;
  }

  none(user: string): Promise<SignInOutcome> {
    return this.step(user, () => this.countQuery() ?? this.failure(false));
  }

  password(user: string, password: Buffer): Promise<SignInOutcome> {
    return this.step(user, () => this.tryPassword(password, false));
  }

  async publickeyQuery(
    user: string,
    algorithm: string,
    blob: Buffer,
  ): Promise<{ acceptable: boolean; answer: SignInOutcome }> {
    const found = { acceptable: false };
    const answer = await this.step(user, () => {
      const account = this.account();
      const judgement = this.judge(account, algorithm, blob);
      found.acceptable = judgement.usable && account?.status === 'active' && this.takes(account, judgement.used);
      return this.countQuery() ?? this.failure(false);
    });
    return { acceptable: found.acceptable && answer.result === 'failure', answer };
  }

  /** `hostKey` only for publickey-hostbound-v00@openssh.com: the host key as the client names it. */
  publickey(
    user: string,
    algorithm: string,
    blob: Buffer,
    signature: Buffer,
    hostKey?: Buffer,
  ): Promise<SignInOutcome> {
    return this.step(user, () => this.tryKey(algorithm, blob, signature, hostKey ?? null));
  }

  interactive(user: string): Promise<SignInOutcome> {
    return this.step(user, () => {
      const ended = this.countQuery();
      if (ended !== null) return ended;
      const next = this.next();
      // A password can also come by its own method; a code has only this one.
      if (next.includes('totp')) return this.prompt('totp');
      if (next.includes('password')) return this.prompt('password');
      return this.failed('interactive', 'method-not-allowed');
    });
  }

  answers(answers: readonly Buffer[]): Promise<SignInOutcome> {
    const asked = this.awaiting;
    if (asked === null) return this.step(this.user, () => this.end('answers to no question'));
    return this.step(this.user, () => {
      const [answer] = answers;
      if (answer === undefined || answers.length !== 1) return this.failed(asked, 'answers-malformed');
      return asked === 'password' ? this.tryPassword(answer, true) : this.tryTotp(answer);
    });
  }

  private step(user: string, work: () => SignInOutcome | Promise<SignInOutcome>): Promise<SignInOutcome> {
    return this.once(() => {
      this.awaiting = null;
      if (user !== this.user) this.startAgain(user);
      return work();
    });
  }

  /** RFC 4252 section 5: another user name flushes what was reached for the one before. */
  protected startAgain(user: string): void {
    this.user = user;
    this.done = [];
    this.used = [];
  }

  private next(): Factor[] {
    const account = this.account();
    const decoys = (): readonly Chain[] => decoyChains(this.parts.store.installationSalt(), this.user);
    return nextFactors(account === null ? decoys() : askedChains(account.chains, this.demand(account)), this.done);
  }

  private demand(account: Account): SignInDemand {
    return this.parts.demand?.(account) ?? 'chains';
  }

  private hereAndNow() {
    return { address: this.connection.address, now: this.parts.clock.now() };
  }

  private async tryPassword(password: Buffer, interactive: boolean): Promise<SignInOutcome> {
    if (!this.next().includes('password')) return this.failed('password', 'method-not-allowed');
    const account = this.account();
    const { address } = this.connection;
    const verdict = await checkPassword(this.parts, { account, login: this.user, address, password });
    if (!verdict.passed) return this.failed('password', verdict.fault);
    return this.passed(verdict.used, interactive);
  }

  private async tryTotp(code: Buffer): Promise<SignInOutcome> {
    if (!this.next().includes('totp')) return this.failed('totp', 'method-not-allowed');
    const account = this.account();
    const { address } = this.connection;
    const verdict = await checkTotp(this.parts, { account, login: this.user, address, password: code });
    if (!verdict.passed) return this.failed('totp', verdict.fault);
    return this.passed(verdict.used, true);
  }

  private tryKey(
    algorithm: string,
    blob: Buffer,
    signature: Buffer,
    hostKey: Buffer | null,
  ): SignInOutcome | Promise<SignInOutcome> {
    const account = this.account();
    const judgement = this.judge(account, algorithm, blob);
    if (!judgement.usable) return this.failed('publickey', judgement.fault);
    if (!this.takes(account, judgement.used)) return this.failed('publickey', 'method-not-allowed');
    if (account?.status !== 'active') return this.failed('publickey', 'account-suspended');
    if (hostKey !== null && !this.isOwnHostKey(hostKey)) return this.failed('publickey', 'host-key-other');
    const { sessionId } = this.connection;
    const signed = signedBytes({ sessionId, user: this.user, algorithm, blob, hostKey });
    const verdict = verifySignature(judgement.key, algorithm, signature, signed, judgement.demands);
    if (!verdict.valid) return this.failed('publickey', verdict.fault);
    return this.passed(judgement.used, false);
  }

  private judge(account: Account | null, algorithm: string, blob: Buffer): KeyJudgement {
    const { store, certificates } = this.parts;
    return judgeKey(store, { account, algorithm, blob, ...this.hereAndNow() }, certificates);
  }

  private takes(account: Account | null, used: UsedCredential): boolean {
    const asked = this.next().includes('publickey');
    if (account === null) return asked;
    const demand = this.demand(account);
    if (asked) return mayBegin(account.chains, demand, used);
    return this.done.length === 0 && isWhole(account.chains, demand, [used]);
  }

  private isOwnHostKey(claimed: Buffer): boolean {
    const own = this.connection.hostKey;
    return own?.length === claimed.length && timingSafeEqual(own, claimed);
  }

  private passed(used: UsedCredential, interactive: boolean): SignInOutcome | Promise<SignInOutcome> {
    // The connection or the sign-in ended while the step was being verified: it does not count.
    const over = this.overNow();
    if (over !== null) return over;
    this.done = [...this.done, used.factor];
    this.used = [...this.used, used];
    const account = this.account();
    if (account !== null && this.isSatisfied(account)) return this.complete(account.id);
    this.report('sign-in step passed', { factor: used.factor });
    const next = this.next();
    return interactive && next.includes('totp') ? this.prompt('totp') : this.failure(true);
  }

  /** Everything is looked at once more inside the transaction: an account or key may have gone since its step. */
  private async complete(id: string): Promise<SignInOutcome> {
    const { store, clock, signedIn } = this.parts;
    const credentials = this.used;
    const factors = credentials.map(({ factor, source }) => (source === 'certificate' ? source : factor));
    const success = await store.write((): SignInSuccess | null => {
      const account = store.account(id);
      if (account?.status !== 'active' || !this.isSatisfied(account)) return null;
      if (this.over !== null || !credentials.every((used) => stillStands(this.parts, used))) return null;
      this.markUsed(credentials, clock.now());
      const found: SignInSuccess = { result: 'success', account, factors, credentials };
      signedIn?.(found);
      return found;
    });
    if (success === null) {
      this.startAgain(this.user);
      return this.failed('none', 'changed-meanwhile');
    }
    this.over = 'already signed in';
    this.report('signed in', { factors: factors.join('+'), by: credentials.map(({ description }) => description) });
    return success;
  }

  private isSatisfied(account: Account): boolean {
    const demand = this.demand(account);
    return satisfies(account.chains, demand, this.used) || isWhole(account.chains, demand, this.used);
  }

  private markUsed(credentials: readonly UsedCredential[], at: number): void {
    const { store, certificates } = this.parts;
    for (const { id, issued } of credentials) {
      if (issued === undefined) store.markUsed(id, at);
      else certificates?.markUsed(issued.serial, at);
    }
  }

  private prompt(factor: 'password' | 'totp'): SignInOutcome {
    this.awaiting = factor;
    return { result: 'prompt', instruction: '', prompts: [{ text: PROMPTS[factor], echo: false }] };
  }

  protected failure(partial: boolean): SignInFailure {
    const methods = methodsFor(this.next());
    // A certificate of ours may stand for any chain; whoever asks cannot tell from this which logins there are.
    const certificates = this.done.length === 0 && (this.parts.certificates?.blob ?? null) !== null;
    return { result: 'failure', methods: certificates ? [...new Set(['publickey', ...methods])] : methods, partial };
  }
}
