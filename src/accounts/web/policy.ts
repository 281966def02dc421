/** What signs in over HTTPS: chains of steps, by who the account is and what its tenant asks. A password alone never does. */
import type { Account } from '../account.ts';
import type { SsoFactor } from './sso.ts';
import type { AccountKind, SignInPolicy, WebStore } from './store.ts';

/** Steps that `web.*` calls bring one by one. */
export type WebStep = 'passkey' | 'password' | 'totp' | 'recovery';
export type WebFactor = WebStep | SsoFactor;
export type WebChain = readonly WebFactor[];

const MFA: readonly WebChain[] = [
  ...[['passkey'], ['password', 'totp'], ['password', 'recovery']],
  ...[['sso-mfa'], ['sso', 'totp'], ['sso', 'recovery']],
] as WebChain[];

const CHAINS: Readonly<Record<SignInPolicy, readonly WebChain[]>> = {
  'one-step': MFA,
  mfa: MFA,
  // Nothing that a false page could ask for; what the provider asks is the provider's. Who has lost all passkeys is
  // enrolled again.
  passkey: [['passkey'], ['sso-mfa']],
};

/** Shown to everybody, so that it tells nothing about a login. */
export const SHOWN_CHAINS = CHAINS.mfa;

export function webChains(store: Pick<WebStore, 'kindOf' | 'policyOf'>, { id, tenant }: Account): readonly WebChain[] {
  return chainsOf(store.kindOf(id), store.policyOf(tenant));
}

/** Services sign in with API tokens. */
export function chainsOf(kind: AccountKind, policy: SignInPolicy): readonly WebChain[] {
  return kind === 'service' ? [] : CHAINS[policy];
}
