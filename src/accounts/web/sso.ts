/** What single sign-on brings to a sign-in; src/sso does it. */
import type { Account } from '../account.ts';

/** `sso-mfa`: the provider is known to have asked for a second factor, so it counts as two. */
export type SsoFactor = 'sso' | 'sso-mfa';

export type SsoVerdict =
  | {
      readonly passed: true;
      readonly account: Account;
      readonly factor: SsoFactor;
      /** Between the provider's person and the account. */
      readonly link: string;
      readonly description: string;
      /** Inside the write that completes the sign-in; false when it must not be completed any more. */
      readonly use: () => boolean;
    }
  | { readonly passed: false; readonly fault: string; readonly account: Account | null };

export interface SsoStanding {
  /** Whether what this link has opened as this factor may still be open. */
  stands(factor: string, link: string): boolean;
}
