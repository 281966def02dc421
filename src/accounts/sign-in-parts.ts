/** What a sign-in is built of and answers. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { Account } from './account.ts';
import type { SignInDemand } from './demands.ts';
import type { OwnCertificates, UsedCredential } from './publickey-step.ts';
import type { Slowing } from './slowing.ts';
import type { AccountStore } from './store.ts';
import type { WorkLine } from './work-line.ts';

export interface SignInSuccess {
  readonly result: 'success';
  readonly account: Account;
  /** Kinds of the steps, in order; a certificate of ours that stands for a whole chain is `certificate`. */
  readonly factors: readonly string[];
  readonly credentials: readonly UsedCredential[];
}

/** What a sign-in that did not succeed leaves to be recorded. */
export interface RefusedSignIn {
  /** Null when no account has the login that was tried last. */
  readonly account: Account | null;
  /** Steps that failed, each once. */
  readonly factors: readonly string[];
  /** Why the last one did. */
  readonly reason: string;
}

export interface SignInFailure {
  readonly result: 'failure';
  readonly methods: string[];
  readonly partial: boolean;
}

export type SignInOutcome =
  | SignInSuccess
  | SignInFailure
  | { readonly result: 'prompt'; readonly instruction: string; readonly prompts: { text: string; echo: boolean }[] }
  | { readonly result: 'disconnect'; readonly reason: string };

export interface SignInParts {
  readonly store: AccountStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Log;
  /** One of each for the whole broker. */
  readonly passwords: WorkLine;
  readonly slowing: Slowing;
  /** What is asked beyond the chains of the account; they are enough when left out. Looked up at each step. */
  readonly demand?: (account: Account) => SignInDemand;
  /** Those that we issued ourselves. */
  readonly certificates?: OwnCertificates;
  readonly limits: {
    /** Failed steps until the connection is ended. */
    readonly tries: number;
    /** Requests that prove nothing (none, key queries, unanswered prompts); agents offer many keys. */
    readonly queries: number;
  };
  /** Called inside the transaction that completes the sign-in, so that its record is durable with it. */
  readonly signedIn?: (success: SignInSuccess) => void;
}

export const SIGN_IN_LIMITS = { tries: 6, queries: 40 } as const;

export interface SignInConnection {
  readonly address: string;
  /** The first exchange hash that the broker signed for this connection. */
  readonly sessionId: Buffer;
  /** Blob of the host key (or host certificate) it signed that hash with. */
  readonly hostKey: Buffer | null;
}
