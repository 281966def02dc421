/**
 * API tokens of accounts: administration, and what becomes of one that somebody shows. Whoever uses a token makes it;
 * here comes only its fingerprint, the hash. Two of a kind may be good at once while one takes the place of the other.
 */
import type { Acting } from '../../base/acting.ts';
import { WaybillError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { parseAddressList } from '../../sshkeys/addresses.ts';
import { KeyRefused } from '../../sshkeys/refusal.ts';
import { parseTokenFingerprint, tokenFingerprint } from '../access-token.ts';
import type { Account } from '../account.ts';
import { hashApiToken } from './api-token.ts';
import { change } from './parts.ts';
import type { WebParts } from './parts.ts';
import { sameHash } from './secret.ts';
import { SCOPES } from './store.ts';
import type { ApiToken, Scope } from './store.ts';

const DAY_MILLISECONDS = 86_400_000;
const TOKENS_MAX = 100;

export interface ApiTokensParts extends WebParts {
  /** A token unused for this long is suspended; null is never. */
  readonly idleDays: number | null;
}

export interface NewApiToken {
  readonly login: string;
  readonly label: string;
  readonly fingerprint: string;
  readonly scopes: readonly string[];
  readonly addresses: string | null;
  readonly expires: number | null;
}

export type TokenFault =
  'token-unknown' | 'token-expired' | 'token-suspended' | 'token-address' | 'token-scopes' | 'account-suspended';
export type TokenVerdict =
  | { readonly good: true; readonly token: ApiToken; readonly account: Account; readonly scopes: readonly Scope[] }
  /** `account` when the token is, or was, somebody's. */
  | { readonly good: false; readonly fault: TokenFault; readonly account: Account | null };

export class ApiTokens {
  private readonly parts: ApiTokensParts;

  constructor(parts: ApiTokensParts) {
    this.parts = parts;
  }

  /** Null = of all accounts. */
  list(login: string | null): { token: ApiToken; account: Account }[] {
    const { store, accounts } = this.parts;
    const tokens = store.tokens(login === null ? null : this.account(login).id);
    return tokens.flatMap((token) => {
      const account = accounts.account(token.account);
      return account === null ? [] : [{ token, account }];
    });
  }

  /** Throws `not-found`. */
  find(id: string): { token: ApiToken; account: Account } {
    const token = this.parts.store.token(id);
    const account = token === null ? null : this.parts.accounts.account(token.account);
    if (token === null || account === null) throw new WaybillError('not-found', 'no token has this id');
    return { token, account };
  }

  async add(asked: NewApiToken, by: Acting): Promise<ApiToken> {
    const { store, clock } = this.parts;
    const account = this.account(asked.login);
    const scopes = checkScopes(asked.scopes, account);
    checkAddresses(asked.addresses);
    const created = clock.now();
    if (asked.expires !== null && asked.expires <= created)
      throw new WaybillError('option-invalid', 'the token would have expired already');
    const { label, addresses, expires } = asked;
    const token = {
      ...FRESH,
      id: newId(),
      account: account.id,
      label,
      hash: hashOf(asked.fingerprint),
      scopes,
      addresses,
      created,
      expires,
    };
    await change(this.parts, account, by, 'token.add', told(token), () => {
      this.present(account);
      if (store.tokens(account.id).length >= TOKENS_MAX)
        throw new WaybillError('option-invalid', `an account has at most ${TOKENS_MAX} tokens`);
      store.addToken(token);
    });
    return token;
  }

  /** A token with another secret takes the place of this one, which stays good for `overlap` seconds at most. */
  async renew(
    id: string,
    fingerprint: string,
    overlap: number,
    by: Acting,
  ): Promise<{ token: ApiToken; ended: string[] }> {
    const { store, clock } = this.parts;
    const { token: old, account } = this.find(id);
    const now = clock.now();
    if (old.successor !== null)
      throw new WaybillError('already-exists', `the token was renewed already, as ${old.successor}`);
    const life = old.expires === null ? null : old.expires - old.created;
    const expires = life === null ? null : now + life;
    const token = { ...old, ...FRESH, id: newId(), hash: hashOf(fingerprint), created: now, expires };
    const until = Math.min(old.expires ?? Infinity, now + overlap * 1000);
    const ended: string[] = [];
    await change(this.parts, account, by, 'token.renew', told(token, { replaces: id, overlap }), () => {
      // Three at once would be one that somebody has forgotten.
      for (const before of store.tokens(account.id).filter(({ successor }) => successor === id)) {
        store.removeToken(before.id);
        ended.push(before.id);
      }
      if (overlap === 0) ended.push(id);
      if (!store.setToken(id, { ...old, expires: until, successor: token.id })) throw gone();
      store.addToken(token);
    });
    return { token, ended };
  }

  async remove(id: string, by: Acting): Promise<ApiToken> {
    const { token, account } = this.find(id);
    await change(this.parts, account, by, 'token.remove', told(token), () => {
      if (!this.parts.store.removeToken(id)) throw gone();
    });
    return token;
  }

  /** Looks only; `use` notes it. Hashes of 256 random bits are looked up, then compared in constant time. */
  judge(text: string, address: string): TokenVerdict {
    const { store, accounts, clock } = this.parts;
    const hash = hashApiToken(text);
    const token = hash === null ? null : store.tokenByHash(hash);
    if (hash === null || token === null || !sameHash(hash, token.hash)) return refused('token-unknown', null);
    const account = accounts.account(token.account);
    if (account === null) return refused('token-unknown', null);
    const now = clock.now();
    if (token.expires !== null && now >= token.expires) return refused('token-expired', account);
    if (token.suspended !== null || this.isIdle(token, now)) return refused('token-suspended', account);
    if (token.addresses !== null && !parseAddressList(token.addresses).matches(address))
      return refused('token-address', account);
    if (account.status !== 'active') return refused('account-suspended', account);
    // An account that was an administrator's when the token was made may be one no more.
    const scopes = token.scopes.filter((scope) => scope !== 'admin' || account.administrator);
    return scopes.length === 0 ? refused('token-scopes', account) : { good: true, token, account, scopes };
  }

  /** Inside a write. False when it is not good any more. */
  use(token: ApiToken, address: string, text: string): boolean {
    const verdict = this.judge(text, address);
    if (!verdict.good || verdict.token.id !== token.id) return false;
    return this.parts.store.setToken(token.id, { ...verdict.token, lastUsed: this.parts.clock.now() });
  }

  /** Suspends what has not been used for long. Answers how many. */
  async suspendIdle(): Promise<number> {
    const { store, clock, accounts, ledger } = this.parts;
    const idle = (): ApiToken[] =>
      store.tokens(null).filter((one) => one.suspended === null && this.isIdle(one, clock.now()));
    if (idle().length === 0) return 0;
    return store.write(() => {
      const found = idle();
      for (const token of found) {
        store.setToken(token.id, { ...token, suspended: clock.now() });
        const { id: credential, account, lastUsed } = token;
        const detail = { label: token.label, lastUsed, days: this.parts.idleDays };
        const event = { action: 'token.suspend', session: null, account, credential, reason: 'unused', detail };
        ledger?.append(accounts.account(account)?.tenant ?? null, { kind: 'containment', ...event });
      }
      return found.length;
    });
  }

  private isIdle({ lastUsed, created }: ApiToken, now: number): boolean {
    const { idleDays } = this.parts;
    return idleDays !== null && now - (lastUsed ?? created) > idleDays * DAY_MILLISECONDS;
  }

  private account(login: string): Account {
    const account = this.parts.accounts.accountByLogin(login);
    if (account === null) throw new WaybillError('not-found', 'no account has this login');
    return account;
  }

  private present({ id }: Account): void {
    if (this.parts.accounts.account(id) === null) throw gone();
  }
}

const FRESH = { lastUsed: null, suspended: null, successor: null } as const;

function refused(fault: TokenFault, account: Account | null): TokenVerdict {
  return { good: false, fault, account };
}

function told(token: ApiToken, more: Readonly<Record<string, string | number>> = {}) {
  const { id, label, scopes, addresses, expires } = token;
  const fingerprint = tokenFingerprint(token.hash);
  return { credential: id, detail: { label, scopes: [...scopes], addresses, expires, fingerprint, ...more } };
}

export function checkScopes(asked: readonly string[], { administrator }: Pick<Account, 'administrator'>): Scope[] {
  const known = SCOPES.filter((scope) => asked.includes(scope));
  if (known.length === 0 || !asked.every((scope) => (SCOPES as readonly string[]).includes(scope)))
    throw new WaybillError('option-invalid', `the scopes of a token are: ${SCOPES.join(', ')}`);
  if (known.includes('admin') && !administrator)
    throw new WaybillError('option-invalid', 'the scope admin is for accounts of administrators');
  return known;
}

function checkAddresses(addresses: string | null): void {
  if (addresses === null) return;
  try {
    parseAddressList(addresses);
  } catch (cause) {
    if (cause instanceof KeyRefused) throw new WaybillError('option-invalid', cause.message, { cause });
    throw cause;
  }
}

function hashOf(fingerprint: string): Buffer {
  const hash = parseTokenFingerprint(fingerprint);
  if (hash === null)
    throw new WaybillError('option-invalid', 'a token is named by its fingerprint, SHA256: and 43 characters');
  return hash;
}

function gone(): WaybillError {
  return new WaybillError('not-found', 'it has been removed meanwhile');
}
