/** Sign-in chains as data: a chain is the steps that must all succeed, in order; any one chain signs in. Pure. */
import { WaybillError } from '../base/errors.ts';

export const FACTORS = ['publickey', 'password', 'totp'] as const;
export type Factor = (typeof FACTORS)[number];
export type Chain = readonly Factor[];

/** A password alone signs in only where an administrator wrote so. */
export const DEFAULT_CHAINS: readonly Chain[] = [['publickey']];

const CHAINS_MAX = 8;

/** Methods of RFC 4252 and 4256 by which a client may bring each factor. */
const METHODS: Readonly<Record<Factor, readonly string[]>> = {
  publickey: ['publickey'],
  password: ['password', 'keyboard-interactive'],
  totp: ['keyboard-interactive'],
};

/** The factors that may come next, in the order of the chains. */
export function nextFactors<F extends string>(chains: readonly (readonly F[])[], done: readonly F[]): F[] {
  const open = chains.filter((chain) => chain.length > done.length && startsWith(chain, done));
  return [...new Set(open.flatMap((chain) => chain[done.length] ?? []))];
}

export function isComplete(chains: readonly (readonly string[])[], done: readonly string[]): boolean {
  return chains.some((chain) => chain.length === done.length && startsWith(chain, done));
}

/**
 * Whether a certificate that was issued after these steps were shown stands for the whole chain. Its own key is the
 * publickey step; a passkey, bound to its origin and with its user verified, is more than any chain asks for.
 */
export function standsFor(chain: Chain, shown: readonly string[]): boolean {
  return shown.includes('passkey') || chain.every((factor) => factor === 'publickey' || shown.includes(factor));
}

export function methodsFor(factors: readonly Factor[]): string[] {
  return [...new Set(factors.flatMap((factor) => METHODS[factor]))];
}

function startsWith(chain: readonly string[], start: readonly string[]): boolean {
  return start.every((factor, index) => chain[index] === factor);
}

/** Throws `option-invalid` for chains that could not be meant as they stand. */
export function checkChains(chains: readonly (readonly string[])[]): readonly Chain[] {
  if (chains.length === 0 || chains.length > CHAINS_MAX)
    throw new WaybillError('option-invalid', `an account has 1 to ${CHAINS_MAX} sign-in chains`);
  const checked = chains.map(checkChain);
  for (const [index, chain] of checked.entries()) {
    const shorter = checked.find((other, at) => at !== index && startsWith(chain, other));
    if (shorter !== undefined)
      throw new WaybillError(
        'option-invalid',
        `the chain ${spell(chain)} would never be asked for, because ${spell(shorter)} alone signs in already`,
      );
  }
  return checked;
}

/** Whether some chain of `after` signs in without all the steps of any chain of `before`. */
export function isWeaker(before: readonly Chain[], after: readonly Chain[]): boolean {
  return !after.every((chain) => before.some((known) => known.every((factor) => chain.includes(factor))));
}

function checkChain(chain: readonly string[]): Chain {
  const known = chain.filter((factor): factor is Factor => (FACTORS as readonly string[]).includes(factor));
  if (known.length === 0 || known.length !== chain.length)
    throw new WaybillError('option-invalid', `a sign-in chain is made of: ${FACTORS.join(', ')}`);
  if (new Set(known).size !== known.length)
    throw new WaybillError('option-invalid', `the chain ${spell(known)} asks for one step twice`);
  // Six digits are a second step; as the first they could be guessed by anybody who knows a login.
  if (known[0] === 'totp') throw new WaybillError('option-invalid', `the chain ${spell(known)} begins with totp`);
  return known;
}

export function spell(chain: readonly string[]): string {
  return chain.join('+');
}
