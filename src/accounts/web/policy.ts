/** What signs in over HTTPS: chains of steps, by who the account is and what its tenant asks. A password alone never does. */
import type { Account } from '../account.ts';
import type { AccountKind, WebPolicy, WebStore } from './store.ts';

export type WebFactor = 'passkey' | 'password' | 'totp' | 'recovery';
export type WebChain = readonly WebFactor[];

const CHAINS: Readonly<Record<WebPolicy, readonly WebChain[]>> = {
  mfa: [['passkey'], ['password', 'totp'], ['password', 'recovery']],
  // Nothing that a false page could ask for. Who has lost all passkeys is enrolled again.
  passkey: [['passkey']],
};

/** Shown to everybody, so that it tells nothing about a login. */
export const SHOWN_CHAINS = CHAINS.mfa;

export function webChains(store: Pick<WebStore, 'kindOf' | 'policyOf'>, { id, tenant }: Account): readonly WebChain[] {
  return chainsOf(store.kindOf(id), store.policyOf(tenant));
}

/** Services sign in with API tokens. */
export function chainsOf(kind: AccountKind, policy: WebPolicy): readonly WebChain[] {
  return kind === 'service' ? [] : CHAINS[policy];
}
