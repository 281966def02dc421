/** The steps that can be guessed, password and code: slowed, and with the same work whatever is found. */
import { asWaybillError } from '../base/errors.ts';
import type { Account, TotpCredential } from './account.ts';
import { DUMMY_HASH, verifyPassword } from './passwords.ts';
import type { UsedCredential } from './publickey-step.ts';
import type { SignInParts } from './sign-in-parts.ts';
import { sourceOf } from './slowing.ts';
import { totpPurpose } from './totp-secret.ts';
import { matchTotp } from './totp.ts';
import { WorkRefused } from './work-line.ts';

/** Stands for all addresses together. */
const EVERYWHERE = '';

export interface Attempt {
  readonly account: Account | null;
  readonly login: string;
  readonly address: string;
  readonly password: Buffer;
}

export type StepVerdict =
  { readonly passed: true; readonly used: UsedCredential } | { readonly passed: false; readonly fault: string };

const PASSWORD_USED = { factor: 'password', source: 'credential', description: 'password', key: null } as const;

const fault = (code: string): StepVerdict => ({ passed: false, fault: code });

export async function checkPassword(parts: SignInParts, attempt: Attempt): Promise<StepVerdict> {
  const { clock, slowing, store } = parts;
  const { account, login, address } = attempt;
  const wait = slowing.enter(login, address, clock.now());
  if (wait === null) return fault('slowed');
  if (wait > 0) await clock.wait(wait);
  const credential = account === null ? null : store.passwordOf(account.id);
  let right: boolean;
  try {
    right = await verifyPassword(parts.passwords, sourceOf(address), credential?.hash ?? DUMMY_HASH, attempt.password);
  } catch (error) {
    if (error instanceof WorkRefused) return fault('overloaded');
    throw error;
  }
  if (right && credential !== null && account?.status === 'active') {
    slowing.succeeded(login, address);
    return { passed: true, used: { ...PASSWORD_USED, id: credential.id } };
  }
  slowing.failed(login, address, clock.now());
  if (account === null) return fault('login-unknown');
  if (account.status !== 'active') return fault('account-suspended');
  return fault(credential === null ? 'password-absent' : 'password-wrong');
}

export async function checkTotp(parts: SignInParts, attempt: Attempt): Promise<StepVerdict> {
  const credential = attempt.account === null ? null : parts.store.totpOf(attempt.account.id);
  if (credential === null) return fault('totp-absent');
  const verdict = await checkSecond(parts, attempt, 'totp', () => takeCode(parts, credential, attempt.password));
  if (verdict !== 'taken') return fault(verdict);
  const used = { factor: 'totp', id: credential.id, source: 'credential', description: 'totp', key: null } as const;
  return { passed: true, used };
}

/**
 * A code is asked for only after a first step, so only somebody who holds the first credential can fail here: wrong
 * codes are counted for the account as a whole too, and guessing from many addresses gets no further than from one.
 * Sources that gave a right code before are exempt from that, or a thief of the password could keep the owner out.
 * Answers 'taken', or why not.
 */
export async function checkSecond(
  { clock, slowing }: SignInParts,
  { account, address }: Attempt,
  kind: string,
  take: () => Promise<string>,
): Promise<string> {
  const pair = `${kind} ${account?.id ?? ''}`;
  const counted = slowing.isFamiliar(pair, address) ? [address] : [address, EVERYWHERE];
  const waits = counted.map((source) => slowing.enter(pair, source, clock.now()));
  if (waits.includes(null)) return 'slowed';
  const wait = Math.max(...waits.map((each) => each ?? 0));
  if (wait > 0) await clock.wait(wait);
  const found = await take();
  if (found === 'taken') {
    slowing.succeeded(pair, address);
    return account?.status === 'active' ? found : 'account-suspended';
  }
  for (const source of counted) slowing.failed(pair, source, clock.now());
  return found;
}

async function takeCode(parts: SignInParts, credential: TotpCredential, code: Buffer): Promise<string> {
  let step: number | null;
  try {
    const secret = parts.sealer.open(totpPurpose(credential.account, credential.id), credential.sealed);
    step = matchTotp(secret, code, parts.clock.now());
    secret.fill(0);
  } catch (cause) {
    parts.log.error({ account: credential.account, err: asWaybillError(cause) }, 'a TOTP secret cannot be opened');
    return 'totp-unreadable';
  }
  if (step === null) return 'totp-wrong';
  const taken = step;
  // Durable before it counts: a crash right after the answer must not make the code good again.
  const spent = await parts.store.write(() => parts.store.spendTotpStep(credential.id, taken));
  return spent ? 'taken' : 'totp-reused';
}
