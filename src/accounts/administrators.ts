/**
 * Administrators: people of the operator, by name. A name says who acts; with two of them, what weakens a control takes
 * both (policy/approvals.ts). Until passkeys and API tokens come, each has one access token.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { hashAccessToken, parseTokenFingerprint, tokenFingerprint } from './access-token.ts';
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

const ADMINISTRATORS_MAX = 200;
/** With this many, weakening a control takes two of them. */
const TWO = 2;

export class Administrators {
  private readonly store: AdministratorStore;
  private readonly ledger: Ledger;
  private readonly now: () => number;

  constructor(store: AdministratorStore, ledger: Ledger, now: () => number = Date.now) {
    this.store = store;
    this.ledger = ledger;
    this.now = now;
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

  find(id: string): Administrator | null {
    return this.list().find((one) => one.id === id) ?? null;
  }

  /** In any capitals. Throws `not-found`. */
  byName(name: string): Administrator {
    const found = this.list().find((one) => sameName(one.name, name));
    if (found === undefined) throw new WaybillError('not-found', 'no administrator has this name');
    return found;
  }

  /** Throws `sign-in-refused`. Every hash is compared, each in constant time. */
  byToken(token: string): Administrator {
    const hash = hashAccessToken(token);
    let found: Administrator | null = null;
    for (const one of this.list()) if (hash !== null && timingSafeEqual(hash, one.tokenHash)) found = one;
    if (found === null) throw new WaybillError('sign-in-refused', 'the access token is of no administrator');
    return found;
  }

  async add(name: string, fingerprint: string, by: Acting): Promise<Administrator> {
    if (!isLogin(name)) throw new WaybillError('option-invalid', `the name of an administrator is ${LOGIN_RULE}`);
    const created = this.now();
    const made = { id: newId(), name, tokenHash: hashOf(fingerprint), created, renewed: created };
    await this.change('administrator.add', made, by, () => {
      if (this.list().length >= ADMINISTRATORS_MAX)
        throw new WaybillError('option-invalid', `there are at most ${ADMINISTRATORS_MAX} administrators`);
      this.store.addAdministrator(made);
    });
    return made;
  }

  /** The old token ends with the answer, and with it the proposals that were made with it. */
  async renew(name: string, fingerprint: string, by: Acting): Promise<Administrator> {
    const renewed = { ...this.byName(name), tokenHash: hashOf(fingerprint), renewed: this.now() };
    await this.change('administrator.renew', renewed, by, () => {
      this.present(renewed.id);
      this.store.setToken(renewed.id, renewed.tokenHash, renewed.renewed);
    });
    return renewed;
  }

  async remove(name: string, by: Acting): Promise<Administrator> {
    const removed = this.byName(name);
    await this.change('administrator.remove', removed, by, () => {
      this.present(removed.id);
      this.store.removeAdministrator(removed.id);
    });
    return removed;
  }

  private present(id: string): void {
    if (this.find(id) === null) throw new WaybillError('not-found', 'the administrator has been removed meanwhile');
  }

  private change(action: string, who: Administrator, by: Acting, apply: () => void): Promise<void> {
    return this.store.write(() => {
      by.within?.();
      apply();
      const { actor, approvedBy } = by;
      const token = tokenFingerprint(who.tokenHash);
      const detail = { administrator: who.id, name: who.name, token };
      this.ledger.append(null, changed(action, { actor, approvedBy, detail }));
    });
  }
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
