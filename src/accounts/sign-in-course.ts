/**
 * What every sign-in has in common, whichever door it comes by: one step at a time, counted tries, an end that nothing
 * under way survives, and one place that writes the log.
 */
import type { Account } from './account.ts';
import { isLogin } from './login.ts';
import type { RefusedSignIn, SignInParts } from './sign-in-parts.ts';

export interface Ended {
  readonly result: 'disconnect';
  readonly reason: string;
}

export abstract class SignInCourse<
  P extends SignInParts,
  Step extends string,
  Outcome extends { readonly result: string },
> {
  protected readonly parts: P;
  protected readonly address: string;
  protected user = '';
  protected over: string | null = null;
  private tries = 0;
  private queries = 0;
  private busy = false;
  private readonly failedSteps = new Set<Step>();
  private lastFault = '';

  constructor(parts: P, address: string) {
    this.parts = parts;
    this.address = address;
  }

  /** What a step that did not succeed is answered. */
  protected abstract failure(partial: boolean): Outcome;
  /** Forgets what was reached; `user` is who tries from here on. */
  protected abstract startAgain(user: string): void;

  /** Failed steps so far, for penalties per source. */
  get failures(): number {
    return this.tries;
  }

  get refused(): RefusedSignIn {
    return { account: this.account(), factors: [...this.failedSteps], reason: this.lastFault };
  }

  /** The connection is gone: nothing that is still under way may succeed. */
  close(): void {
    this.over = 'the connection is closed';
  }

  /** One at a time: what two requests at once would mean, nobody can say. */
  protected async once(work: () => Outcome | Promise<Outcome>): Promise<Outcome | Ended> {
    const over = this.overNow();
    if (over !== null) return over;
    if (this.busy) return this.end('two sign-in requests at once');
    this.busy = true;
    try {
      const outcome = await work();
      // Ended while it waited (also by a second request): what was found out meanwhile is void.
      return outcome.result === 'success' ? outcome : (this.overNow() ?? outcome);
    } finally {
      this.busy = false;
    }
  }

  protected overNow(): Ended | null {
    return this.over === null ? null : { result: 'disconnect', reason: this.over };
  }

  protected account(): Account | null {
    return isLogin(this.user) ? this.parts.store.accountByLogin(this.user) : null;
  }

  protected failed(step: Step, code: string): Outcome | Ended {
    this.tries++;
    this.failedSteps.add(step);
    this.lastFault = code;
    this.report('sign-in step failed', { step, code, tries: this.tries });
    return this.tries >= this.parts.limits.tries ? this.end('too many sign-in tries') : this.failure(false);
  }

  protected countQuery(): Ended | null {
    this.queries++;
    return this.queries > this.parts.limits.queries ? this.end('too many sign-in requests') : null;
  }

  protected end(reason: string): Ended {
    this.over ??= reason;
    this.startAgain(this.user);
    return { result: 'disconnect', reason: this.over };
  }

  /** People type passwords where the login belongs, so only what could be a login is written down. */
  protected report(message: string, fields: Readonly<Record<string, unknown>>): void {
    const login = isLogin(this.user) ? this.user : '(not a login)';
    this.parts.log.info({ login, address: this.address, ...fields }, message);
  }
}
