/**
 * Administrators: people of the operator, by name. A name says who acts; with two of them, what weakens a control takes
 * both (policy/approvals.ts). Each has an access token, or an account of the operator's tenant whose login is his name,
 * or both: the name is what makes them one person, so that nobody counts twice by two credentials.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { hashAccessToken, parseTokenFingerprint, tokenFingerprint } from './access-token.ts';
import type { Account } from './account.ts';
import { isLogin, LOGIN_RULE } from './login.ts';

export interface Administrator {
  readonly id: string;
  /** ASCII, as logins are: no two look alike. Differs from all others in more than capitals. */
  readonly name: string;
  readonly tokenHash: Buffer;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly renewed: number;
}

/** Reading shows what is committed, and inside the action of `write` what it did so far. */
export interface AdministratorStore {
  write<T>(action: () => T): Promise<T>;
  /** In the order in which they were added. */
  administrators(): Administrator[];
  /** Throws `already-exists` when the name (in any capitals) or the token is another's. */
  addAdministrator(administrator: Administrator): void;
  setToken(id: string, tokenHash: Buffer, renewed: number): void;
  removeAdministrator(id: string): void;
}

/** Accounts of the operator's tenant that are administrators, suspended ones included. */
export interface OperatorAccounts {
  /** In any capitals. */
  byLogin(login: string): Account | null;
  /** Inside a write: it is an account as others from now on. */
  demote(account: Account): void;
}

const NO_ACCOUNTS: OperatorAccounts = { byLogin: () => null, demote: () => undefined };

const ADMINISTRATORS_MAX = 200;
/** With this many, weakening a control takes two of them. */
const TWO = 2;

export class Administrators {
  private readonly store: AdministratorStore;
  private readonly ledger: Ledger;
  private readonly now: () => number;
  private readonly accounts: OperatorAccounts;

  constructor(
    store: AdministratorStore,
    ledger: Ledger,
    now: () => number = Date.now,
    accounts: OperatorAccounts = NO_ACCOUNTS,
  ) {
    this.store = store;
    this.ledger = ledger;
    this.now = now;
    this.accounts = accounts;
  }

  list(): Administrator[] {
    return this.store.administrators();
  }

  get fourEyes(): boolean {
    return this.list().length >= TWO;
  }

  /** Whether there would still be two without this one. */
  enoughWithout(id: string): boolean {
    return this.list().filter((one) => one.id !== id).length >= TWO;
  }

  /** Null also for one who has no credential any more that counts: his word does not either. */
  find(id: string): Administrator | null {
    const found = this.row(id);
    return found !== null && this.stands(found) ? found : null;
  }

  /** The operator's administrator account of that login. */
  accountOf(login: string): Account | null {
    return this.accounts.byLogin(login);
  }

  /** The administrator that an account of the operator's tenant acts as; null when nobody has this name yet. */
  byAccount({ login }: Pick<Account, 'login'>): Administrator | null {
    return this.list().find((one) => sameName(one.name, login)) ?? null;
  }

  /** In any capitals. Throws `not-found`. */
  byName(name: string): Administrator {
    const found = this.list().find((one) => sameName(one.name, name));
    if (found === undefined) throw new WaybillError('not-found', 'no administrator has this name');
    return found;
  }

  /** Every hash is compared, each in constant time. */
  findByToken(token: string): Administrator | null {
    const hash = hashAccessToken(token);
    let found: Administrator | null = null;
    for (const one of this.list()) if (hash !== null && timingSafeEqual(hash, one.tokenHash)) found = one;
    return found;
  }

  /** Throws `sign-in-refused`. */
  byToken(token: string): Administrator {
    const found = this.findByToken(token);
    if (found === null) throw new WaybillError('sign-in-refused', 'the access token is of no administrator');
    return found;
  }

  /**
   * An account of the operator's tenant becomes an administrator by name, the first time that it acts as one. Once there
   * are two nobody joins them by himself: then `add` does it, which takes both.
   */
  async register(account: Account, within: () => void): Promise<Administrator> {
    const { login, id: accountId } = account;
    const [id, created] = [newId(), this.now()];
    const made = { id, name: login, tokenHash: noTokenHash(id), created, renewed: created };
    return this.store.write(() => {
      within();
      const known = this.byAccount(account);
      if (known !== null) return known;
      if (this.fourEyes)
        throw new WaybillError(
          'permission-denied',
          `there are two administrators, so a third is added by them: waybill administrator add ${login}`,
        );
      this.store.addAdministrator(made);
      const detail = { administrator: id, name: login };
      this.ledger.append(null, changed('administrator.register', { actor: login, account: accountId, detail }));
      return made;
    });
  }

  async add(name: string, fingerprint: string, by: Acting): Promise<Administrator> {
    if (!isLogin(name)) throw new WaybillError('option-invalid', `the name of an administrator is ${LOGIN_RULE}`);
    const created = this.now();
    const made = { id: newId(), name, tokenHash: hashOf(fingerprint), created, renewed: created };
    await this.change('administrator.add', made, by, () => {
      if (this.list().length >= ADMINISTRATORS_MAX)
        throw new WaybillError('option-invalid', `there are at most ${ADMINISTRATORS_MAX} administrators`);
      this.store.addAdministrator(made);
      return undefined;
    });
    return made;
  }

  /** The old token ends with the answer, and with it the proposals that were made with it. */
  async renew(name: string, fingerprint: string, by: Acting): Promise<Administrator> {
    const renewed = { ...this.byName(name), tokenHash: hashOf(fingerprint), renewed: this.now() };
    await this.change('administrator.renew', renewed, by, () => {
      this.present(renewed.id);
      this.store.setToken(renewed.id, renewed.tokenHash, renewed.renewed);
      return undefined;
    });
    return renewed;
  }

  async remove(name: string, by: Acting): Promise<Administrator> {
    const removed = this.byName(name);
    await this.change('administrator.remove', removed, by, () => {
      this.present(removed.id);
      this.store.removeAdministrator(removed.id);
      const account = this.accountOf(removed.name);
      if (account !== null) this.accounts.demote(account);
      return account?.id;
    });
    return removed;
  }

  private row(id: string): Administrator | null {
    return this.list().find((one) => one.id === id) ?? null;
  }

  private stands(row: Administrator): boolean {
    return hasToken(row) || this.accountOf(row.name)?.status === 'active';
  }

  private present(id: string): void {
    if (this.row(id) === null) throw new WaybillError('not-found', 'the administrator has been removed meanwhile');
  }

  /** `apply` may answer the account that it changed too. */
  private change(action: string, who: Administrator, by: Acting, apply: () => string | undefined): Promise<void> {
    return this.store.write(() => {
      by.within?.();
      const account = apply() ?? null;
      const { actor, approvedBy } = by;
      const token = hasToken(who) ? tokenFingerprint(who.tokenHash) : '';
      const detail = { administrator: who.id, name: who.name, token };
      this.ledger.append(null, changed(action, { actor, approvedBy, account, detail }));
    });
  }
}

/** What stands in the place of a token where there is none: not the hash of anything that has a token's form. */
function noTokenHash(id: string): Buffer {
  return createHash('sha256').update(`administrator ${id} has no token`).digest();
}

export function hasToken({ id, tokenHash }: Pick<Administrator, 'id' | 'tokenHash'>): boolean {
  return !tokenHash.equals(noTokenHash(id));
}

/** Names are ASCII, so this is all there is to it. */
export function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function hashOf(fingerprint: string): Buffer {
  const hash = parseTokenFingerprint(fingerprint);
  if (hash === null)
    throw new WaybillError('option-invalid', 'a token is named by its fingerprint, SHA256: and 43 characters');
  return hash;
}
