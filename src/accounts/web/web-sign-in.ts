/**
 * One browser's sign-in, from the first page to the cookie. The same course, slowing, decoys and work as over SSH;
 * what differs are the steps. Every login looks alike: which steps it may take is found out only by completing some.
 */
import type { Account } from '../account.ts';
import { isComplete, nextFactors, spell } from '../chains.ts';
import { checkPassword, checkSecond, checkTotp } from '../guessable-steps.ts';
import type { StepVerdict } from '../guessable-steps.ts';
import type { SignInParts } from '../sign-in-parts.ts';
import { SignInCourse } from '../sign-in-course.ts';
import type { Ended } from '../sign-in-course.ts';
import type { Origin } from './origins.ts';
import { Challenge } from './passkeys.ts';
import type { PasskeyAssertion, Passkeys } from './passkeys.ts';
import { SHOWN_CHAINS, webChains } from './policy.ts';
import type { WebFactor, WebStep } from './policy.ts';
import { hashRecoveryCode } from './recovery-codes.ts';
import type { SsoStanding, SsoVerdict } from './sso.ts';
import type { WebStore } from './store.ts';
import type { WebProof } from './web-sessions.ts';

export interface WebSuccess {
  readonly result: 'success';
  readonly account: Account;
  readonly factors: readonly WebFactor[];
  readonly proofs: readonly WebProof[];
}

export interface WebFailure {
  readonly result: 'failure';
  /** Steps that can come now. */
  readonly methods: WebStep[];
  readonly partial: boolean;
}

export type WebOutcome = WebSuccess | WebFailure | Ended;

export interface WebSignInParts extends Omit<SignInParts, 'signedIn'> {
  readonly web: WebStore;
  readonly passkeys: Passkeys;
  readonly sso?: SsoStanding;
}

export class WebSignIn extends SignInCourse<WebSignInParts, WebFactor, WebOutcome> {
  readonly origin: Origin;
  private readonly challenge = new Challenge();
  private done: WebFactor[] = [];
  private proofs: WebProof[] = [];
  /** What the write that completes it has to do for its steps. */
  private uses: (() => boolean)[] = [];
  /** Inside the transaction that completes it, so that the record and the web session are durable together. */
  private readonly signedIn: (success: WebSuccess) => void;

  constructor(parts: WebSignInParts, address: string, origin: Origin, signedIn: (success: WebSuccess) => void) {
    super(parts, address);
    this.origin = origin;
    this.signedIn = signedIn;
  }

  /** Single sign-on is no step of these: it begins at an address of its own. */
  get methods(): WebStep[] {
    const next = nextFactors(SHOWN_CHAINS, this.done).filter((factor) => factor !== 'sso' && factor !== 'sso-mfa');
    return this.origin.rpId === null ? next.filter((factor) => factor !== 'passkey') : next;
  }

  /** Null when there can be none here. Does not say whose it is to be: the authenticator finds its own. */
  passkeyOptions() {
    const { rpId } = this.origin;
    if (rpId === null || this.overNow() !== null || this.countQuery() !== null) return null;
    return this.parts.passkeys.requestOptions(rpId, this.challenge.ask('get', this.parts.clock.now()));
  }

  passkey(answer: PasskeyAssertion): Promise<WebOutcome> {
    return this.once(async () => {
      const verdict = await this.parts.passkeys.assert(this.challenge, this.origin, answer, null);
      // Whose credential was shown is who tries: his log is the one that tells of a failure.
      this.startAgain(verdict.passed ? verdict.account.login : (verdict.account?.login ?? ''));
      if (!verdict.passed) return this.failed('passkey', verdict.fault);
      const { id, label } = verdict.passkey;
      return this.passed({ factor: 'passkey', id, description: `passkey ${JSON.stringify(label)}` });
    });
  }

  password(user: string, password: Buffer): Promise<WebOutcome> {
    return this.once(async () => {
      this.startAgain(user);
      // Where a password is no way in, it is checked against nothing, at the same cost.
      const account = this.mayBegin('password') ? this.account() : null;
      return this.judged('password', await checkPassword(this.parts, this.attempt(account, password)));
    });
  }

  /** `judge` asks the provider; what it was asked with is used up whatever it says. */
  sso(judge: () => Promise<SsoVerdict>): Promise<WebOutcome> {
    return this.once(async () => {
      const verdict = await judge();
      this.startAgain(verdict.account?.login ?? '');
      if (!verdict.passed) return this.failed('sso', verdict.fault);
      const { factor, link: id, description, use } = verdict;
      this.uses = [use];
      return this.passed({ factor, id, description });
    });
  }

  totp(code: Buffer): Promise<WebOutcome> {
    return this.once(async () => {
      if (!this.mayBeSecond) return this.failed('totp', 'method-not-allowed');
      return this.judged('totp', await checkTotp(this.parts, this.attempt(this.account(), code)));
    });
  }

  recovery(code: Buffer): Promise<WebOutcome> {
    return this.once(async () => {
      const account = this.account();
      if (!this.mayBeSecond || account === null) return this.failed('recovery', 'method-not-allowed');
      const attempt = this.attempt(account, code);
      const found = await checkSecond(this.parts, attempt, 'recovery', () => this.takeCode(account, code));
      if (found !== 'taken') return this.failed('recovery', found);
      return this.passed({ factor: 'recovery', id: account.id, description: 'recovery code' });
    });
  }

  /** Durable before it counts: a crash right after the answer must not make the code good again. */
  private async takeCode({ id }: Account, code: Buffer): Promise<string> {
    const hash = hashRecoveryCode(id, code.toString('utf8'));
    const { web } = this.parts;
    return (await web.write(() => web.spendRecoveryCode(id, hash))) ? 'taken' : 'recovery-wrong';
  }

  private attempt(account: Account | null, password: Buffer) {
    return { account, login: this.user, address: this.address, password };
  }

  private get mayBeSecond(): boolean {
    return this.done[0] === 'password' || this.done[0] === 'sso';
  }

  private mayBegin(factor: WebFactor): boolean {
    const account = this.account();
    return account !== null && nextFactors(webChains(this.parts.web, account), []).includes(factor);
  }

  private judged(factor: WebFactor, verdict: StepVerdict): WebOutcome | Promise<WebOutcome> {
    if (!verdict.passed) return this.failed(factor, verdict.fault);
    const { id, description } = verdict.used;
    return this.passed({ factor, id, description });
  }

  private passed(proof: WebProof & { readonly factor: WebFactor }): WebOutcome | Promise<WebOutcome> {
    const over = this.overNow();
    if (over !== null) return over;
    this.done = [...this.done, proof.factor];
    this.proofs = [...this.proofs, proof];
    const account = this.account();
    if (account !== null && isComplete(webChains(this.parts.web, account), this.done)) return this.complete(account.id);
    if (isComplete(SHOWN_CHAINS, this.done)) {
      this.startAgain(this.user);
      return this.failed(proof.factor, 'policy');
    }
    this.report('sign-in step passed', { factor: proof.factor });
    return this.failure(true);
  }

  /** Everything is looked at once more inside the transaction, as over SSH. */
  private async complete(id: string): Promise<WebOutcome> {
    const { store, web, sso, clock } = this.parts;
    const [factors, proofs, uses] = [this.done, this.proofs, this.uses];
    const stands = ({ factor, id: credential }: WebProof): boolean =>
      factor === 'recovery' ||
      (isSso(factor)
        ? sso?.stands(factor, credential) === true
        : (factor === 'passkey' ? web.passkey(credential) : store.credential(credential)) !== null);
    const success = await store.write((): WebSuccess | null => {
      const account = store.account(id);
      if (account?.status !== 'active' || !isComplete(webChains(web, account), factors)) return null;
      if (this.over !== null || !proofs.every(stands) || !uses.every((use) => use())) return null;
      for (const { factor, id: used } of proofs)
        if (factor === 'password' || factor === 'totp') store.markUsed(used, clock.now());
      const found: WebSuccess = { result: 'success', account, factors, proofs };
      this.signedIn(found);
      return found;
    });
    if (success === null) {
      this.startAgain(this.user);
      return this.failed(factors[0] ?? 'passkey', 'changed-meanwhile');
    }
    this.over = 'already signed in';
    this.report('signed in', { factors: spell(factors), by: proofs.map(({ description }) => description) });
    return success;
  }

  protected failure(partial: boolean): WebFailure {
    return { result: 'failure', methods: this.methods, partial };
  }

  protected startAgain(user: string): void {
    this.user = user;
    this.done = [];
    this.proofs = [];
    this.uses = [];
  }
}

function isSso(factor: string): boolean {
  return factor === 'sso' || factor === 'sso-mfa';
}
