/**
 * What a sign-in over SSH must show beyond the chains of its account, by who the account is and what its tenant asks of
 * people: from a person one stolen thing is never enough, unless the tenant says so. Pure.
 */
import type { Chain } from './chains.ts';
import { isComplete, standsFor } from './chains.ts';
import type { UsedCredential } from './publickey-step.ts';
import type { AccountKind, SignInPolicy } from './web/store.ts';

/** `chains`: what is written is enough. `mfa`: two steps. `passkey`: nothing that a false server could be told. */
export const SIGN_IN_DEMANDS = ['chains', 'mfa', 'passkey'] as const;
export type SignInDemand = (typeof SIGN_IN_DEMANDS)[number];

export function demandOf(kind: AccountKind, policy: SignInPolicy): SignInDemand {
  // Machines have no second thing: they are bound to addresses, hours and flows.
  if (kind === 'service' || policy === 'one-step') return 'chains';
  return policy;
}

/** The chains as they are asked for. First steps stay what they are, so that they tell as little about a login. */
export function askedChains(chains: readonly Chain[], demand: SignInDemand): readonly Chain[] {
  if (demand === 'chains') return chains;
  if (demand === 'mfa') return chains.map((chain) => (chain.length > 1 ? chain : [...chain, 'totp']));
  const byKey = chains.filter(([first]) => first === 'publickey');
  return byKey.length > 0 ? byKey : [['publickey']];
}

/** Steps that were shown one after the other. */
export function satisfies(chains: readonly Chain[], demand: SignInDemand, used: readonly UsedCredential[]): boolean {
  const done = used.map(({ factor }) => factor);
  const verified = used.some((one) => one.verified === true);
  if (demand === 'passkey') return verified && isComplete(askedChains(chains, demand), done);
  // A security key that asked for PIN or finger is two things in one step.
  return isComplete(askedChains(chains, demand), done) || (verified && isComplete(chains, done));
}

/** One certificate of ours stands for a chain by what was shown when it was issued. */
export function isWhole(chains: readonly Chain[], demand: SignInDemand, used: readonly UsedCredential[]): boolean {
  const [only, ...more] = used;
  const shown = more.length === 0 ? only?.issued?.factors : undefined;
  if (shown === undefined) return false;
  // What the same policy takes over HTTPS (web/policy.ts).
  if (demand === 'passkey') return shown.includes('passkey') || shown.includes('sso-mfa');
  // One that an administrator issued rests on nothing that its person showed.
  if (demand === 'mfa' && shown.length === 0) return false;
  return chains.some((chain) => standsFor(chain, shown));
}

/** Whether a key or certificate could be of use as the next step at all. */
export function mayBegin(chains: readonly Chain[], demand: SignInDemand, used: UsedCredential): boolean {
  return demand !== 'passkey' || used.verified === true || isWhole(chains, demand, [used]);
}
